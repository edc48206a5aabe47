#include "driver/inspect/gate_matrices.h"
#include "driver/inspect/html_text.h"
#include "driver/inspect/pattern_grid.h"
#include "driver/inspect/pattern_plot.h"
#include "driver/inspect/run_order.h"

#include "test_options.h"

#include <doctest/doctest.h>

#include <cstring>
#include <random>
#include <set>

using namespace rtmc;
using namespace rtmc::driver;

namespace {

constexpr uint8_t kFull = PatternGrid::kLevels;

/// Two shares. A: rows 2, 3 as one tile of two rows over columns 1, 3 and row 0 as a partial tile of the same columns.
/// B: rows 5, 7 listed, over column 0. Rows 1, 4, 6 have no weights.
ir::Weights twoShares() {
  ir::Weights weights;
  weights.name = "a.weight_hh.r";
  weights.rows = 8;
  weights.columns = 4;
  weights.nonzeros = 8;
  ir::Packed packed;
  ir::TileShape whole{.lanes = 2}, partial{.lanes = 2, .partial = true}, listed{.lanes = 2, .indexed = true};
  packed.shapes = {whole, partial, listed};
  packed.columnTable = {1, 3, 0};
  packed.rowTable = {5, 7};
  packed.runs = {{.shape = 0, .row = 2, .rows = 2, .entries = 2, .column = 0, .value = 0},
                 {.shape = 1, .row = 0, .rows = 1, .entries = 2, .column = 0, .value = 16},
                 {.shape = 2, .row = 0, .rows = 2, .entries = 1, .column = 2, .value = 24}};
  packed.shareBegin = {0, 2, 3};
  const float values[] = {1, 2, 3, 4, 5, 6, 7, 8};
  packed.values.resize(sizeof values);
  std::memcpy(packed.values.data(), values, sizeof values);
  weights.packed = std::move(packed);
  return weights;
}

std::mt19937_64 seeded() {
  const uint64_t seed = rtmc::test::seed(7);
  MESSAGE("seed ", seed);
  return std::mt19937_64(seed);
}

Pattern randomPattern(std::mt19937_64 &random, uint32_t rows, uint32_t columns, double keep) {
  std::bernoulli_distribution kept(keep);
  Pattern pattern{rows, columns, {0}, {}};
  for (uint32_t row = 0; row < rows; ++row) {
    for (uint32_t column = 0; column < columns; ++column)
      if (kept(random)) pattern.columnIndex.push_back(column);
    pattern.rowBegin.push_back(static_cast<uint32_t>(pattern.columnIndex.size()));
  }
  return pattern;
}

}  // namespace

TEST_CASE("text of users cannot become markup, and stays XML") {
  CHECK(escapeHtml("plain.name@1") == "plain.name@1");
  CHECK(escapeHtml("<b a=\"1\" b='2'>&amp;") == "&lt;b a=&quot;1&quot; b=&#39;2&#39;&gt;&amp;amp;");
  CHECK(escapeHtml(std::string_view("a\0b\x1b[1m\n", 8)) == "a\\x00b\\x1b[1m\\x0a");
  CHECK(escapeHtml("\xc3\xa4\xe2\x82\xac") == "\xc3\xa4\xe2\x82\xac");
  CHECK(escapeHtml("\xff\xc3") == "\\xff\\xc3");
  CHECK(escapeHtml("\xef\xbf\xbf<\xef\xbf\xbd") == "\\xef\\xbf\\xbf&lt;\xef\xbf\xbd");
}

TEST_CASE("a table escapes its cells and keeps its columns") {
  HtmlTable table("t", {"name", "<text", "number"});
  table.add({"<a>", "b", "1"}, "m1");
  table.total({"sum", "", "1"});
  CHECK(table.html() ==
        "<table id=\"t\"><thead><tr><th class=\"t\">name</th><th "
        "class=\"t\">text</th><th>number</th></tr></thead><tbody>\n"
        "<tr><td class=\"t\"><a href=\"#m1\">&lt;a&gt;</a></td><td class=\"t\">b</td><td>1</td></tr>\n"
        "<tr class=\"total\"><td class=\"t\">sum</td><td class=\"t\"></td><td>1</td></tr>\n</tbody></table>\n");
}

