// The search for a scheme: all block sizes that could be meant, fine to coarse.
#include "passes/find_structure_pattern.h"

#include <algorithm>
#include <bit>
#include <tuple>

namespace rtmc::passes {

namespace {

using ir::Scheme;
using Sizes = std::vector<uint32_t>;

constexpr uint32_t kLargestBlock = 256;  // of `block`: larger ones are rows, columns or BCR in all but name
constexpr uint32_t kLongestThin = 64;    // side by side: what is longer is a stripe of BSP that kept all its rows
constexpr uint64_t kFewBlocks = 64;      // BCR cuts a matrix into a few large blocks, CSB into many small ones

/// Powers of two and divisors from `from` up, and the whole.
Sizes blockSizes(uint32_t extent, uint32_t from) {
  Sizes sizes;
  for (uint32_t d = 1; d <= extent / d; ++d)
    if (extent % d == 0) sizes.insert(sizes.end(), {d, extent / d});
  for (uint64_t power = 1; power < extent; power *= 2) sizes.push_back(static_cast<uint32_t>(power));
  std::erase_if(sizes, [&](uint32_t size) { return size < from && size != extent; });
  std::sort(sizes.begin(), sizes.end());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  return sizes;
}

int rankOf(Scheme scheme) {
  switch (scheme) {
    case Scheme::Dense:
      return 0;
    case Scheme::Row:
      return 1;
    case Scheme::Column:
      return 2;
    case Scheme::Block:
      return 3;
    case Scheme::Bsp:
      return 4;
    case Scheme::Bcr:
    case Scheme::Csb:
      return 5;
    case Scheme::Unstructured:
    case Scheme::Auto:
      break;
  }
  return 6;
}

/// Keeps the best structure offered: one that holds before one that does not, then few indices, then simple, then
/// large.
class Choice {
 public:
  explicit Choice(const Pattern &pattern) : pattern_(pattern) {}

  bool offer(Scheme scheme, uint32_t blockRows, uint32_t blockColumns, const Fit &fit) {
    const double fill = fillOf(pattern_, fit);
    const bool holds = fill >= kFillNeeded;
    const uint64_t cost = holds ? fit.indices + 2 * (fit.positions - pattern_.nonzeros) : 0;
    const uint64_t area = uint64_t{blockRows} * blockColumns;
    const Key key{!holds, cost, holds ? 0.0 : -fill, rankOf(scheme), ~area};
    if (!offered_ || key < key_) {
      key_ = key;
      best_.scheme = scheme;
      best_.blockRows = blockRows;
      best_.blockColumns = blockColumns;
      best_.fill = fill;
      offered_ = true;
    }
    return holds;
  }
  const ir::Structure &best() const { return best_; }

 private:
  using Key = std::tuple<bool, uint64_t, double, int, uint64_t>;
  const Pattern &pattern_;
  ir::Structure best_;
  Key key_;
  bool offered_ = false;
};

/// Block sizes that failed: a coarser grid made of whole failed blocks contains their structure and fails too.
class Failed {
 public:
  void add(uint32_t blockRows, uint32_t blockColumns) { sizes_.emplace_back(blockRows, blockColumns); }
  bool covers(uint32_t blockRows, uint32_t blockColumns) const {
    return std::any_of(sizes_.begin(), sizes_.end(), [&](const auto &size) {
      return blockRows % size.first == 0 && blockColumns % size.second == 0;
    });
  }

