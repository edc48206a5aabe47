// Packed bytes: little more than the kept weights where there is structure, less than CSR where there is none.
#include "matrices.h"
#include "program_pass.h"
#include "test_options.h"

namespace rtmc::passes::test {
namespace {

struct Bytes {
  uint64_t values = 0, packed = 0, csr = 0;
};

/// values: of the kept weights alone; csr: a 4-byte column for each, 4-byte row pointers, values as wide as ours.
Bytes bytesOf(const ir::Weights &w) {
  Bytes bytes;
  bytes.values = w.nonzeros * rtmc::bytesOf(w.schedule.precision);
  bytes.packed = w.packed->valueBytes() + w.packed->indexBytes();
  bytes.csr = bytes.values + 4 * w.nonzeros + 4 * (uint64_t{w.rows} + 1);
  return bytes;
}

void checkBelowCsr(const ir::Program &program, uint64_t leastNonzeros) {
  for (const ir::Weights &w : program.weights) {
    if (w.nonzeros < leastNonzeros) continue;
    const Bytes bytes = bytesOf(w);
    CAPTURE(w.name);
    CAPTURE(w.rows);
    CAPTURE(w.columns);
    CAPTURE(w.nonzeros);
    CAPTURE(ir::schemeName(w.structure.scheme));
    CAPTURE(ir::formatName(w.schedule.format));
    CAPTURE(ir::lanesName(w.schedule.lanes));
    CHECK(bytes.packed < bytes.csr);
  }
}

}  // namespace

TEST_CASE("packed weights are smaller than CSR") {
  const uint64_t seed = rtmc::test::seed(4);
  MESSAGE("seed " << seed);
  Random random(seed);
  for (int i = 0; i < 400; ++i) {
    CAPTURE(i);
    const auto rows = static_cast<uint32_t>(1 + random() % 300), columns = static_cast<uint32_t>(1 + random() % 300);
    const uint32_t lanes[] = {16, 8, 4, 1};
    Bench bench(lanes[i % 4]);
    CAPTURE(lanes[i % 4]);
    bench.context.machine = shippedMachine(i % 2 ? "sapphirerapids" : "generic-x86-64", "x86_64-unknown-linux-gnu");
    const Precision precisions[] = {Precision::F32, Precision::BF16, Precision::F16};
    bench.context.options.precision = precisions[i / 4 % 3];
    CAPTURE(precisionName(bench.context.options.precision));
    const ir::Network network = linearNetwork(anyMatrix(random, rows, columns));
    checkBelowCsr(lowered(network, bench.context), 30);
    // Cuts between threads pad the ends of groups; a matrix of some size does not notice.
    bench.context.options.threads = 1 + static_cast<uint32_t>(i) / 5 % 3;
    checkBelowCsr(lowered(network, bench.context), 5000);
  }
}

TEST_CASE("an output of few rows is not padded to a vector") {
  Random random(6);
  for (const uint32_t rows : {1u, 2u, 3u})
    for (const uint32_t lanes : {16u, 8u, 4u}) {
      CAPTURE(rows);
      CAPTURE(lanes);
      Bench bench(lanes);
      const ir::Program program = lowered(linearNetwork(denseMatrix(random, rows, 512)), bench.context);
      const Bytes bytes = bytesOf(program.weights.at(0));
      CHECK(double(bytes.packed) <= 1.4 * double(bytes.values));
    }
}

TEST_CASE("a GRU of the reference rates: bytes against values") {
  constexpr struct {
    double rate, columns, most;
  } kRates[] = {{10, 10, 1.05}, {19, 16, 1.06}, {43, 16, 1.1}, {103, 16, 1.2}, {301, 20, 1.25}};
  for (const auto &rate : kRates)
    for (const uint32_t lanes : {16u, 8u})
      for (const Precision precision : {Precision::F32, Precision::BF16})
        for (const uint32_t threads : {1u, 2u}) {
          CAPTURE(rate.rate);
          CAPTURE(lanes);
          CAPTURE(precisionName(precision));
          CAPTURE(threads);
          Random random(rtmc::test::seed(5));
          std::vector<Matrix> input, state;
          for (int gate = 0; gate < 3; ++gate) {
            input.push_back(bspMatrix(random, 1024, 1024, 256, 256, rate.columns, rate.rate));
            state.push_back(bspMatrix(random, 1024, 1024, 256, 256, rate.columns, rate.rate));
          }
          Bench bench(lanes);
          bench.context.machine = shippedMachine("sapphirerapids", "x86_64-unknown-linux-gnu");
          bench.context.options.precision = precision;
          bench.context.options.threads = threads;
          const ir::Program program = lowered(gruNetwork(input, state), bench.context);
          checkBelowCsr(program, 30);
          Bytes all;
          for (const ir::Weights &w : program.weights) {
            if (!w.name.starts_with("g.")) continue;
            const Bytes bytes = bytesOf(w);
            all.values += bytes.values;
            all.packed += bytes.packed;
          }
          CHECK(double(all.packed) / double(all.values) <= rate.most);
        }
}

}  // namespace rtmc::passes::test