TEST_CASE("a small matrix has a cell per position") {
  PatternGrid one(1, 1, 256);
  CHECK(one.shades() == std::vector<uint8_t>{0});
  one.add(0, 0);
  CHECK(one.shades() == std::vector<uint8_t>{kFull});
  PatternGrid grid(2, 3, 256);
  grid.add(0, 1);
  grid.add(1, 2, 3);
  grid.add(1, 2, 3);  // twice is not more than full
  const uint8_t other = 3 * PatternGrid::kLevels + kFull;
  CHECK(grid.shades() == std::vector<uint8_t>{0, kFull, 0, 0, 0, other});
  CHECK(grid.kindsOfRows() == std::vector<uint8_t>{0, 3});
}

TEST_CASE("cells of a large matrix tell how much of them is taken") {
  // Cells of 5 x 7 positions on a 2 x 2 grid: rows 0-2 and 3-4, columns 0-3 and 4-6.
  PatternGrid grid(5, 7, 2);
  REQUIRE(grid.rows() == 2);
  REQUIRE(grid.columns() == 2);
  grid.add(2, 3);  // 1 of 12
  for (uint32_t column = 4; column < 7; ++column) grid.add(0, column, 1), grid.add(1, column, 2);
  grid.add(2, 5, 2);  // 7 of 9, most of kind 2
  for (uint32_t row = 3; row < 5; ++row)
    for (uint32_t column = 4; column < 7; ++column) grid.add(row, column);
  const uint8_t mixed = 2 * PatternGrid::kLevels + 4;
  CHECK(grid.shades() == std::vector<uint8_t>{1, mixed, 0, kFull});
  CHECK(grid.kindsOfRows() == std::vector<uint8_t>{2, 0});
  PatternGrid empty(0, 3, 256);
  CHECK(empty.shades().empty());
  CHECK(empty.kindsOfRows().empty());
}

TEST_CASE("equal cells become one rectangle") {
  CHECK(mergeCells({1, 1, 1, 1, 1, 1}, 2, 3) == std::vector<CellRect>{{0, 0, 3, 2, 1}});
  CHECK(mergeCells({0, 0, 0, 0}, 2, 2).empty());
  CHECK(mergeCells({}, 0, 3).empty());
  // A run of another width ends a rectangle; one that follows it starts again.
  CHECK(mergeCells({1, 1, 0,   //
                    1, 1, 2,   //
                    1, 0, 2},  //
                   3, 3) == std::vector<CellRect>{{0, 0, 2, 2, 1}, {0, 2, 1, 1, 1}, {2, 1, 1, 2, 2}});
  const std::vector<CellRect> rects = mergeCells({1, 0, 1, 0, 1, 0}, 2, 3);
  CHECK(pathData(rects.begin(), rects.end()) == "m0 0h1v1h-1zm2 0h1v1h-1zm-1 1h1v1h-1z");
}

TEST_CASE("rectangles cover each cell exactly once") {
  std::mt19937_64 random = seeded();
  for (int round = 0; round < 300; ++round) {
    const uint32_t rows = 1 + random() % 12, columns = 1 + random() % 12, shadesUsed = 2 + random() % 3;
    std::vector<uint8_t> shades(rows * columns);
    for (uint8_t &shade : shades) shade = static_cast<uint8_t>(random() % shadesUsed);
    std::vector<uint8_t> painted(shades.size(), 0);
    for (const CellRect &rect : mergeCells(shades, rows, columns)) {
      for (uint32_t y = rect.y; y < rect.y + rect.height; ++y)
        for (uint32_t x = rect.x; x < rect.x + rect.width; ++x) {
          REQUIRE(painted[y * columns + x] == 0);
          painted[y * columns + x] = rect.shade;
        }
    }
    REQUIRE(painted == shades);
  }
}

