// Owns: the ways to see a sparse matrix as dense kernels: by equal or similar rows (BSPC), by blocks (CSB), by small
// fixed blocks that fill a vector (block lanes), or not at all (gather). Refuses to own which one is taken.
#pragma once

#include "ir/kernel.h"
#include "passes/tiling.h"

#include <vector>

namespace rtmc::passes {

/// Rows of equal column pattern; then groups are merged while the cost model gains and explicit zeros stay below
/// `mergeLimit` of a group's values. Rows without nonzeros are in no group. Groups in order of first row; RTMobile's
/// matrix reorder (DAC 2020, section IV-B) with CSB-RNN's allowance for filling in.
std::vector<ir::RowGroup> groupByPattern(const ir::Weights &, double mergeLimit, const CostModel &,
                                         const std::vector<ir::TileShape> &);

/// The same without reordering: runs of neighbouring rows with equal pattern.
std::vector<ir::RowGroup> groupNeighbours(const ir::Weights &);

/// Which block each row and each column lies in: blocks start at the corner of the matrix that the user wrote, whatever
/// was dropped or moved since.
struct BlockGrid {
  std::vector<uint32_t> ofRow, ofColumn;
};
BlockGrid blockGrid(const ir::Program &, const ir::Weights &, uint32_t blockRows, uint32_t blockColumns);

/// Per block of the grid: its nonempty rows times its nonempty columns; blocks of a stripe with the same rows are one
/// group. A row appears in several groups (CSB-RNN, ICS 2020).
std::vector<ir::RowGroup> groupByBlocks(const ir::Weights &, const BlockGrid &);

/// Row blocks of `rows` rows; columns in steps of `width`: entries are first columns of nonempty rows x width blocks.
/// Neighbouring row blocks with the same entries are one group. Where `width` does not divide the columns, the last
/// block ends with the matrix and overlaps the one before it. columns >= width.
std::vector<ir::RowGroup> groupLanes(const ir::Weights &, uint32_t rows, uint32_t width);

/// The given rows (ascending) by falling number of nonzeros, `lanes` to a group, columns left empty.
std::vector<ir::RowGroup> groupGather(const ir::Weights &, std::vector<uint32_t> rows, uint32_t lanes);

/// What a schedule says.
std::vector<ir::RowGroup> groupRows(const ir::Program &, const ir::Weights &, const CostModel &,
                                    const std::vector<ir::TileShape> &);

/// Every entry's columns follow those of the entry before it, so that no table is needed (bf16: and they pair up).
bool consecutiveColumns(const ir::Weights &, const ir::RowGroup &);

/// How wide pack stores a column.
ir::IndexWidth columnWidthOf(const ir::Weights &);

/// Bytes that pack will write for these groups on one share: values with their padding, column and row tables, runs.
uint64_t packedBytes(const ir::Weights &, const std::vector<ir::RowGroup> &, const std::vector<ir::TileShape> &);

/// What packed bytes must stay below: those of CSR (values as wide as ours, a 4-byte column for each, 4-byte row
/// pointers) less a little for cuts between shares. No limit without the compact format, nor for a matrix whose run
/// descriptors alone may weigh more.
uint64_t byteLimit(const ir::Weights &);

/// Every group has every column: an order of the columns changes nothing but the values.
bool allColumns(const ir::Weights &);

/// Entries of a group's tiles: columns, or for gather groups the longest row.
uint32_t entriesOf(const ir::Weights &, const ir::RowGroup &);

}  // namespace rtmc::passes
