// Owns: squares, their sums in the one order that docs/projections.md fixes, the grid of blocks, and the strongest k.
// A float's square is exact in double, so a compiler that fuses multiply and add gives the same bits.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace rtmc::pruning {

/// A part of a matrix that lies row-major with `stride` floats from row to row.
struct Part {
  const float *values = nullptr;
  uint32_t rows = 0, columns = 0;
  size_t stride = 0;

  double square(uint32_t row, uint32_t column) const {
    const double value = values[row * stride + column];
    return value * value;
  }
};

/// One gate's matrix, all of it.
inline Part wholeMatrix(const float *values, uint32_t rows, uint32_t columns) {
  return {values, rows, columns, columns};
}

inline uint32_t blocksIn(uint32_t extent, uint32_t size) {
  return (extent + size - 1) / size;
}

/// f(block, first row, first column, number) row by row; edge blocks are smaller.
template <typename F>
void forEachBlock(const Part &matrix, uint32_t rows, uint32_t columns, F f) {
  size_t number = 0;
  for (uint32_t r = 0; r < matrix.rows; r += std::min(rows, matrix.rows - r))
    for (uint32_t c = 0; c < matrix.columns; c += std::min(columns, matrix.columns - c)) {
      const Part block{matrix.values + r * matrix.stride + c, std::min(rows, matrix.rows - r),
                       std::min(columns, matrix.columns - c), matrix.stride};
      f(block, r, c, number++);
    }
}

/// Per row over the columns in ascending order, only those that are not zero in `columns`; empty: all.
std::vector<double> rowSums(const Part &, std::span<const uint8_t> columns = {});
/// Per column over the rows in ascending order, only those that are not zero in `rows`; empty: all.
std::vector<double> columnSums(const Part &, std::span<const uint8_t> rows = {});
/// Row by row.
double sum(const Part &);

/// 1 for each of the `count` largest; ties go to the lower index.
template <typename T>
void markStrongest(std::span<const T> scores, size_t count, std::span<uint8_t> marks) {
  std::fill(marks.begin(), marks.end(), uint8_t{1});
  if (count >= scores.size()) return;
  std::vector<T> ordered(scores.begin(), scores.end());
  const auto last = ordered.begin() + static_cast<std::ptrdiff_t>(count - 1);
  std::nth_element(ordered.begin(), last, ordered.end(), std::greater<>());
  const T least = *last;
  size_t equal = count - static_cast<size_t>(std::count_if(ordered.begin(), last, [&](T s) { return s > least; }));
  for (size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] > least) continue;
    marks[i] = scores[i] == least && equal > 0;
    equal -= marks[i];
  }
}
std::vector<uint8_t> strongest(std::span<const double> scores, size_t count);

}  // namespace rtmc::pruning
