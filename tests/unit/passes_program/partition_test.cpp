// Shares are balanced: by the pass's own prediction, and by what the tiles that were packed for each share cost.
#include "passes/partition.h"

#include "matrices.h"
#include "passes/share_cost.h"
#include "program_pass.h"
#include "test_options.h"

#include <algorithm>
#include <functional>
#include <map>

namespace rtmc::passes::test {
namespace {

/// ns of the matrices of one phase per share, from the packed runs.
std::vector<double> packedCost(const ir::Program &program, const ir::Phase &phase, const Context &context) {
  std::vector<double> ns(program.shares, 0.0);
  for (const ir::Operation &operation : phase.ops) {
    const auto *product = std::get_if<ir::MatMul>(&operation);
    if (!product) continue;
    const ir::Weights &w = program.weights[product->weights];
    const CostModel model(context.machine, context.target, w.schedule.precision, w.schedule.accumulate,
                          estimatedFootprint(program));
    const ir::Packed &packed = *w.packed;
    for (uint32_t share = 0; share < program.shares; ++share)
      for (uint32_t i = packed.shareBegin[share]; i < packed.shareBegin[share + 1]; ++i)
        ns[share] += model.tileNs(packed.shapes[packed.runs[i].shape], packed.runs[i].tiles, packed.runs[i].entries,
                                  packed.runs[i].rows);
  }
  return ns;
}

/// The dearest 16 units as a share of their own: what moving a cut by one step can change.
double dearestTile(PhaseCost &cost, uint32_t size) {
  double most = 0;
  for (uint32_t begin = 0; begin < size; begin += 16)
    most = std::max(most, cost.of(begin, std::min(size, begin + 16), false));
  return most;
}

/// The slowest share of the best of all cuts of [begin, size) at multiples of 16 units.
class BestCuts {
 public:
  BestCuts(PhaseCost &cost, uint32_t size) : cost_(cost), size_(size) {}
  double slowest(uint32_t begin, uint32_t shares) {
    if (shares == 1) return cost_.of(begin, size_, begin == 0);
    const auto known = known_.find({begin, shares});
    if (known != known_.end()) return known->second;
    double best = 1e30;
    for (uint32_t end = begin; end <= size_; end += 16)
      best = std::min(best, std::max(cost_.of(begin, end, begin == 0), slowest(end, shares - 1)));
    return known_[{begin, shares}] = best;
  }

