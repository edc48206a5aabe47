// share-loads
//
// **Does**: load-redundancy elimination (RTMobile, DAC 2020, section IV-B): rows of a group are computed in tiles, and
// a
//   tile reads each element of x once for all its rows. Chooses the tile shapes and counts loads before and after.
// **Requires**: reorder-rows (groups).
// **Establishes**: the shapes that pack may use; `loads` of the program, for one share (pack counts again after the
// cut).
// **Why here**: shapes need groups; partition weighs tiles, not rows.
//
//   group {rows 0-63, 104 columns}: 6656 loads of x  ==>  one tile of 64 rows: 104 loads
#pragma once

#include "passes/pass.h"

namespace rtmc::passes {

struct ShareLoads {
  static constexpr std::string_view kName = "share-loads";
  bool run(Module &, Context &);
};

}  // namespace rtmc::passes
