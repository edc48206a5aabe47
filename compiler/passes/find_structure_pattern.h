// Owns: the zero pattern of one gate matrix as bits, and how well each scheme of the contract describes it.
// Refuses to own: networks and their annotations (find_structure.h).
#pragma once

#include "ir/network.h"

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace rtmc::passes {

/// One gate matrix in the user's coordinates. Rows and columns that are not there any more are not stored, but the
/// positions of the others, and so the block grid, stay.
struct Pattern {
  uint32_t rows = 0, columns = 0;     // the user's extent
  uint32_t words = 0;                 // 64-bit words per row
  std::vector<uint32_t> rowIds;       // user's row of each stored row, ascending
  std::vector<uint64_t> bits;         // rowIds.size() * words; bit = user's column
  std::vector<uint64_t> keptColumns;  // one bit per column that is there
  uint64_t nonzeros = 0;

  const uint64_t *row(size_t stored) const { return bits.data() + stored * words; }
  bool live(size_t stored, uint32_t column) const { return row(stored)[column / 64] >> (column % 64) & 1; }
};

/// Where a matrix's rows and columns lie in the user's. Empty maps: identity.
struct PatternMap {
  uint32_t userRows = 0, userColumns = 0;
  std::span<const uint32_t> rows;     // user's row per row
  std::span<const uint32_t> columns;  // user's column per column
  std::span<const uint8_t> skipRows;  // 1: do not store the row; empty: store all
};

/// `values`: [rows, columns] row-major of one gate.
Pattern makePattern(const float *values, uint32_t rows, uint32_t columns, const PatternMap &map);

/// A scheme measured on a pattern: the smallest structure of that scheme that contains all nonzeros.
struct Fit {
  uint64_t positions = 0;  // weights inside the structure
  uint64_t indices = 0;    // rows, columns and blocks that must be listed
};

/// A pattern cut into blocks of columns: whether each row has a weight in each block.
struct ColumnCut {
  uint32_t width = 1, blocks = 0;
  std::vector<uint32_t> kept;  // columns that are there, per block
  std::vector<uint8_t> any;    // [stored row, block]

  ColumnCut(const Pattern &, uint32_t blockColumns);
  uint32_t begin(uint32_t block) const { return block * width; }
  uint32_t end(const Pattern &p, uint32_t block) const { return block + 1 == blocks ? p.columns : (block + 1) * width; }
};
/// Both readings of one grid: blocks kept whole, and rows times columns in each (`cells` false: not measured).
struct BlockFits {
  Fit whole, cells;
};
BlockFits measureBlocks(const Pattern &, const ColumnCut &, uint32_t blockRows, bool cells);
uint32_t liveRowsIn(const Pattern &, size_t begin, size_t end);

inline constexpr double kFillNeeded = 0.98;

/// Block sizes of at least 1 where the scheme has blocks (dense, row, column, unstructured: ignored).
Fit measure(const Pattern &, ir::Scheme, uint32_t blockRows, uint32_t blockColumns);
double fillOf(const Pattern &, const Fit &);

/// The scheme with the fewest indices, explicit zeros counted twice; ties go to the simpler scheme and larger blocks.
ir::Structure detect(const Pattern &);

/// The best block sizes of one scheme (sizes that are given stay); fill tells whether it holds.
ir::Structure detectScheme(const Pattern &, ir::Scheme, uint32_t blockRows, uint32_t blockColumns);

/// The first position of the structure without a weight, in the user's coordinates; nullopt: completely filled.
std::optional<std::pair<uint32_t, uint32_t>> firstHole(const Pattern &, const ir::Structure &);

}  // namespace rtmc::passes