 private:
  PhaseCost &cost_;
  uint32_t size_;
  std::map<std::pair<uint32_t, uint32_t>, double> known_;
};

/// Phases that were looked at, and those whose shares are within 5 % of each other or within one tile.
struct Evenness {
  uint32_t phases = 0, even = 0;
  void add(const std::vector<double> &cost, double tile) {
    const auto [least, most] = std::minmax_element(cost.begin(), cost.end());
    ++phases;
    even += *most - *least <= std::max(0.05 * *most, tile);
  }
  void add(const Evenness &other) { phases += other.phases, even += other.even; }
  void checkMostAreEven() const {
    CAPTURE(phases);
    CHECK(even >= 0.9 * phases);
  }
};

/// No cuts are faster by more than 3 % (the pass takes its first ones where others gain less than 2 %, and weighs them
/// before it moves slots), and what it predicts is what is packed. Shares as even as a tile are no duty of every phase:
/// a cut through a tile makes two of it, which may cost more than the better balance gains.
Evenness checkNetwork(const ir::Network &network, uint32_t threads, Precision precision, uint32_t lanes) {
  CAPTURE(threads);
  CAPTURE(precisionName(precision));
  CAPTURE(lanes);
  Bench bench(lanes);
  bench.context.machine = shippedMachine("sapphirerapids", "x86_64-unknown-linux-gnu");
  bench.context.machine.barrierNs = bench.context.machine.handoverNs = 0;
  bench.context.options.threads = threads;
  bench.context.options.precision = precision;
  Module module;
  module.network = network;
  REQUIRE(runUpTo(module, bench.context, "partition"));
  ir::Program &program = *module.program;
  CHECK(program.shares > 1);
  CHECK(program.shares <= threads);
  Evenness evenness;
  std::map<std::string, double> tiles;
  for (const ir::Phase &phase : program.sections[0].phases) {
    const uint32_t size = program.spaces[phase.domain].size;
    if (size < 64) continue;  // the small layer behind
    PhaseCost cost(program, phase, bench.context, estimatedFootprint(program));
    const double slowest = *std::max_element(phase.shareCost.begin(), phase.shareCost.end());
    CAPTURE(phase.name);
    CHECK(slowest <= 1.03 * BestCuts(cost, size).slowest(0, program.shares));
    tiles[phase.name] = dearestTile(cost, size);
  }
  REQUIRE(runUpTo(module, bench.context, ""));
  for (const ir::Phase &phase : program.sections[0].phases) {
    if (program.spaces[phase.domain].size < 64) continue;
    CAPTURE(phase.name);
    REQUIRE(phase.shareCost.size() == program.shares);
    const std::vector<double> packed = packedCost(program, phase, bench.context);
    evenness.add(phase.shareCost, tiles[phase.name]);
    evenness.add(packed, tiles[phase.name]);
    // What was predicted is what was packed, and the gates.
    for (uint32_t share = 0; share < program.shares; ++share) {
      const double gates = phase.shareCost[share] - packed[share];
      const double units = phase.cuts[share + 1] - phase.cuts[share];
      CHECK(gates >= -1e-6);
      CHECK(gates <= units * 6 * (bench.context.machine.gateNs + bench.context.machine.scatterNs));
    }
  }
  return evenness;
}

std::vector<Matrix> three(const std::function<Matrix()> &make) {
  std::vector<Matrix> list;
  for (int i = 0; i < 3; ++i) list.push_back(make());
  return list;
}

/// A GRU whose matrices are made in one order, whichever compiler this is built with (arguments have none).
ir::Network threeGates(const std::function<Matrix()> &make) {
  const std::vector<Matrix> ofInputs = three(make);
  return gruNetwork(ofInputs, three(make));
}

struct Rate {
  double rate, columns;
};
constexpr Rate kRates[] = {{10, 10},  {19, 16},  {29, 16},  {43, 16}, {80, 20},
                           {103, 16}, {153, 20}, {245, 20}, {301, 20}};

}  // namespace

TEST_CASE("shares of the reference masks are balanced") {
  const uint64_t seed = rtmc::test::seed(1);
  MESSAGE("seed " << seed);
  Random random(seed);
  Evenness evenness;
  for (const Rate &rate : kRates) {
    CAPTURE(rate.rate);
    const auto make = [&] { return bspMatrix(random, 1024, 1024, 256, 256, rate.columns, rate.rate); };
    const ir::Network network = threeGates(make);
    for (const uint32_t threads : {2u, 3u, 4u}) evenness.add(checkNetwork(network, threads, Precision::BF16, 16));
    evenness.add(checkNetwork(network, 2, Precision::F32, 8));
  }
  evenness.checkMostAreEven();
}

TEST_CASE("a stripe with half of all weights is split") {
  const uint64_t seed = rtmc::test::seed(2);
  MESSAGE("seed " << seed);
  Random random(seed);
  Evenness evenness;
  for (const uint32_t begin : {0u, 300u, 960u})
    for (const uint32_t count : {64u, 24u}) {
      CAPTURE(begin);
      CAPTURE(count);
      const auto make = [&] { return heavyStripe(random, 1024, 1024, begin, count); };
      const ir::Network network = threeGates(make);
      for (const uint32_t threads : {2u, 3u, 4u}) evenness.add(checkNetwork(network, threads, Precision::F32, 16));
      const ir::Network output = linearNetwork(make());
      for (const uint32_t threads : {2u, 3u, 4u}) evenness.add(checkNetwork(output, threads, Precision::BF16, 16));
    }
  evenness.checkMostAreEven();
}

TEST_CASE("uneven blocks are balanced") {
  const uint64_t seed = rtmc::test::seed(3);
  MESSAGE("seed " << seed);
  Random random(seed);
  const auto make = [&] { return unevenBlocks(random, 512, 512, 64); };
  const ir::Network network = threeGates(make);
  const ir::Network output = linearNetwork(make());
  Evenness evenness;
  for (const uint32_t threads : {2u, 3u, 4u})
    for (const uint32_t lanes : {16u, 4u}) {
      evenness.add(checkNetwork(network, threads, Precision::F32, lanes));
      evenness.add(checkNetwork(output, threads, Precision::F16, lanes));
    }
  evenness.checkMostAreEven();
}

TEST_CASE("threads are used only where they pay") {
  Random random(4);
  Bench bench(16);
  bench.context.machine = shippedMachine("sapphirerapids", "x86_64-unknown-linux-gnu");
  bench.context.options.threads = 4;
  const ir::Network small = linearNetwork(denseMatrix(random, 16, 16));
  CHECK(lowered(small, bench.context).shares == 1);
  CHECK(lowered(linearNetwork(denseMatrix(random, 1024, 1024)), bench.context).shares > 1);
  // Cuts never go below what there is to cut, whatever is asked.
  bench.context.machine.barrierNs = bench.context.machine.handoverNs = 0;
  for (const uint32_t rows : {1u, 2u, 3u, 5u, 17u}) {
    const ir::Program program = lowered(linearNetwork(denseMatrix(random, rows, 16)), bench.context);
    for (const ir::Phase &phase : program.sections[0].phases) {
      CHECK(phase.cuts.size() == size_t{program.shares} + 1);
      CHECK(std::is_sorted(phase.cuts.begin(), phase.cuts.end()));
      CHECK(phase.cuts.back() == rows);
    }
  }
}

TEST_CASE("what the shares hand over to each other is counted once, in lines") {
  Random random(5);
  const auto lines = [](const ir::Network &network) {
    Bench bench(16);
    bench.context.options.chunk = 1;
    return linesHandedOver(lowered(network, bench.context, "share-loads"));
  };
  const auto dense = [&] { return denseMatrix(random, 128, 128); };
  // Inputs are the caller's. 128 values are 8 lines: the old state for the gates, r * h for the
  // candidate, the new state for the output.
  CHECK(lines(linearNetwork(dense())) == std::vector<uint32_t>{0});
  CHECK(lines(gruNetwork(three(dense), three(dense))) == std::vector<uint32_t>{8, 8, 8});
  // Only columns 16 to 31, 40 and 41 of the state are read.
  const auto narrow = [&] {
    Matrix matrix = dense();
    for (uint32_t row = 0; row < 128; ++row)
      for (uint32_t column = 0; column < 128; ++column)
        if (column < 16 || column > 41 || (column > 31 && column < 40)) matrix.at(row, column) = 0;
    return matrix;
  };
  ir::Network network = gruNetwork(three(dense), three(narrow));
  CHECK(lines(network) == std::vector<uint32_t>{2, 2, 8});
  std::get<ir::Gru>(network.layers[0].op).resetAfter = true;
  CHECK(lines(network) == std::vector<uint32_t>{2, 8});
}

TEST_CASE("values that take long to fetch keep a network on one thread") {
  Random random(6);
  Bench bench(16);
  bench.context.options.threads = 2;
  bench.context.machine.barrierNs = bench.context.machine.handoverNs = 0;
  const auto dense = [&] { return denseMatrix(random, 256, 256); };
  const ir::Network network = gruNetwork(three(dense), three(dense));
  const ir::Program free = lowered(network, bench.context);
  REQUIRE(free.shares == 2);
  // 16 lines, half of them from the other share.
  const double gates = free.sections[0].phases[0].shareCost[0];
  bench.context.machine.handoverNs = gates / 128;
  const ir::Program dear = lowered(network, bench.context);
  REQUIRE(dear.shares == 2);
  CHECK(dear.sections[0].phases[0].shareCost[0] == doctest::Approx(gates * 1.125));
  bench.context.machine.handoverNs = gates / 16;
  CHECK(lowered(network, bench.context).shares == 1);
}

}  // namespace rtmc::passes::test