TEST_CASE("rows stand in the order in which tiles compute them, stripes end with their columns") {
  const ir::Weights weights = twoShares();
  REQUIRE(ir::verifyPacked(weights) == std::vector<std::string>{});
  const RunOrder order = runOrder(weights);
  const uint32_t none = ir::kNone;
  CHECK(order.rows == 5);
  CHECK(order.position == std::vector<uint32_t>{2, none, 0, 1, none, 3, none, 4});
  CHECK(order.shareBegin == std::vector<uint32_t>{0, 3, 5});
  const Stripes stripes = stripesOf(weights, order);
  CHECK(stripes.count == 2);
  REQUIRE(stripes.pieces.size() == 2);
  const StripePiece &a = stripes.pieces[0], &b = stripes.pieces[1];
  CHECK(std::vector<uint32_t>{a.firstRow, a.endRow, a.firstColumn, a.endColumn} == std::vector<uint32_t>{0, 3, 1, 4});
  CHECK(std::vector<uint32_t>{b.firstRow, b.endRow, b.firstColumn, b.endColumn} == std::vector<uint32_t>{3, 5, 0, 1});
}

TEST_CASE("the plot of what runs shows kinds, shares and stripes") {
  const RunPlot plot = plotAfter("<title>", twoShares(), 10000);
  CHECK(plot.rows == 5);
  CHECK(plot.stripes == 2);
  CHECK(plot.values == 8);
  CHECK(plot.kinds[0]);
  CHECK(plot.kinds[1]);
  CHECK(plot.kinds[2]);
  CHECK_FALSE(plot.kinds[3]);
  CHECK(plot.svg.find("<title>&lt;title&gt;</title>") != std::string::npos);
  // Columns 1 and 3 of the first two rows, of the third (a partial tile), column 0 of the last two.
  CHECK(plot.svg.find("<path class=\"k0 l5\" d=\"m1 0h1v2h-1zm2 0h1v2h-1z\"/>") != std::string::npos);
  CHECK(plot.svg.find("<path class=\"k1 l5\" d=\"m1 2h1v1h-1zm2 0h1v1h-1z\"/>") != std::string::npos);
  CHECK(plot.svg.find("<path class=\"k2 l5\" d=\"m0 3h1v2h-1z\"/>") != std::string::npos);
  CHECK(plot.svg.find(">A</text>") != std::string::npos);
  CHECK(plot.svg.find(">B</text>") != std::string::npos);
  CHECK(plot.svg.find(">C</text>") == std::string::npos);
}

TEST_CASE("shares have letters, however many there are") {
  CHECK(shareLetters(0) == "A");
  CHECK(shareLetters(25) == "Z");
  CHECK(shareLetters(26) == "AA");
  CHECK(shareLetters(51) == "AZ");
  CHECK(shareLetters(52) == "BA");
  std::set<std::string> all;
  for (uint32_t share = 0; share < 1000; ++share) all.insert(shareLetters(share));
  CHECK(all.size() == 1000);
}

TEST_CASE("a plot becomes coarser until it fits") {
  std::mt19937_64 random = seeded();
  const Pattern noise = randomPattern(random, 700, 500, 0.1);
  const Plot fine = plotBefore("noise", noise, 1 << 20);
  CHECK(fine.cellRows == 3);
  CHECK(fine.cellColumns == 2);
  size_t before = fine.svg.size();
  for (size_t budget : {100000u, 30000u, 8000u}) {
    const Plot plot = plotBefore("noise", noise, budget);
    CHECK(plot.svg.size() < budget + 500);
    CHECK(plot.cellRows > fine.cellRows);
    CHECK(plot.svg.size() <= before);
    before = plot.svg.size();
  }
  CHECK(plotBefore("noise", noise, 0).svg.size() < 8000);
  CHECK(plotBefore("dense", randomPattern(random, 3000, 3000, 1), 1000).svg.size() < 600);
  CHECK(plotBefore("nothing", randomPattern(random, 3, 3, 0), 1000).svg.find("<path") == std::string::npos);
}
