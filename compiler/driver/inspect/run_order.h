// Owns: in which order packed tiles compute rows, and which tiles are pieces of one stripe.
// Refuses to own: how that is drawn (pattern_plot.h).
#pragma once

#include "ir/kernel.h"
#include "ir/kernel_walk.h"

#include <cstdint>
#include <vector>

namespace rtmc::driver {

/// Rows of a packed matrix by the time at which they are first computed, share after share.
struct RunOrder {
  std::vector<uint32_t> position;    // per row of the space; ir::kNone: never
  std::vector<uint32_t> shareBegin;  // shares + 1 positions
  uint32_t rows = 0;                 // that are computed
};
RunOrder runOrder(const ir::Weights &);

/// Neighbouring positions of a stripe: rows that read the same columns, between the first and the last of them.
struct StripePiece {
  uint32_t firstRow = 0, endRow = 0;  // positions
  uint32_t firstColumn = 0, endColumn = 0;
};
struct Stripes {
  std::vector<StripePiece> pieces;
  uint64_t count = 0;  // tiles of one column list that follow each other in one share; gathered runs: each is one
};
Stripes stripesOf(const ir::Weights &, const RunOrder &);

/// fn(row, column) for every stored value of a run: explicit zeros included, but not what pads a list of columns.
template <typename Fn>
void forEachPosition(const ir::Weights &weights, const ir::TileRun &run, Fn &&fn) {
  const ir::Packed &packed = *weights.packed;
  const bool gather = packed.shapes[run.shape].gather;
  const auto seen = [&](uint32_t row, uint64_t column, float value) {
    // What pads a gathered row names a column that has nothing to do with it.
    if (column < weights.columns && !(gather && value == 0)) fn(row, static_cast<uint32_t>(column));
  };
  if (packed.precision == Precision::F32) ir::forEachStoredAs<Precision::F32>(packed, run, seen);
  if (packed.precision == Precision::F16) ir::forEachStoredAs<Precision::F16>(packed, run, seen);
  if (packed.precision == Precision::BF16) ir::forEachStoredAs<Precision::BF16>(packed, run, seen);
}

}  // namespace rtmc::driver
