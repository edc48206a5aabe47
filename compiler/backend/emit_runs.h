// Owns: the text that calls kernels run by run, one call each or in a loop over a table of runs.
// Refuses to own: which kernels and runs there are (backend/emit_matmul.h).
#pragma once

#include "backend/kernels.h"
#include "backend/layout.h"
#include "backend/text.h"
#include "backend/unroll_budget.h"
#include "ir/kernel.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace rtmc::backend {

/// One call of a kernel: what differs from run to run.
struct RunCall {
  uint32_t share = 0;
  uint32_t kernel = 0;  // index into MatMulPlan::kernels
  uint64_t value = 0;   // bytes behind the share's values
  uint32_t column = 0, row = 0, rows = 0, entries = 0, tiles = 1;
  uint32_t perEntry = 0;  // values of an entry
  bool operator==(const RunCall &) const = default;
};

/// What one matrix needs: its kernels and, in order, the calls of them.
struct MatMulPlan {
  struct Kernel {
    std::string name = {};
    ir::TileShape shape = {};
    KernelOptions options = {};
    bool takesEntries = true;
    bool full = false;    // a run's own function
    uint32_t joined = 0;  // takes so many runs at once
    bool takesRowCount() const { return shape.indexed || shape.partial; }
  };
  const ir::Weights *weights = nullptr;
  const WeightsHome *home = nullptr;
  std::string function;
  bool forChunk = false;  // multiplies several rows of x, run by run
  bool table = false;     // calls go through a table of runs
  std::vector<Kernel> kernels;
  std::vector<RunCall> calls;
  EntryCounts unrolled;
};

/// Run tables longer than this stand in the blob.
constexpr size_t kInlineRuns = 200;

/// Whether some runs are multiplied together: their descriptors are `Run`s.
bool joinsRuns(const MatMulPlan &);

/// "base + offset", "base" where the offset is 0.
std::string plus(std::string_view base, uint64_t offset);

/// One call per run, with constants; of those that are multiplied together one for all.
void emitRunCalls(Text &out, const MatMulPlan &, uint32_t shares);

/// The tables in the blob: bytes and member. What two functions read stands there once.
using RunTables = std::map<std::string, std::string>;

/// A loop over `Run`s; a long table goes to the layout's blob.
void emitRunTable(Text &out, const MatMulPlan &, uint32_t shares, Layout &layout, RunTables &tables);

}  // namespace rtmc::backend
