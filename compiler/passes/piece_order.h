// Owns: the order in which a share's pieces of row groups are read and added up.
// Refuses to own: how groups are cut into pieces (tiling.h) and where their values lie (pack.cpp).
#pragma once

#include "ir/kernel.h"
#include "passes/tiling.h"

#include <vector>

namespace rtmc::passes {

/// A piece of a group inside one share, before it has a place.
struct Piece {
  const ir::RowGroup *group;
  RowTiles tiles;
};

/// Widest first keeps every vector aligned to its own size; equal shapes follow each other, for one loop each and so
/// that a branch by kernel is foreseen; equal
/// numbers of entries too, so that the branch at a tile's end is foreseen. A row that lies in several groups (CSB) adds
/// their sums up in one order however the rows are cut, so that the bits do not depend on the number of shares.
/// `pieces` are those of one share, in the order of the groups of `weights`.
void orderPieces(const ir::Weights &weights, std::vector<Piece> &pieces);

}  // namespace rtmc::passes
