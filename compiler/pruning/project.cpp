#include "pruning/project.h"

#include "pruning/cross.h"
#include "pruning/lines.h"
#include "pruning/scores.h"
#include "support/check.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace rtmc::pruning {
namespace {

Part partOf(const Matrix &m) {
  return wholeMatrix(m.values.data(), m.rows, m.columns);
}

/// f(row, column) of a block that starts at (row, column) of the matrix.
template <typename F>
void fillBlock(std::span<uint8_t> mask, uint32_t stride, const Part &block, uint32_t row, uint32_t column, F f) {
  for (uint32_t r = 0; r < block.rows; ++r)
    for (uint32_t c = 0; c < block.columns; ++c) mask[size_t{row + r} * stride + column + c] = f(r, c);
}

void markCross(const Matrix &m, const Projection &p, Block block, std::span<uint8_t> mask) {
  forEachBlock(partOf(m), block.rows, block.columns, [&](const Part &part, uint32_t row, uint32_t column, size_t) {
    const Cross cross = searchCross(part, crossCounts(p, part.rows, part.columns));
    fillBlock(mask, m.columns, part, row, column,
              [&](uint32_t r, uint32_t c) { return cross.rows[r] & cross.columns[c]; });
  });
}

void markBanks(const Matrix &m, const Projection &p, std::span<uint8_t> mask) {
  forEachBlock(partOf(m), 1, p.block->columns, [&](const Part &bank, uint32_t row, uint32_t column, size_t) {
    const auto kept = strongest(columnSums(bank), keptCount(bank.columns, *p.rate));
    std::copy(kept.begin(), kept.end(), mask.begin() + static_cast<std::ptrdiff_t>(size_t{row} * m.columns + column));
  });
}

void markBlocks(const Matrix &m, const Projection &p, std::span<uint8_t> mask) {
  std::vector<double> scores;
  const auto each = [&](auto f) { forEachBlock(partOf(m), p.block->rows, p.block->columns, f); };
  each([&](const Part &block, uint32_t, uint32_t, size_t) { scores.push_back(sum(block)); });
  const auto kept = strongest(scores, keptCount(scores.size(), *p.rate));
  each([&](const Part &block, uint32_t row, uint32_t column, size_t number) {
    fillBlock(mask, m.columns, block, row, column, [&](uint32_t, uint32_t) { return kept[number]; });
  });
}

/// A float's magnitude orders as its square does, which is exact, and needs half the memory.
void markWeights(const Matrix &m, const Projection &p, std::span<uint8_t> mask) {
  std::vector<float> magnitudes(m.values.size());
  for (size_t i = 0; i < magnitudes.size(); ++i) magnitudes[i] = std::fabs(m.values[i]);
  markStrongest(std::span<const float>(magnitudes), keptCount(magnitudes.size(), *p.rate), mask);
}

}  // namespace

void projectStep1(const Matrix &m, const Projection &p, std::span<uint8_t> mask) {
  const Rate rate = ratesOf(p)->column;
  forEachBlock(partOf(m), p.block->rows, p.block->columns,
               [&](const Part &block, uint32_t row, uint32_t column, size_t) {
                 const auto kept = strongest(columnSums(block), keptCount(block.columns, rate));
                 fillBlock(mask, m.columns, block, row, column, [&](uint32_t, uint32_t c) { return kept[c]; });
               });
}

void projectStep2(const Matrix &m, const Projection &p, std::span<uint8_t> mask) {
  const Part part = partOf(m);
  std::vector<double> scores(m.rows);
  for (uint32_t r = 0; r < m.rows; ++r) {
    const auto kept = mask.subspan(size_t{r} * m.columns, m.columns);
    for (uint32_t c = 0; c < m.columns; ++c)
      if (kept[c]) scores[r] += part.square(r, c);
  }
  const auto rows = strongest(scores, keptCount(m.rows, ratesOf(p)->row));
  for (uint32_t r = 0; r < m.rows; ++r)
    if (!rows[r]) std::ranges::fill(mask.subspan(size_t{r} * m.columns, m.columns), uint8_t{0});
}

void project(const Matrix &m, const Projection &p, std::span<uint8_t> mask) {
  RTMC_CHECK(m.values.size() == size_t{m.rows} * m.columns && mask.size() == m.values.size(), "sizes do not agree");
  RTMC_CHECK(complaint(p, m.rows, m.columns).empty(), complaint(p, m.rows, m.columns));
  const Part part = partOf(m);
  switch (p.scheme) {
    case Scheme::Unstructured:
      return markWeights(m, p, mask);
    case Scheme::Row: {
      const auto rows = strongest(rowSums(part), keptCount(m.rows, *p.rate));
      return fillBlock(mask, m.columns, part, 0, 0, [&](uint32_t r, uint32_t) { return rows[r]; });
    }
    case Scheme::Column: {
      const auto columns = strongest(columnSums(part), keptCount(m.columns, *p.rate));
      return fillBlock(mask, m.columns, part, 0, 0, [&](uint32_t, uint32_t c) { return columns[c]; });
    }
    case Scheme::RowColumn:
      return markCross(m, p, {m.rows, m.columns}, mask);
    case Scheme::Bcr:
      return markCross(m, p, *p.block, mask);
    case Scheme::Bsp:
      projectStep1(m, p, mask);
      return projectStep2(m, p, mask);
    case Scheme::Csb: {
      const LineRemoval lines(part, p);
      return lines.mask(lines.stepsFor(keptCount(m.values.size(), *p.rate)), mask);
    }
    case Scheme::Bank:
      return markBanks(m, p, mask);
    case Scheme::Block:
      return markBlocks(m, p, mask);
  }
}

}  // namespace rtmc::pruning
