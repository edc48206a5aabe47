#include "passes/find_structure_pattern.h"

#include <algorithm>
#include <bit>

namespace rtmc::passes {

namespace {

/// Bits [begin, end) of a row, word by word: f(word with the other bits cleared).
template <typename F>
void forBits(const uint64_t *row, uint32_t begin, uint32_t end, F f) {
  for (uint32_t word = begin / 64; word * 64 < end; ++word) {
    uint64_t bits = row[word];
    if (word * 64 < begin) bits &= ~uint64_t{0} << (begin % 64);
    if (end - word * 64 < 64) bits &= (uint64_t{1} << (end % 64)) - 1;
    f(bits);
  }
}

uint32_t countBits(const uint64_t *row, uint32_t begin, uint32_t end) {
  uint32_t count = 0;
  forBits(row, begin, end, [&](uint64_t bits) { count += static_cast<uint32_t>(std::popcount(bits)); });
  return count;
}

bool anyBit(const uint64_t *row, uint32_t begin, uint32_t end) {
  uint64_t any = 0;
  forBits(row, begin, end, [&](uint64_t bits) { any |= bits; });
  return any != 0;
}

/// f(first stored row, end) for each run of stored rows inside one row block.
template <typename F>
void forRowBlocks(const Pattern &pattern, uint32_t blockRows, F f) {
  for (size_t begin = 0; begin < pattern.rowIds.size();) {
    const uint32_t block = pattern.rowIds[begin] / blockRows;
    size_t end = begin + 1;
    while (end < pattern.rowIds.size() && pattern.rowIds[end] / blockRows == block) ++end;
    f(begin, end);
    begin = end;
  }
}

void orRows(const Pattern &pattern, size_t begin, size_t end, std::vector<uint64_t> &into) {
  into.assign(pattern.words, 0);
  for (size_t r = begin; r < end; ++r)
    for (uint32_t w = 0; w < pattern.words; ++w) into[w] |= pattern.row(r)[w];
}

bool liveRow(const Pattern &pattern, size_t stored) {
  return anyBit(pattern.row(stored), 0, pattern.columns);
}

}  // namespace

uint32_t liveRowsIn(const Pattern &pattern, size_t begin, size_t end) {
  uint32_t live = 0;
  for (size_t r = begin; r < end; ++r) live += liveRow(pattern, r);
  return live;
}

Pattern makePattern(const float *values, uint32_t rows, uint32_t columns, const PatternMap &map) {
  Pattern p;
  p.rows = map.userRows;
  p.columns = map.userColumns;
  p.words = (p.columns + 63) / 64;
  p.keptColumns.assign(p.words, 0);
  for (uint32_t c = 0; c < columns; ++c) {
    const uint32_t user = map.columns.empty() ? c : map.columns[c];
    p.keptColumns[user / 64] |= uint64_t{1} << (user % 64);
  }
  for (uint32_t r = 0; r < rows; ++r) {
    if (!map.skipRows.empty() && map.skipRows[r]) continue;
    p.rowIds.push_back(map.rows.empty() ? r : map.rows[r]);
    const size_t base = p.bits.size();
    p.bits.resize(base + p.words, 0);
    const float *row = values + size_t{r} * columns;
    if (map.columns.empty()) {
      for (uint32_t c = 0; c < columns; c += 64) {
        uint64_t word = 0;
        const uint32_t count = std::min(64u, columns - c);
        for (uint32_t k = 0; k < count; ++k) word |= uint64_t{row[c + k] != 0.0f} << k;
        p.bits[base + c / 64] = word;
      }
    } else {
      for (uint32_t c = 0; c < columns; ++c)
        if (row[c] != 0.0f) p.bits[base + map.columns[c] / 64] |= uint64_t{1} << (map.columns[c] % 64);
    }
  }
  for (const uint64_t word : p.bits) p.nonzeros += static_cast<uint64_t>(std::popcount(word));
  return p;
}

ColumnCut::ColumnCut(const Pattern &pattern, uint32_t blockColumns)
    : width(blockColumns), blocks((pattern.columns + blockColumns - 1) / blockColumns) {
  kept.resize(blocks);
  for (uint32_t b = 0; b < blocks; ++b) kept[b] = countBits(pattern.keptColumns.data(), begin(b), end(pattern, b));
  any.assign(pattern.rowIds.size() * blocks, 0);
  for (size_t r = 0; r < pattern.rowIds.size(); ++r) {
    uint8_t *flags = any.data() + r * blocks;
    const uint64_t *row = pattern.row(r);
    if (width < 64 && std::has_single_bit(width)) {
      // Fold each word so that the first bit of every block is the OR of the block.
      for (uint32_t word = 0; word < pattern.words; ++word) {
        uint64_t folded = row[word];
        if (folded == 0) continue;
        for (uint32_t shift = 1; shift < width; shift *= 2) folded |= folded >> shift;
        const uint32_t first = word * 64 / width, count = std::min(64 / width, blocks - first);
        for (uint32_t k = 0; k < count; ++k) flags[first + k] = folded >> (k * width) & 1;
      }
    } else {
      for (uint32_t b = 0; b < blocks; ++b) flags[b] = anyBit(row, begin(b), end(pattern, b));
    }
  }
}

BlockFits measureBlocks(const Pattern &pattern, const ColumnCut &cut, uint32_t blockRows, bool cells) {
  BlockFits fits;
  std::vector<uint32_t> rowsIn(cut.blocks);
  std::vector<uint64_t> columns;
  forRowBlocks(pattern, blockRows, [&](size_t begin, size_t end) {
    std::fill(rowsIn.begin(), rowsIn.end(), 0);
    for (size_t r = begin; r < end; ++r) {
      const uint8_t *flags = cut.any.data() + r * cut.blocks;
      for (uint32_t b = 0; b < cut.blocks; ++b) rowsIn[b] += flags[b];
    }
    if (cells) orRows(pattern, begin, end, columns);
    for (uint32_t b = 0; b < cut.blocks; ++b) {
      if (rowsIn[b] == 0) continue;
      fits.whole.positions += uint64_t{end - begin} * cut.kept[b];
      fits.whole.indices += 1;
      if (!cells) continue;
      const uint64_t live = countBits(columns.data(), cut.begin(b), cut.end(pattern, b));
      fits.cells.positions += rowsIn[b] * live;
      fits.cells.indices += rowsIn[b] + live + 2;
    }
  });
  return fits;
}

Fit measure(const Pattern &pattern, ir::Scheme scheme, uint32_t blockRows, uint32_t blockColumns) {
  const uint32_t keptColumns = countBits(pattern.keptColumns.data(), 0, pattern.columns);
  const size_t stored = pattern.rowIds.size();
  std::vector<uint64_t> columns;
  Fit fit;
  switch (scheme) {
    case ir::Scheme::Dense:
      fit.positions = uint64_t{stored} * keptColumns;
      break;
    case ir::Scheme::Row:
      fit.indices = liveRowsIn(pattern, 0, stored);
      fit.positions = fit.indices * keptColumns;
      break;
    case ir::Scheme::Column:
      orRows(pattern, 0, stored, columns);
      fit.indices = countBits(columns.data(), 0, pattern.columns);
      fit.positions = fit.indices * stored;
      break;
    case ir::Scheme::Bsp:
      // The width of the blocks does not matter: the sets of all blocks of a stripe of rows are one set of columns.
      forRowBlocks(pattern, blockRows, [&](size_t begin, size_t end) {
        const uint64_t rows = liveRowsIn(pattern, begin, end);
        if (rows == 0) return;
        orRows(pattern, begin, end, columns);
        const uint64_t live = countBits(columns.data(), 0, pattern.columns);
        fit.positions += rows * live;
        fit.indices += live + 1;
      });
      // Rows are listed only where some were pruned.
      if (const uint32_t rows = liveRowsIn(pattern, 0, stored); rows != stored) fit.indices += rows;
      break;
    case ir::Scheme::Block:
      return measureBlocks(pattern, ColumnCut(pattern, blockColumns), blockRows, false).whole;
    case ir::Scheme::Bcr:
    case ir::Scheme::Csb:
      return measureBlocks(pattern, ColumnCut(pattern, blockColumns), blockRows, true).cells;
    case ir::Scheme::Auto:
    case ir::Scheme::Unstructured:
      fit = {pattern.nonzeros, pattern.nonzeros + liveRowsIn(pattern, 0, stored)};
      break;
  }
  return fit;
}

double fillOf(const Pattern &pattern, const Fit &fit) {
  return fit.positions == 0 ? 1.0 : static_cast<double>(pattern.nonzeros) / static_cast<double>(fit.positions);
}

std::optional<std::pair<uint32_t, uint32_t>> firstHole(const Pattern &pattern, const ir::Structure &s) {
  const bool blocked = s.scheme == ir::Scheme::Bsp || s.scheme == ir::Scheme::Block || s.scheme == ir::Scheme::Bcr ||
                       s.scheme == ir::Scheme::Csb;
  if (s.scheme == ir::Scheme::Unstructured || s.scheme == ir::Scheme::Auto) return std::nullopt;
  const uint32_t height = blocked ? s.blockRows : std::max(1u, pattern.rows);
  const bool wide = !blocked || s.scheme == ir::Scheme::Bsp;
  const uint32_t width = wide ? std::max(1u, pattern.columns) : s.blockColumns;
  const bool needsRow =
      s.scheme != ir::Scheme::Dense && s.scheme != ir::Scheme::Column && s.scheme != ir::Scheme::Block;
  std::optional<std::pair<uint32_t, uint32_t>> hole;
  std::vector<uint64_t> live;
  forRowBlocks(pattern, height, [&](size_t begin, size_t end) {
    orRows(pattern, begin, end, live);
    for (size_t r = begin; r < end && !hole; ++r)
      for (uint32_t first = 0; first < pattern.columns && !hole; first += width) {
        const uint32_t last = std::min(pattern.columns, first + width);
        const bool blockLive = anyBit(live.data(), first, last);
        const bool inside =
            s.scheme == ir::Scheme::Dense || (blockLive && (!needsRow || anyBit(pattern.row(r), first, last)));
        if (!inside) continue;
        const bool allColumns =
            s.scheme == ir::Scheme::Dense || s.scheme == ir::Scheme::Row || s.scheme == ir::Scheme::Block;
        const uint64_t *columns = allColumns ? pattern.keptColumns.data() : live.data();
        for (uint32_t c = first; c < last && !hole; ++c)
          if ((columns[c / 64] >> (c % 64) & 1) && !pattern.live(r, c)) hole = {pattern.rowIds[r], c};
      }
  });
  return hole;
}

}  // namespace rtmc::passes
