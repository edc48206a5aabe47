// Units follow the slots of partly constant gates, so that values go to their units in runs.
#include "ir/index_runs.h"
#include "matrices.h"
#include "program_pass.h"
#include "test_options.h"

namespace rtmc::passes::test {
namespace {

/// Slots of all partly constant gates, and what writing them to their units costs in elements.
struct Scattered {
  uint32_t slots = 0;
  double cost = 0;
  double least = 1e30;  // of a gate
};
Scattered scattered(const ir::Network &network, bool permute, uint32_t threads) {
  Bench bench(16);
  bench.context.options.permute = permute;
  bench.context.options.threads = threads;
  const ir::Program program = lowered(network, bench.context, "reorder-rows");
  Scattered found;
  for (const ir::Space &space : program.spaces) {
    if (space.parent == ir::kNone) continue;
    const std::vector<ir::IndexRun> runs = ir::indexRuns(space.order);
    const double cost = runs.size() == 1 ? 0 : ir::copyCost(runs, 16);
    found.slots += space.size;
    found.cost += cost;
    found.least = std::min(found.least, cost / space.size);
  }
  return found;
}

std::vector<Matrix> three(Random &random, double rate) {
  std::vector<Matrix> list;
  for (int i = 0; i < 3; ++i) list.push_back(bspMatrix(random, 512, 512, 256, 256, 16, rate));
  return list;
}

}  // namespace

TEST_CASE("values of hidden units are written in runs") {
  const uint64_t seed = rtmc::test::seed(4);
  MESSAGE("seed " << seed);
  Random random(seed);
  for (const double rate : {43.0, 103.0, 245.0}) {
    CAPTURE(rate);
    const ir::Network network = gruNetwork(three(random, rate), three(random, rate));
    const Scattered asWritten = scattered(network, false, 1), ordered = scattered(network, true, 1);
    REQUIRE(ordered.slots == asWritten.slots);
    REQUIRE(ordered.slots > 100);
    CHECK(asWritten.cost > 0.75 * asWritten.slots);
    CHECK(ordered.cost < 0.4 * ordered.slots);
    CHECK(ordered.least < 0.2);
    // Sums keep their order for any number of threads, and so must the units.
    CHECK(scattered(network, true, 3).cost == ordered.cost);
  }
}

}  // namespace rtmc::passes::test
