#include "driver/inspect/pattern_plot.h"

#include "driver/inspect/html_text.h"
#include "driver/inspect/pattern_grid.h"
#include "driver/inspect/run_order.h"
#include "support/check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <string_view>

namespace rtmc::driver {
namespace {

constexpr uint32_t kCells = 256;        // per side, at most
constexpr uint32_t kFewestCells = 16;   // below, a budget is exceeded instead
constexpr uint32_t kSide = 320;         // pixels of the longer side
constexpr uint32_t kPositionSide = 24;  // pixels of one position, at most
constexpr uint32_t kLeft = 30, kRight = 14, kEdge = 2;
constexpr double kFinest = 4;           // pixels of the smallest thing that has an outline
constexpr size_t kOutlineBytes = 4096;  // that outlines may take in any case

struct Size {
  uint32_t width, height;
};

/// Pixels of a matrix: true to its shape, but for very long ones.
Size sizeOf(uint32_t rows, uint32_t columns) {
  const uint32_t longer = std::max({rows, columns, 1u});
  const uint32_t side = std::min<uint64_t>(kSide, uint64_t{longer} * kPositionSide);
  const auto scaled = [&](uint32_t n) {
    return std::max<uint32_t>(kPositionSide, static_cast<uint32_t>(uint64_t{side} * n / longer));
  };
  return {scaled(columns), scaled(rows)};
}

std::string classOf(uint8_t shade, bool grey) {
  const uint32_t kind = (shade - 1u) / PatternGrid::kLevels, level = (shade - 1u) % PatternGrid::kLevels + 1;
  return grey ? fmt::format("g l{}", level) : fmt::format("k{} l{}", kind, level);
}

/// The cells, one path for each shade.
std::string cellPaths(const PatternGrid &grid, bool grey) {
  const std::vector<CellRect> rects = mergeCells(grid.shades(), grid.rows(), grid.columns());
  std::string text;
  for (auto first = rects.begin(); first != rects.end();) {
    const auto last = std::find_if(first, rects.end(), [&](const CellRect &r) { return r.shade != first->shade; });
    text += fmt::format("<path class=\"{}\" d=\"{}\"/>", classOf(first->shade, grey), pathData(first, last));
    first = last;
  }
  return text;
}

struct Cells {
  std::string paths;
  uint32_t rows = 0, columns = 0;  // of the grid
  std::vector<uint8_t> kindsOfRows;
};

/// The finest grid whose paths fit. `fill` adds the positions to a grid.
template <typename Fill>
Cells cellsWithin(size_t budget, uint32_t rows, uint32_t columns, bool grey, Fill &&fill) {
  for (uint32_t limit = kCells;; limit /= 2) {
    PatternGrid grid(rows, columns, limit);
    fill(grid);
    Cells cells{cellPaths(grid, grey), grid.rows(), grid.columns(), grid.kindsOfRows()};
    if (cells.paths.size() <= budget || limit <= kFewestCells) return cells;
  }
}

uint32_t perCell(uint32_t positions, uint32_t cells) {
  return cells == 0 ? 1 : (positions + cells - 1) / cells;
}

std::string openSvg(const std::string &title, uint32_t width, uint32_t height) {
  return fmt::format("<svg width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" role=\"img\"><title>{2}</title>", width,
                     height, escapeHtml(title));
}

/// The cells in a box of their own, whose units are cells.
std::string cellBox(const Cells &cells, uint32_t x, uint32_t y, Size size) {
  std::string border =
      fmt::format("<rect class=\"b\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>", x, y, size.width, size.height);
  if (cells.rows == 0 || cells.columns == 0) return border;
  return fmt::format(
             "<svg x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {} {}\" preserveAspectRatio=\"none\" "
             "shape-rendering=\"crispEdges\">{}</svg>",
             x, y, size.width, size.height, cells.columns, cells.rows, cells.paths) +
         border;
}

/// Stripes as rectangles; those that are too small to be seen are left out.
std::string outlines(const Stripes &stripes, const RunOrder &order, uint32_t columns, Size size) {
  const auto pixels = [](uint32_t side, uint32_t position, uint32_t positions) {
    return static_cast<double>(side) * position / positions;
  };
  std::set<std::string> made;  // stripes of one place are drawn once
  for (const StripePiece &piece : stripes.pieces) {
    const double top = pixels(size.height, piece.firstRow, order.rows),
                 bottom = pixels(size.height, piece.endRow, order.rows),
                 left = pixels(size.width, piece.firstColumn, columns),
                 right = pixels(size.width, piece.endColumn, columns);
    if (bottom - top < kFinest || right - left < kFinest) continue;
    made.insert(fmt::format("M{:.1f} {:.1f}H{:.1f}V{:.1f}H{:.1f}z", kLeft + left, kEdge + top, kLeft + right,
                            kEdge + bottom, kLeft + left));
  }
  return made.empty() ? "" : fmt::format("<path class=\"o\" d=\"{}\"/>", fmt::join(made, ""));
}

/// Bars of the shares: black and white by turns, with letters where there is room.
std::string shareBars(const RunOrder &order, uint32_t height) {
  std::string text;
  for (uint32_t share = 0; share + 1 < order.shareBegin.size(); ++share) {
    if (order.shareBegin[share] == order.shareBegin[share + 1]) continue;
    const double top = static_cast<double>(height) * order.shareBegin[share] / order.rows;
    const double bottom = static_cast<double>(height) * order.shareBegin[share + 1] / order.rows;
    text += fmt::format("<rect class=\"s{}\" x=\"20\" y=\"{:.1f}\" width=\"6\" height=\"{:.1f}\"/>", share % 2,
                        kEdge + top, bottom - top);
    if (bottom - top < 9) continue;
    text += fmt::format("<text x=\"17\" y=\"{:.1f}\">{}</text>", kEdge + (top + bottom) / 2 + 4, shareLetters(share));
  }
  return text;
}

/// Kinds of the rows' tiles as patterns, for those who see no colours.
std::string kindBar(const std::vector<uint8_t> &kinds, uint32_t x, uint32_t height) {
  std::string text;
  for (size_t i = 0; i < kinds.size();) {
    size_t end = i + 1;
    while (end < kinds.size() && kinds[end] == kinds[i]) ++end;
    const double top = static_cast<double>(height) * static_cast<double>(i) / static_cast<double>(kinds.size());
    const double bottom = static_cast<double>(height) * static_cast<double>(end) / static_cast<double>(kinds.size());
    if (kinds[i] < PatternGrid::kKinds)
      text += fmt::format("<rect fill=\"url(#kind{})\" x=\"{}\" y=\"{:.1f}\" width=\"8\" height=\"{:.1f}\"/>", kinds[i],
                          x, kEdge + top, bottom - top);
    i = end;
  }
  return text;
}

}  // namespace

TileKind kindOf(const ir::TileShape &shape) {
  if (shape.gather) return TileKind::Gathered;
  if (shape.partial) return TileKind::Partial;
  return shape.indexed ? TileKind::Listed : TileKind::Full;
}

std::string shareLetters(uint32_t share) {
  std::string letters;
  for (uint64_t rest = uint64_t{share} + 1; rest > 0; rest = (rest - 1) / 26)
    letters.insert(letters.begin(), static_cast<char>('A' + (rest - 1) % 26));
  return letters;
}

Plot plotBefore(const std::string &title, const Pattern &pattern, size_t budget) {
  const Cells cells = cellsWithin(budget, pattern.rows, pattern.columns, true, [&](PatternGrid &grid) {
    for (uint32_t row = 0; row < pattern.rows; ++row)
      for (uint32_t i = pattern.rowBegin[row]; i < pattern.rowBegin[row + 1]; ++i)
        grid.add(row, pattern.columnIndex[i]);
  });
  const Size size = sizeOf(pattern.rows, pattern.columns);
  Plot plot;
  plot.cellRows = perCell(pattern.rows, cells.rows);
  plot.cellColumns = perCell(pattern.columns, cells.columns);
  plot.svg =
      openSvg(title, size.width + 2 * kEdge, size.height + 2 * kEdge) + cellBox(cells, kEdge, kEdge, size) + "</svg>";
  return plot;
}

RunPlot plotAfter(const std::string &title, const ir::Weights &weights, size_t budget) {
  RTMC_CHECK(weights.packed.has_value(), "a plot of tiles needs packed weights");
  const ir::Packed &packed = *weights.packed;
  const RunOrder order = runOrder(weights);
  RunPlot plot;
  plot.rows = order.rows;
  const Cells cells = cellsWithin(budget, order.rows, weights.columns, false, [&](PatternGrid &grid) {
    for (const ir::TileRun &run : packed.runs) {
      const auto kind = static_cast<uint32_t>(kindOf(packed.shapes[run.shape]));
      plot.kinds[kind] = true;
      forEachPosition(weights, run,
                      [&](uint32_t row, uint32_t column) { grid.add(order.position[row], column, kind); });
    }
  });
  for (const ir::TileRun &run : packed.runs)
    plot.values += run.tiles * packed.tileBytes(run) / bytesOf(packed.precision);
  const Size size = sizeOf(order.rows, weights.columns);
  const Stripes stripes = stripesOf(weights, order);
  plot.stripes = stripes.count;
  std::string outline = outlines(stripes, order, weights.columns, size);
  if (outline.size() > std::max(budget / 4, kOutlineBytes)) outline.clear();
  plot.cellRows = perCell(order.rows, cells.rows);
  plot.cellColumns = perCell(weights.columns, cells.columns);
  plot.svg = openSvg(title, kLeft + size.width + kRight, size.height + 2 * kEdge) + cellBox(cells, kLeft, kEdge, size) +
             outline + shareBars(order, size.height) + kindBar(cells.kindsOfRows, kLeft + size.width + 4, size.height) +
             "</svg>";
  return plot;
}

}  // namespace rtmc::driver
