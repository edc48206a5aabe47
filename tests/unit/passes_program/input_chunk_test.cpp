// For how many steps input products are computed at once: by what reading costs, and by the number of short loops.
#include "passes/input_chunk.h"

#include "matrices.h"
#include "program_pass.h"

namespace rtmc::passes::test {
namespace {

uint32_t chunkOf(const ir::Network &network, Precision precision, uint32_t threads = 1) {
  Bench bench(16);
  bench.context.machine = shippedMachine("znver5", "x86_64-unknown-linux-gnu");
  bench.context.options.precision = precision;
  bench.context.options.threads = threads;
  return inputChunk(network, bench.context);
}

ir::Network stripes(uint32_t units, uint32_t blockRows, double columns, double rate) {
  Random random(7);
  std::vector<Matrix> input, state;
  for (int gate = 0; gate < 3; ++gate) {
    input.push_back(bspMatrix(random, units, units, blockRows, 256, columns, rate));
    state.push_back(bspMatrix(random, units, units, blockRows, 256, columns, rate));
  }
  return gruNetwork(input, state);
}

}  // namespace

TEST_CASE("chunks where reading takes longer than multiplying, or where loops are many") {
  CHECK(chunkOf(stripes(1024, 256, 10, 10), Precision::BF16) == 8);
  // From the nearest cache: in few stripes nothing is gained; of many, the ends are not foreseen.
  CHECK(chunkOf(stripes(1024, 256, 20, 301), Precision::BF16) == 1);
  CHECK(chunkOf(stripes(1024, 32, 20, 301), Precision::BF16) == 8);
  // Rows that share no pattern are not computed in stripes.
  Random random(8);
  std::vector<Matrix> single;
  for (int gate = 0; gate < 3; ++gate) single.push_back(unstructured(random, 256, 256, 0.05));
  CHECK(chunkOf(gruNetwork(single, single), Precision::BF16) == 1);
}

TEST_CASE("chunks of more steps where weights lie far away and rows are few beside them") {
  Random random(9);
  const auto dense = [&](uint32_t units) {
    std::vector<Matrix> gates;
    for (int gate = 0; gate < 3; ++gate) gates.push_back(denseMatrix(random, units, units));
    return gruNetwork(gates, gates);
  };
  // 25 MB and, in the L1, 98 KB.
  CHECK(chunkOf(dense(1024), Precision::F32) == 32);
  CHECK(chunkOf(dense(64), Precision::F32) <= 8);
  // As far away, but what is kept for 16 steps would be more than an eighth of the weights.
  const ir::Network pruned = stripes(2048, 256, 16, 40);
  CHECK(chunkOf(pruned, Precision::F32) == 8);
  // Threads meet once more for each layer.
  CHECK(chunkOf(dense(1024), Precision::F32, 2) == 32);
  CHECK(chunkOf(pruned, Precision::F32, 2) == 1);
}

TEST_CASE("a linear layer's products wait for no step either") {
  Random random(10);
  CHECK(chunkOf(linearNetwork(denseMatrix(random, 1024, 2048)), Precision::F32) >= 8);
  CHECK(chunkOf(linearNetwork(denseMatrix(random, 48, 48)), Precision::F32) == 1);
  Bench bench(16);
  bench.context.options.chunk = 4;
  const ir::Program program = lowered(linearNetwork(denseMatrix(random, 48, 48)), bench.context);
  REQUIRE(program.sections.size() == 2);
  CHECK(program.sections[0].kind == ir::SectionKind::PerChunk);
  CHECK(ir::runsPerChunk(program, 0));
}

TEST_CASE("a network for which one thread is chosen out of several is that of one thread") {
  const ir::Network network = stripes(1024, 32, 20, 301);
  Bench bench(16);
  bench.context.machine = shippedMachine("znver5", "x86_64-unknown-linux-gnu");
  bench.context.options.precision = Precision::BF16;
  const ir::Program one = lowered(network, bench.context);
  REQUIRE(one.chunk == 8);
  bench.context.options.threads = 2;
  CHECK(textOf(lowered(network, bench.context)) == textOf(one));
  CHECK(bench.context.options.threads == 2);
  // Two that cost each other nothing.
  bench.context.machine.barrierNs = bench.context.machine.handoverNs = 0;
  const ir::Program two = lowered(network, bench.context);
  CHECK(two.shares == 2);
  CHECK(two.chunk == 1);
}

}  // namespace rtmc::passes::test