 private:
  std::vector<std::pair<uint32_t, uint32_t>> sizes_;
};

Scheme cellScheme(const Pattern &pattern, uint32_t blockRows, uint32_t blockColumns) {
  const uint64_t down = (pattern.rows + blockRows - 1) / blockRows;
  const uint64_t across = (pattern.columns + blockColumns - 1) / blockColumns;
  return down * across <= kFewBlocks ? Scheme::Bcr : Scheme::Csb;
}

/// The width of BSP's blocks shows only in their numbers of columns, where the pruner kept as many in each; else:
/// whole.
uint32_t bspWidth(const Pattern &pattern, uint32_t blockRows) {
  for (const uint32_t width : blockSizes(pattern.columns, 4)) {
    if (width > pattern.columns / 2) break;
    const ColumnCut cut(pattern, width);
    uint32_t expected = 0;
    bool equal = true;
    for (size_t begin = 0, end = 0; begin < pattern.rowIds.size() && equal; begin = end) {
      std::vector<uint64_t> columns(pattern.words, 0);
      const uint32_t block = pattern.rowIds[begin] / blockRows;
      for (; end < pattern.rowIds.size() && pattern.rowIds[end] / blockRows == block; ++end)
        for (uint32_t w = 0; w < pattern.words; ++w) columns[w] |= pattern.row(end)[w];
      if (std::all_of(columns.begin(), columns.end(), [](uint64_t word) { return word == 0; })) continue;
      for (uint32_t b = 0; b < cut.blocks && equal; ++b) {
        if (cut.begin(b) + width > pattern.columns) continue;  // the edge
        uint32_t live = 0;
        for (uint32_t c = cut.begin(b); c < cut.end(pattern, b); ++c) live += columns[c / 64] >> (c % 64) & 1;
        if (expected == 0) expected = live;
        equal = live == expected && live != 0;
      }
    }
    if (equal && expected != 0) return width;
  }
  return pattern.columns;
}

void searchBsp(const Pattern &pattern, Choice &choice, const Sizes &heights, uint32_t blockColumns) {
  Failed failed;
  for (const uint32_t height : heights) {
    if (failed.covers(height, 1)) continue;
    const Fit fit = measure(pattern, Scheme::Bsp, height, 0);
    if (!choice.offer(Scheme::Bsp, height, blockColumns, fit)) failed.add(height, 1);
  }
}

struct Grids {
  Sizes heights, widths;
  bool whole = true, cells = true;  // offer blocks kept whole, rows times columns
  bool promised = false;            // sizes are the user's: no size is too small or too large
};

void searchGrids(const Pattern &pattern, Choice &choice, const Grids &grids) {
  Failed failedWhole, failedCells;
  for (const uint32_t width : grids.widths) {
    std::optional<ColumnCut> cut;
    for (const uint32_t height : grids.heights) {
      const bool spans = height >= pattern.rows || width >= pattern.columns || std::max(height, width) > kLargestBlock;
      const bool tooSmall =
          uint64_t{height} * width < 4 || std::max(height, width) > kLongestThin * std::min(height, width);
      const bool whole = grids.whole && (grids.promised || !(spans || tooSmall)) && !failedWhole.covers(height, width);
      const bool thin = std::min(height, width) < 4;  // one row or column of a block is always full
      const bool cells = grids.cells && (grids.promised || !thin) && !failedCells.covers(height, width);
      if (!whole && !cells) continue;
      if (!cut) cut.emplace(pattern, width);
      const BlockFits fits = measureBlocks(pattern, *cut, height, cells);
      if (whole && !choice.offer(Scheme::Block, height, width, fits.whole)) failedWhole.add(height, width);
      if (cells && !choice.offer(cellScheme(pattern, height, width), height, width, fits.cells))
        failedCells.add(height, width);
    }
  }
}

}  // namespace

ir::Structure detect(const Pattern &pattern) {
  Choice choice(pattern);
  // A pattern without weights is rows that are all pruned; one that is nearly full is best read as it stands.
  if (pattern.nonzeros == 0) {
    choice.offer(Scheme::Row, 0, 0, {});
    return choice.best();
  }
  if (choice.offer(Scheme::Dense, 0, 0, measure(pattern, Scheme::Dense, 0, 0))) return choice.best();
  for (const Scheme scheme : {Scheme::Row, Scheme::Column, Scheme::Unstructured})
    choice.offer(scheme, 0, 0, measure(pattern, scheme, 0, 0));
  const Sizes heights = blockSizes(pattern.rows, 4), widths = blockSizes(pattern.columns, 4);
  searchBsp(pattern, choice, heights, pattern.columns);
  searchGrids(pattern, choice, {blockSizes(pattern.rows, 1), blockSizes(pattern.columns, 1)});
  ir::Structure best = choice.best();
  if (best.scheme == Scheme::Bsp) best.blockColumns = bspWidth(pattern, best.blockRows);
  return best;
}

ir::Structure detectScheme(const Pattern &pattern, Scheme scheme, uint32_t blockRows, uint32_t blockColumns) {
  Choice choice(pattern);
  Grids grids;
  grids.promised = true;
  grids.heights = blockRows ? Sizes{blockRows} : blockSizes(pattern.rows, 4);
  grids.widths = blockColumns ? Sizes{blockColumns} : blockSizes(pattern.columns, 4);
  switch (scheme) {
    case Scheme::Auto:
      return detect(pattern);
    case Scheme::Bsp:
      searchBsp(pattern, choice, grids.heights, blockColumns ? blockColumns : pattern.columns);
      break;
    case Scheme::Block:
      grids.cells = false;
      searchGrids(pattern, choice, grids);
      break;
    case Scheme::Bcr:
    case Scheme::Csb:
      grids.whole = false;
      searchGrids(pattern, choice, grids);
      break;
    default:
      choice.offer(scheme, 0, 0, measure(pattern, scheme, 0, 0));
  }
  ir::Structure best = choice.best();
  if (best.scheme == Scheme::Bcr || best.scheme == Scheme::Csb) best.scheme = scheme;
  return best;
}

}  // namespace rtmc::passes
