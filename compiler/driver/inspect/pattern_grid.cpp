#include "driver/inspect/pattern_grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <tuple>

namespace rtmc::driver {
namespace {

/// Which cell each position lies in.
std::vector<uint32_t> cellOf(uint32_t positions, uint32_t cells) {
  std::vector<uint32_t> cell(positions);
  for (uint32_t i = 0; i < positions; ++i) cell[i] = static_cast<uint32_t>(uint64_t{i} * cells / positions);
  return cell;
}

std::vector<uint32_t> sizesOf(const std::vector<uint32_t> &cellOfPosition, uint32_t cells) {
  std::vector<uint32_t> sizes(cells, 0);
  for (const uint32_t cell : cellOfPosition) ++sizes[cell];
  return sizes;
}

}  // namespace

PatternGrid::PatternGrid(uint32_t rows, uint32_t columns, uint32_t limit)
    : rows_(std::min(rows, limit)),
      columns_(std::min(columns, limit)),
      rowCell_(cellOf(rows, rows_)),
      columnCell_(cellOf(columns, columns_)),
      rowsOf_(sizesOf(rowCell_, rows_)),
      columnsOf_(sizesOf(columnCell_, columns_)) {
  for (auto &counts : counts_) counts.assign(size_t{rows_} * columns_, 0);
}

std::vector<uint8_t> PatternGrid::shades() const {
  std::vector<uint8_t> shades(size_t{rows_} * columns_, 0);
  for (uint32_t row = 0; row < rows_; ++row) {
    for (uint32_t column = 0; column < columns_; ++column) {
      const size_t at = size_t{row} * columns_ + column;
      uint64_t taken = 0;
      uint32_t kind = 0;
      for (uint32_t k = 0; k < kKinds; ++k) {
        taken += counts_[k][at];
        if (counts_[k][at] > counts_[kind][at]) kind = k;
      }
      if (taken == 0) continue;
      const uint64_t area = uint64_t{rowsOf_[row]} * columnsOf_[column];
      // A position may be counted twice (blocks that overlap).
      const uint64_t level = std::min<uint64_t>(kLevels, (taken * kLevels + area - 1) / area);
      shades[at] = static_cast<uint8_t>(kind * kLevels + level);
    }
  }
  return shades;
}

std::vector<uint8_t> PatternGrid::kindsOfRows() const {
  std::vector<uint8_t> kinds(rows_, kKinds);
  for (uint32_t row = 0; row < rows_; ++row) {
    uint64_t most = 0;
    for (uint32_t k = 0; k < kKinds; ++k) {
      const auto first = counts_[k].begin() + static_cast<ptrdiff_t>(size_t{row} * columns_);
      uint64_t taken = 0;
      for (uint32_t column = 0; column < columns_; ++column) taken += first[column];
      if (taken > most) most = taken, kinds[row] = static_cast<uint8_t>(k);
    }
  }
  return kinds;
}

std::vector<CellRect> mergeCells(const std::vector<uint8_t> &shades, uint32_t rows, uint32_t columns) {
  std::vector<CellRect> done, open, next;  // open: rectangles that end with the row before, from left to right
  for (uint32_t y = 0; y < rows; ++y) {
    const uint8_t *row = shades.data() + size_t{y} * columns;
    next.clear();
    size_t at = 0;  // in open
    for (uint32_t x = 0; x < columns;) {
      uint32_t end = x + 1;
      while (end < columns && row[end] == row[x]) ++end;
      CellRect rect{x, y, end - x, 1, row[x]};
      x = end;
      if (rect.shade == 0) continue;
      for (; at < open.size() && open[at].x < rect.x; ++at) done.push_back(open[at]);
      if (at < open.size() && open[at].x == rect.x && open[at].width == rect.width && open[at].shade == rect.shade) {
        rect = open[at++];
        ++rect.height;
      }
      next.push_back(rect);
    }
    done.insert(done.end(), open.begin() + static_cast<ptrdiff_t>(at), open.end());
    std::swap(open, next);
  }
  done.insert(done.end(), open.begin(), open.end());
  std::sort(done.begin(), done.end(), [](const CellRect &a, const CellRect &b) {
    return std::tie(a.shade, a.y, a.x) < std::tie(b.shade, b.y, b.x);
  });
  return done;
}

std::string pathData(std::vector<CellRect>::const_iterator first, std::vector<CellRect>::const_iterator last) {
  std::string text;
  auto out = std::back_inserter(text);
  int64_t x = 0, y = 0;
  for (; first != last; ++first) {
    const int64_t dx = first->x - x, dy = first->y - y;
    // After 'z' the pen is where the rectangle began.
    fmt::format_to(out, "m{}{}{}h{}v{}h-{}z", dx, dy < 0 ? "" : " ", dy, first->width, first->height, first->width);
    x = first->x;
    y = first->y;
  }
  return text;
}

}  // namespace rtmc::driver
