// Bits do not depend on the number of shares: however the rows are cut, each row multiplies the same columns in the
// same order, at the same places of its groups (entry k goes to sum k mod 4).
#include "passes/piece_order.h"

#include "matrices.h"
#include "program_pass.h"
#include "test_options.h"

#include <cstring>
#include <tuple>

namespace rtmc::passes::test {
namespace {

/// A weight that is not zero where a row meets it: group (counted per row), entry, place in the vector, column.
using Term = std::tuple<uint32_t, uint32_t, uint32_t, uint32_t>;
using Sums = std::vector<std::vector<Term>>;  // per row of the user

/// Terms of every row in the order in which they are added, from the packed f32 bytes and tables alone.
Sums sumsOf(const ir::Program &program) {
  const ir::Weights &w = program.weights.at(0);
  const ir::Packed &packed = *w.packed;
  const std::vector<uint32_t> &order = program.spaces[w.rowSpace].order;
  Sums sums(w.rows);
  std::vector<uint32_t> groups(w.rows, 0);
  for (const ir::TileRun &run : packed.runs) {
    const ir::TileShape &shape = packed.shapes[run.shape];
    const uint64_t slots = ir::valuesPerEntry(shape, run.rows);
    const uint32_t width = shape.gather ? 1 : shape.width;
    for (uint32_t i = 0; i < run.rows; ++i) {
      const uint32_t at = shape.indexed ? packed.rowTable[run.row + i] : run.row + i;
      const uint32_t row = order.empty() ? at : order[at], tile = i / shape.rows();
      const uint32_t slot = i % shape.rows() * width;
      for (uint32_t entry = 0; entry < run.entries; ++entry)
        for (uint32_t lane = 0; lane < width; ++lane) {
          const uint64_t value = (uint64_t{tile} * run.entries + entry) * slots + slot + lane;
          float weight;
          std::memcpy(&weight, packed.values.data() + run.value + value * 4, 4);
          if (weight == 0) continue;
          const uint64_t listed = shape.gather ? value : entry;
          const uint32_t first =
              shape.denseColumns ? run.column + entry * width : packed.columnTable[run.column + listed];
          sums[row].emplace_back(groups[row], entry, lane, first + lane);
        }
      ++groups[row];
    }
  }
  return sums;
}

ir::Program packedFor(const ir::Network &network, const ir::Schedule &schedule, uint32_t lanes, uint32_t threads) {
  Bench bench(lanes);
  bench.context.machine.barrierNs = bench.context.machine.handoverNs = 0;
  bench.context.options.threads = threads;
  bench.context.options.fold = false;
  bench.context.schedules["*"] = schedule;
  return lowered(network, bench.context);
}

}  // namespace

TEST_CASE("every row keeps the order of its sums for any number of shares") {
  const uint64_t seed = rtmc::test::seed(21);
  MESSAGE("seed " << seed);
  Random random(seed);
  uint32_t cut = 0, overlapping = 0;
  for (int i = 0; i < 240; ++i) {
    CAPTURE(i);
    const uint32_t lanesOf[] = {16, 8, 4};
    const uint32_t lanes = lanesOf[random() % 3];
    const ir::Format formats[] = {ir::Format::Csb, ir::Format::Csb, ir::Format::Bspc, ir::Format::Block,
                                  ir::Format::Csr};
    ir::Schedule schedule;
    schedule.format = formats[i % 5];
    const bool gather = schedule.format == ir::Format::Csr, block = schedule.format == ir::Format::Block;
    schedule.lanes = {lanes, block ? 2u << random() % 2 : 1u, gather};
    schedule.tile = schedule.lanes.rows() * (gather ? 1 : 1u << random() % 3);
    schedule.mergeLimit = double(random() % 3) * 0.3;
    const auto rows = static_cast<uint32_t>(20 + random() % 200), columns = static_cast<uint32_t>(8 + random() % 100);
    const ir::Network network = linearNetwork(schedule.format == ir::Format::Csb
                                                  ? unevenBlocks(random, rows, columns / 4 * 4, 8u << random() % 3)
                                                  : anyMatrix(random, rows, columns / 4 * 4));
    const ir::Program one = packedFor(network, schedule, lanes, 1);
    if (one.weights.empty()) continue;  // an empty matrix
    const Sums expected = sumsOf(one);
    for (const auto &row : expected) overlapping += !row.empty() && std::get<0>(row.back()) > 0;
    for (const uint32_t threads : {2u, 3u, 5u}) {
      CAPTURE(threads);
      const ir::Program several = packedFor(network, schedule, lanes, threads);
      cut += several.shares > 1;
      CHECK(sumsOf(several) == expected);
    }
  }
  CHECK(cut > 300);  // the test would mean nothing if one share were always best, or rows lay in one group each
  CHECK(overlapping > 1000);
}

}  // namespace rtmc::passes::test
