#include "driver/weight_corruption.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <set>

using namespace rtmc;

namespace {

/// One tile of 4 rows x 2 entries: values 1..8 with one explicit zero, as pack lays them out.
ir::Program program(Precision precision) {
  const float values[2][4] = {{1, -2, 3, -4}, {5, 0, 7, -8}};
  ir::Weights weights;
  weights.name = "a.weight_hh.r";
  weights.rows = 4;
  weights.columns = 6;
  ir::Packed packed;
  packed.precision = precision;
  packed.shapes = {{4, 1, 1}};
  packed.columnTable = {1, 4};
  ir::TileRun run;
  run.rows = 4;
  run.entries = 2;
  packed.runs = {run};
  packed.shareBegin = {0, 1};
  packed.values.resize(32);
  for (uint32_t entry = 0; entry < 2; ++entry) {
    for (uint32_t lane = 0; lane < 4; ++lane) {
      const float value = values[entry][lane];
      const uint32_t slot = entry * 4 + lane;
      if (precision == Precision::F32) std::memcpy(&packed.values[slot * 4], &value, 4);
      const uint16_t half = precision == Precision::F16 ? floatToHalf(value) : floatToBfloat(value);
      if (precision == Precision::F16) std::memcpy(&packed.values[slot * 2], &half, 2);
      if (precision == Precision::BF16) std::memcpy(&packed.values[lane * 4 + entry * 2], &half, 2);
    }
  }
  if (precision != Precision::F32) packed.values.resize(16);
  weights.packed = packed;
  ir::Program made;
  made.weights.push_back(weights);
  return made;
}

std::set<float> valuesOf(const ir::Program &p) {
  const ir::CsrMatrix matrix = ir::expand(p.weights[0]);
  return {matrix.values.begin(), matrix.values.end()};
}

}  // namespace

TEST_CASE("every number hits another kept weight, and only that one") {
  for (Precision precision : {Precision::F32, Precision::F16, Precision::BF16}) {
    const ir::Program whole = program(precision);
    const std::set<float> before = valuesOf(whole);
    REQUIRE(before.size() == 7);
    size_t changed = 0;
    std::set<std::string> places;
    for (uint64_t number = 0; number < 7; ++number) {
      ir::Program damaged = whole;
      places.insert(driver::corruptWeight(damaged, number));
      changed += valuesOf(damaged) != before;
      CHECK(valuesOf(damaged).size() <= 7);
    }
    CHECK(places.size() == 7);
    CHECK(changed == 7);
    ir::Program again = whole;
    CHECK(driver::corruptWeight(again, 7) == *std::find_if(places.begin(), places.end(), [&](const std::string &place) {
            ir::Program first = whole;
            return driver::corruptWeight(first, 0) == place;
          }));
  }
}

TEST_CASE("a program without weights has nothing to corrupt") {
  ir::Program empty;
  CHECK(driver::corruptWeight(empty, 3).empty());
}
