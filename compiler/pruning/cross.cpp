#include "pruning/cross.h"

#include <utility>

namespace rtmc::pruning {
namespace {

constexpr int kRounds = 10;

Cross settle(const Part &part, Block counts, std::vector<uint8_t> columns) {
  Cross cross{std::vector<uint8_t>(part.rows, 0), std::move(columns)};
  for (int round = 0; round < kRounds; ++round) {
    std::vector<uint8_t> rows = strongest(rowSums(part, cross.columns), counts.rows);
    columns = strongest(columnSums(part, rows), counts.columns);
    if (rows == cross.rows && columns == cross.columns) break;
    cross = {std::move(rows), std::move(columns)};
  }
  return cross;
}

double valueOf(const Part &part, const Cross &cross) {
  double total = 0;
  for (uint32_t r = 0; r < part.rows; ++r)
    if (cross.rows[r])
      for (uint32_t c = 0; c < part.columns; ++c)
        if (cross.columns[c]) total += part.square(r, c);
  return total;
}

}  // namespace

Cross searchCross(const Part &part, Block counts) {
  Cross first = settle(part, counts, std::vector<uint8_t>(part.columns, 1));
  Cross second = settle(part, counts, strongest(columnSums(part), counts.columns));
  return valueOf(part, second) > valueOf(part, first) ? second : first;
}

}  // namespace rtmc::pruning
