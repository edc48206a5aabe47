// Owns: a matrix seen from afar: cells that count how much of them is taken, and equal cells merged into few
// rectangles. Refuses to own: what is counted (gate_matrices.h, pattern_plot.h), and how it looks (inspect_page.cpp).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace rtmc::driver {

/// At most limit x limit cells over rows x columns positions. A cell covers whole rows and columns; where they do not
/// divide, cells differ by one.
class PatternGrid {
 public:
  static constexpr uint32_t kKinds = 4;   // of positions; each has shades of its own
  static constexpr uint32_t kLevels = 5;  // shades: 1 = hardly anything taken, kLevels = more than four fifths

  PatternGrid(uint32_t rows, uint32_t columns, uint32_t limit);
  /// A position that is taken; counted once for each call.
  void add(uint32_t row, uint32_t column, uint32_t kind = 0) {
    ++counts_[kind][size_t{rowCell_[row]} * columns_ + columnCell_[column]];
  }
  uint32_t rows() const { return rows_; }
  uint32_t columns() const { return columns_; }
  /// Row by row: 0 for an empty cell, else kind * kLevels + level; the kind is the one that takes most of the cell.
  std::vector<uint8_t> shades() const;
  /// Per row of cells: the kind that takes most of it, kKinds where nothing does.
  std::vector<uint8_t> kindsOfRows() const;

 private:
  uint32_t rows_, columns_;
  std::vector<uint32_t> rowCell_, columnCell_;  // per position
  std::vector<uint32_t> rowsOf_, columnsOf_;    // positions per cell
  std::array<std::vector<uint32_t>, kKinds> counts_;
};

struct CellRect {
  uint32_t x = 0, y = 0, width = 0, height = 0;
  uint8_t shade = 0;
  bool operator==(const CellRect &) const = default;
};

/// Rectangles that cover every cell but those of shade 0 exactly once: runs of a row, stretched downwards while the
/// same run follows. Ordered by shade, then from the top left.
std::vector<CellRect> mergeCells(const std::vector<uint8_t> &shades, uint32_t rows, uint32_t columns);

/// SVG path data of rectangles [first, last), steps relative to the one before: numbers stay short.
std::string pathData(std::vector<CellRect>::const_iterator first, std::vector<CellRect>::const_iterator last);

}  // namespace rtmc::driver
