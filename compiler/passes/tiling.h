// Owns: how the rows of a group are cut into tiles, and what a tile costs. Used by choose-schedule (to compare), by
// share-loads (to count), by partition (to balance) and by pack (to lay out), so that all four agree.
#pragma once

#include "ir/kernel.h"
#include "passes/machine.h"
#include "passes/pass.h"

#include <vector>

namespace rtmc::passes {

/// One or more tiles over rows of a group. Consecutive rows for shapes that are not indexed (then `tiles` of them lie
/// behind each other); any rows, at most one tile's worth, for indexed ones.
struct RowTiles {
  ir::TileShape shape;
  uint32_t tiles = 1;
  std::vector<uint32_t> rows;  // tiles * shape.rows() of them, fewer where indexed or partial
};

/// The shapes of consecutive rows that a schedule may use, largest first: tiles of one and two vectors more than the
/// full one, which hold the last rows of a group; the full tile, halves of it down to one vector, then narrower vectors
/// for tails (rows lanes only).
std::vector<ir::TileShape> shapesOf(const ir::Schedule &, const TargetTraits &);

/// A partial tile whose last vector needs half of its lanes at most: they are read and summed as half a vector. That
/// saves half of an operation where a vector is two of them (512 bits on Zen 4), and loads that cross a cache line.
bool halfLastVector(const ir::TileShape &, uint32_t rows);

/// Cuts ascending rows. Consecutive rows become full tiles and the cheapest cut of the rest, the last tile perhaps
/// partial; short runs are gathered from the whole group into indexed tiles, so that scattered rows still fill vectors.
std::vector<RowTiles> cutRows(const std::vector<uint32_t> &rows, const std::vector<ir::TileShape> &shapes);

/// Predicts times on one core from the machine description. `footprint`: bytes of weights that a step reads.
class CostModel {
 public:
  CostModel(const Machine &machine, const TargetTraits &target, Precision precision, ir::Accumulate accumulate,
            uint64_t footprint);
  /// ns of `tiles` tiles of one shape, together `rows` rows, over `entries` columns (or entries per lane).
  double tileNs(const ir::TileShape &, uint32_t tiles, uint32_t entries, uint32_t rows) const;
  /// As if the group's rows were consecutive, which reorder-rows brings about where it can.
  double groupNs(const ir::RowGroup &, const std::vector<ir::TileShape> &) const;
  double gateNs() const { return machine_.gateNs; }
  double scatterNs() const { return machine_.scatterNs; }

 private:
  const Machine &machine_;
  uint32_t bytes_;
  double gbps_;
  double vectorOpsPerNs_;  // multiply-adds of whole vectors
  uint32_t fullLanes_ = 1;
};

/// bf16 words hold two entries.
uint32_t paddedEntries(Precision, uint32_t entries);
/// The narrowest width for positions below `size`.
ir::IndexWidth indexWidthFor(uint32_t size);

/// Elements of x that the tiles read: each column of an entry once per tile; one per lane and entry where lanes gather.
uint64_t loadsOf(const ir::TileShape &, uint32_t tiles, uint32_t entries);

/// Bytes of weights that a step of the program reads, estimated from nonzeros.
uint64_t estimatedFootprint(const ir::Program &);

}  // namespace rtmc::passes
