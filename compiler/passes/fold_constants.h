// Owns: fold-constants: which gate rows are constants, and which units nobody needs.
// Refuses to own: evaluating what became constant (lower-cells writes constants as such).
#pragma once

#include "passes/pass.h"

#include <string_view>

namespace rtmc::passes {

/// **Does** keep only the units that an output needs: a unit is needed if a needed row, of a later layer or of another
/// unit of its own, has a weight for it. Rows of a GRU's reset gate whose result meets no weight are emptied. Then it
/// marks the gate rows that have no weight in either matrix; where the reset gate of a GRU with `reset: after` is
/// constant and multiplies a constant, the product goes into bias_ih. A layer keeps at least one unit; the two
/// directions of a layer keep equally many; the rows of a softmax and of a projection all stay, because one depends on
/// all, and because the user saves the other.
/// **Requires** apply-masks. **Establishes** constantRows, keptUnits, FoldReport; no dead columns but in network
/// inputs, projections and softmax. **Why here**: on the network, where a unit is one row per gate and one column per
/// reader; before structures are named, because rows that are gone do not count. Does nothing with Options::fold ==
/// false.
///
///     rnn0 (size 4) weight_hh row 2 and the readers' column 2 are zero      rnn0 (size 3, user_size 4)
///     rnn1 reads rnn0; its rows 0, 1 have no weights                   ->   kept_units: [[0, 1, 3]]
///                                                                           rnn1: constant_rows: [[1, 1, 0]]
struct FoldConstants {
  static constexpr std::string_view kName = "fold-constants";
  static constexpr std::string_view kSummary = "mark constant gates, drop units that nobody reads";
  bool run(Module &, Context &);
};

}  // namespace rtmc::passes
