// Owns: apply-masks, the first pass: a network without masks, one bias where two only add, promises checked.
// Refuses to own: what the structures are (find_structure.h) and dead rows (fold_constants.h).
#pragma once

#include "passes/pass.h"

#include <string_view>

namespace rtmc::passes {

/// **Does** zeroes every value under a zero mask and drops the masks; adds bias_hh to bias_ih (in double, rounded once)
/// and drops it, except the n part of a GRU with `reset: after`, which the reset gate multiplies; checks `sparsity:`
/// promises against what is left.
/// **Requires** a verified network. **Establishes** mask = nonzero pattern, no -0; bias_hh only where it is not a plain
/// addend. **Why here**: every later pass reads patterns, and promises are meant for what the user wrote, before units
/// go.
///
///     weight_hh: [1, 2, 3, 4]  mask: [1, 0, 1, 1]          weight_hh: [1, 0, 3, 4]
///     bias_ih: [1, 1, 1]  bias_hh: [2, 2, 2]       ->      bias_ih: [3, 3, 1]  bias_hh: [0, 0, 2]   (reset: after)
struct ApplyMasks {
  static constexpr std::string_view kName = "apply-masks";
  static constexpr std::string_view kSummary = "zero what masks prune, merge biases, check promised structures";
  bool run(Module &, Context &);
};

/// The masks' part alone, for passes that are run on a text where masks still stand.
void dropMasks(ir::Network &);

}  // namespace rtmc::passes
