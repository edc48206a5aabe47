#include "pruning/scores.h"

namespace rtmc::pruning {

std::vector<double> rowSums(const Part &part, std::span<const uint8_t> columns) {
  std::vector<double> sums(part.rows);
  for (uint32_t r = 0; r < part.rows; ++r) {
    double total = 0;
    for (uint32_t c = 0; c < part.columns; ++c)
      if (columns.empty() || columns[c]) total += part.square(r, c);
    sums[r] = total;
  }
  return sums;
}

std::vector<double> columnSums(const Part &part, std::span<const uint8_t> rows) {
  std::vector<double> sums(part.columns, 0.0);
  for (uint32_t r = 0; r < part.rows; ++r)
    if (rows.empty() || rows[r])
      for (uint32_t c = 0; c < part.columns; ++c) sums[c] += part.square(r, c);
  return sums;
}

double sum(const Part &part) {
  double total = 0;
  for (uint32_t r = 0; r < part.rows; ++r)
    for (uint32_t c = 0; c < part.columns; ++c) total += part.square(r, c);
  return total;
}

std::vector<uint8_t> strongest(std::span<const double> scores, size_t count) {
  std::vector<uint8_t> marks(scores.size());
  markStrongest(scores, count, std::span(marks));
  return marks;
}

}  // namespace rtmc::pruning
