// pack
//
// **Does**: lays the weights out in the order in which they are read: share by share, widest tiles first (so that all
//   vectors stay aligned), values tile by tile; column lists once per group, as narrow as the matrix allows.
// **Requires**: partition.
// **Establishes**: the bytes that ship (`packed`); the matrices' own values and groups are released. Counts loads
// again,
//   for the shares as cut.
// **Why here**: last; nothing may move afterwards.
//
//   group {rows 0-63, columns 3 17 40}  ==>  run {shape: 64 rows, tiles: 1, entries: 3, column: 0, value: 0}
#pragma once

#include "passes/pass.h"

namespace rtmc::passes {

struct Pack {
  static constexpr std::string_view kName = "pack";
  bool run(Module &, Context &);
};

/// The 32-bit word that holds two bf16 weights, the upper half chosen so that the whole word, read as a float, is
/// nearest to `odd`: widening the upper half then costs no mask.
uint32_t packBfloatPair(float even, float odd);

}  // namespace rtmc::passes
