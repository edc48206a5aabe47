// Owns: how far each matrix is unrolled, within a budget of generated text.
// Refuses to own: the unrolled text (backend/kernels.h).
#pragma once

#include "ir/kernel.h"
#include "support/diagnostics.h"

#include <cstdint>
#include <set>
#include <utility>

namespace rtmc::backend {

/// (shape, entries) of runs.
using EntryCounts = std::set<std::pair<uint32_t, uint32_t>>;

class UnrollBudget {
 public:
  /// `textBytes`: what `full` may add to the text; `programBytes`: weights of the program, for `auto`.
  UnrollBudget(uint64_t textBytes, uint64_t programBytes);

  /// None, Tile or Full. A `full` that is over the budget becomes Tile, with a note [unroll-refused].
  ir::Unroll resolve(const ir::Weights &, Diagnostics &diagnostics);

  /// Full, after resolve(): false where the text has grown so long that its runs must stay functions of their own.
  /// Compilers need time in the square of a block's length: clang++ minutes for what takes seconds run by run.
  bool mayInline() const { return textBytes_ - full_ <= kInlineBytes; }

  /// Tile: the entry counts that get an unrolled kernel, those that do most of the work. Other runs are looped.
  EntryCounts tileCounts(const ir::Packed &);

 private:
  static constexpr uint64_t kInlineBytes = 16 << 10;
  uint64_t textBytes_, full_, tile_, programBytes_;
};

}  // namespace rtmc::backend
