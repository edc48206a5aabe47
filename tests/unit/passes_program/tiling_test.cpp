// cutRows: every row exactly once, tiles over neighbours where they are not indexed, partial tiles last in their run.
#include "passes/tiling.h"
#include "program_pass.h"
#include "test_options.h"

#include <algorithm>
#include <numeric>

namespace rtmc::passes::test {
namespace {

std::vector<uint32_t> randomRows(std::mt19937_64 &random, uint32_t count) {
  // Gaps from none to everywhere.
  const double gap = std::uniform_real_distribution<double>(0, 1)(random) * (random() % 3 ? 0.2 : 1);
  std::vector<uint32_t> rows;
  uint32_t row = static_cast<uint32_t>(random() % 5);
  while (rows.size() < count) {
    rows.push_back(row);
    row += std::uniform_real_distribution<double>(0, 1)(random) < gap ? 2 + static_cast<uint32_t>(random() % 9) : 1;
  }
  return rows;
}

bool consecutive(const std::vector<uint32_t> &rows) {
  for (size_t i = 1; i < rows.size(); ++i)
    if (rows[i] != rows[i - 1] + 1) return false;
  return true;
}

void checkTiles(const RowTiles &tiles, const std::vector<ir::TileShape> &allowed, const ir::Schedule &schedule) {
  const ir::TileShape &shape = tiles.shape;
  REQUIRE(tiles.tiles > 0);
  REQUIRE(!tiles.rows.empty());
  CHECK(std::is_sorted(tiles.rows.begin(), tiles.rows.end()));
  CHECK(shape.gather == schedule.lanes.gather);
  const size_t full = size_t{tiles.tiles} * shape.rows();
  if (shape.indexed || shape.partial) CHECK(tiles.tiles == 1);
  if (!shape.indexed) CHECK(consecutive(tiles.rows));
  CHECK((shape.partial ? tiles.rows.size() < full : tiles.rows.size() == full));
  ir::TileShape plain = shape;
  plain.indexed = plain.gather;
  plain.partial = false;
  plain.rowStep = 1;
  // Indexed tiles may be one vector where the schedule's tiles are more.
  CHECK(std::any_of(allowed.begin(), allowed.end(), [&](const ir::TileShape &a) { return a == plain; }));
}

void checkCut(const std::vector<uint32_t> &rows, const std::vector<ir::TileShape> &shapes,
              const ir::Schedule &schedule) {
  std::vector<uint32_t> seen;
  for (const RowTiles &tiles : cutRows(rows, shapes)) {
    checkTiles(tiles, shapes, schedule);
    seen.insert(seen.end(), tiles.rows.begin(), tiles.rows.end());
    // A partial tile ends its run of neighbours: the row behind it is not there.
    if (tiles.shape.partial && !tiles.shape.indexed)
      CHECK(!std::binary_search(rows.begin(), rows.end(), tiles.rows.back() + 1));
  }
  std::sort(seen.begin(), seen.end());
  CHECK(seen == rows);
}

std::vector<ir::Schedule> schedules(uint32_t lanes) {
  std::vector<ir::Schedule> list;
  for (const uint32_t width : {1u, 2u, 4u, 8u, 16u}) {
    if (width > lanes) continue;
    for (const uint32_t vectors : {1u, 2u, 4u, 8u, 16u}) {
      ir::Schedule s;
      s.lanes = {lanes, width, false};
      s.tile = s.lanes.rows() * vectors;
      list.push_back(s);
    }
  }
  list.back().shareLoads = false;
  ir::Schedule gather;
  gather.lanes = {lanes, 1, true};
  gather.tile = lanes;
  list.push_back(gather);
  return list;
}

}  // namespace

TEST_CASE("rows are cut into tiles exactly once") {
  const uint64_t seed = rtmc::test::seed(1);
  MESSAGE("seed " << seed);
  std::mt19937_64 random(seed);
  for (const uint32_t lanes : {16u, 8u, 4u, 1u})
    for (const ir::Schedule &schedule : schedules(lanes)) {
      CAPTURE(ir::lanesName(schedule.lanes));
      CAPTURE(schedule.tile);
      TargetTraits target;
      target.lanes = lanes;
      const auto shapes = shapesOf(schedule, target);
      REQUIRE(!shapes.empty());
      CHECK(std::is_sorted(shapes.begin(), shapes.end(),
                           [](const auto &a, const auto &b) { return a.rows() > b.rows(); }));
      for (uint32_t count = 1; count <= 200; ++count) {
        CAPTURE(count);
        std::vector<uint32_t> whole(count);
        std::iota(whole.begin(), whole.end(), 3u);
        checkCut(whole, shapes, schedule);
        checkCut(randomRows(random, count), shapes, schedule);
      }
      CHECK(cutRows({}, shapes).empty());
    }
}

TEST_CASE("the last tile takes in rows behind a full one, and half of its last vector where they need no more") {
  TargetTraits target;
  ir::Schedule schedule;
  const auto cutOf = [&](uint32_t count) {
    std::vector<uint32_t> rows(count), cut;
    std::iota(rows.begin(), rows.end(), 0u);
    for (const RowTiles &tiles : cutRows(rows, shapesOf(schedule, target)))
      for (uint32_t tile = 0; tile < tiles.tiles; ++tile)
        cut.push_back(static_cast<uint32_t>(std::min<size_t>(tiles.shape.rows(), tiles.rows.size())));
    return cut;
  };
  using Cut = std::vector<uint32_t>;
  CHECK(cutOf(64) == Cut{64});
  CHECK(cutOf(65) == Cut{65});
  CHECK(cutOf(96) == Cut{96});
  CHECK(cutOf(97) == Cut{64, 33});
  CHECK(cutOf(128) == Cut{64, 64});
  CHECK(cutOf(139) == Cut{64, 75});
  CHECK(cutOf(24) == Cut{24});
  target.registers = 16;  // sums of more than four vectors would not stay there
  CHECK(cutOf(65) == Cut{64, 1});

  ir::TileShape shape;
  shape.vectors = 3;
  CHECK(!halfLastVector(shape, 40));  // whole
  shape.partial = true;
  CHECK(halfLastVector(shape, 33));
  CHECK(halfLastVector(shape, 40));
  CHECK(!halfLastVector(shape, 41));
  shape.lanes = 4;  // no narrower vector
  CHECK(!halfLastVector(shape, 9));
  shape.lanes = 16;
  shape.vectors = 1;  // a narrower tile instead
  CHECK(!halfLastVector(shape, 8));
}

TEST_CASE("consecutive rows waste less than a vector") {
  TargetTraits target;
  for (const uint32_t lanes : {16u, 8u, 4u}) {
    target.lanes = lanes;
    ir::Schedule schedule;
    schedule.lanes = {lanes, 1, false};
    schedule.tile = lanes * 4;
    const auto shapes = shapesOf(schedule, target);
    for (uint32_t count = 1; count <= 200; ++count) {
      CAPTURE(count);
      std::vector<uint32_t> rows(count);
      std::iota(rows.begin(), rows.end(), 0u);
      uint32_t held = 0;
      for (const RowTiles &tiles : cutRows(rows, shapes)) {
        held += tiles.tiles * tiles.shape.rows();
        CHECK(!tiles.shape.indexed);
      }
      CHECK(held < count + lanes);
    }
  }
}

}  // namespace rtmc::passes::test
