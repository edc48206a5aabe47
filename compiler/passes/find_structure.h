// Owns: find-structure and the check of promised structures: which scheme of the contract each gate matrix follows.
// Refuses to own: how a scheme is measured on a pattern (find_structure_pattern.h) and what is made of it
// (choose_schedule.h).
#pragma once

#include "passes/pass.h"

#include <string_view>

namespace rtmc::passes {

/// **Does** annotate every gate matrix with the scheme that describes its pattern in the fewest indices, among those
/// that its nonzeros fill to at least 98 %; a promise that holds is taken first. Rows that fold-constants made constant
/// are not counted, and blocks lie where the user's rows and columns were, so that dropped units hide no structure.
/// **Requires** apply-masks. **Establishes** Recurrence::structureIh/Hh/Hr and Linear::structure, never Auto.
/// **Why here**: after folding, which empties rows; before lowering cuts and reorders matrices.
///
///     weight_hh: [768, 256] (two of four 64-column blocks of each stripe kept)
///     ->  structure_hh: [{scheme: block, rows: 64, columns: 64, fill: 1}, ... per gate]
struct FindStructure {
  static constexpr std::string_view kName = "find-structure";
  static constexpr std::string_view kSummary = "name the sparsity scheme of each gate matrix";
  bool run(Module &, Context &);
};

/// An error [sparsity-promise] for each tensor that breaks its promise, with the measured fill and the first hole.
/// False when there was one. The network must not have been folded.
bool checkPromises(const ir::Network &, Diagnostics &);

}  // namespace rtmc::passes
