#include "pruning/lines.h"

#include <limits>
#include <utility>

namespace rtmc::pruning {
namespace {

/// Kept rows or columns of a block with their scores over the kept cross lines.
struct Lines {
  std::vector<uint32_t> kept;  // ascending
  std::vector<double> scores;  // of all

  explicit Lines(std::vector<double> sums) : kept(sums.size()), scores(std::move(sums)) {
    for (uint32_t i = 0; i < kept.size(); ++i) kept[i] = i;
  }
  /// Place in `kept` of the smallest score / cross; among equals the last. Quotients are compared, as rounding can make
  /// two of them equal.
  size_t weakest(size_t cross, double &key) const {
    size_t place = kept.size() - 1;
    key = scores[kept[place]] / static_cast<double>(cross);
    for (size_t i = place; i-- > 0;)
      if (const double other = scores[kept[i]] / static_cast<double>(cross); other < key) place = i, key = other;
    return place;
  }
  uint32_t take(size_t place) {
    const uint32_t line = kept[place];
    kept.erase(kept.begin() + static_cast<std::ptrdiff_t>(place));
    return line;
  }
};

}  // namespace

LineRemoval::LineRemoval(const Part &matrix, const Projection &p) : matrix_(matrix), block_(*p.block) {
  forEachBlock(matrix, block_.rows, block_.columns, [&](const Part &block, uint32_t, uint32_t, size_t number) {
    const size_t first = steps_.size();
    removeLines(block, static_cast<uint32_t>(number));
    if (p.bounded) bound(block, p, first);
    for (size_t i = first + 1; i < steps_.size(); ++i) steps_[i].key = std::max(steps_[i].key, steps_[i - 1].key);
  });
  std::sort(steps_.begin(), steps_.end(), [](const Step &a, const Step &b) {
    if (a.key != b.key) return a.key < b.key;
    return a.block != b.block ? a.block > b.block : a.step < b.step;
  });
}

void LineRemoval::removeLines(const Part &block, uint32_t number) {
  Lines rows(rowSums(block)), columns(columnSums(block));
  first_.push_back(goneAt_.size());
  goneAt_.resize(goneAt_.size() + block.rows + block.columns);
  uint32_t *const rowGone = goneAt_.data() + first_.back(), *const columnGone = rowGone + block.rows;
  const uint32_t last = block.rows + block.columns - 2;
  for (uint32_t step = 0; step < last; ++step) {
    const size_t height = rows.kept.size(), width = columns.kept.size();
    double rowKey = 0, columnKey = 0;
    const size_t row = rows.weakest(width, rowKey), column = columns.weakest(height, columnKey);
    // The last row and the last column go together, in the end.
    if (width > 1 && (height == 1 || columnKey <= rowKey)) {
      const uint32_t gone = columns.take(column);
      columnGone[gone] = step;
      steps_.push_back({columnKey, number, step, static_cast<uint32_t>(height)});
      for (const uint32_t r : rows.kept) rows.scores[r] -= block.square(r, gone);
    } else {
      const uint32_t gone = rows.take(row);
      rowGone[gone] = step;
      steps_.push_back({rowKey, number, step, static_cast<uint32_t>(width)});
      for (const uint32_t c : columns.kept) columns.scores[c] -= block.square(gone, c);
    }
  }
  rowGone[rows.kept[0]] = last;
  columnGone[columns.kept[0]] = last + 1;
  steps_.push_back({rows.scores[rows.kept[0]], number, last, 1});
}

/// Steps that a block must take whatever the others do.
void LineRemoval::bound(const Part &block, const Projection &p, size_t first) {
  uint64_t left = uint64_t{block.rows} * block.columns;
  const uint64_t most = keptCountTimes(left, *p.rate, *p.bounded);
  for (size_t i = first; i < steps_.size() && left > most; ++i) {
    steps_[i].key = -std::numeric_limits<double>::infinity();
    left -= steps_[i].freed;
  }
}

size_t LineRemoval::stepsFor(uint64_t kept) const {
  uint64_t left = uint64_t{matrix_.rows} * matrix_.columns;
  size_t gone = 0;
  // Of the last step something would stay: a matrix never goes as a whole.
  while (gone + 1 < steps_.size() && (left > kept || steps_[gone].key < 0)) left -= steps_[gone++].freed;
  return gone;
}

void LineRemoval::mask(size_t gone, std::span<uint8_t> mask) const {
  std::vector<uint32_t> taken(first_.size(), 0);
  for (size_t i = 0; i < gone; ++i) ++taken[steps_[i].block];
  forEachBlock(matrix_, block_.rows, block_.columns, [&](const Part &block, uint32_t row, uint32_t column, size_t n) {
    const uint32_t *const rowGone = goneAt_.data() + first_[n], *const columnGone = rowGone + block.rows;
    for (uint32_t r = 0; r < block.rows; ++r)
      for (uint32_t c = 0; c < block.columns; ++c)
        mask[size_t{row + r} * matrix_.columns + column + c] = rowGone[r] >= taken[n] && columnGone[c] >= taken[n];
  });
}

}  // namespace rtmc::pruning
