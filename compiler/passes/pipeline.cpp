// The pipeline, in order, with a line on why each pass stands where it does.
#include "passes/apply_masks.h"
#include "passes/choose_schedule.h"
#include "passes/find_structure.h"
#include "passes/fold_constants.h"
#include "passes/input_chunk.h"
#include "passes/lower_cells.h"
#include "passes/pack.h"
#include "passes/partition.h"
#include "passes/pass.h"
#include "passes/reorder_rows.h"
#include "passes/requirements.h"
#include "passes/share_loads.h"

#include "ir/kernel_yaml.h"
#include "support/check.h"
#include "support/files.h"

#include <fmt/format.h>

#include <algorithm>

namespace rtmc::passes {

namespace {

template <typename T>
Pass pass(std::string summary) {
  return {std::string(T::kName), std::move(summary),
          [](Module &module, Context &context) { return T{}.run(module, context); }};
}

std::vector<std::string> &passesOf(Module &module) {
  return module.program ? module.program->passes : module.network->passes;
}

void verifyModule(const Module &module) {
  const std::vector<std::string> complaints =
      module.program ? ir::verify(*module.program) : ir::verify(*module.network);
  RTMC_CHECK(complaints.empty(), complaints.front());
}

/// One numbered YAML per pass, its constants beside it.
bool dump(const Module &module, const std::string &directory, const std::string &pass, Diagnostics &diagnostics) {
  const size_t number = (module.program ? module.program->passes : module.network->passes).size();
  const std::string stem = fmt::format("{:02}-{}", number, pass);
  const ir::Printed printed = module.program ? ir::print(*module.program, stem + ".safetensors")
                                             : ir::print(*module.network, stem + ".safetensors");
  std::vector<OutputFile> files{{directory + "/" + stem + ".yaml", printed.yaml}};
  if (!printed.constants.empty()) files.push_back({directory + "/" + stem + ".safetensors", printed.constants});
  crashContext().dump = files.front().path;
  if (llvm::Error failed = writeFilesAtomically(files)) {
    diagnostics.error("dump-failed", {}, llvm::toString(std::move(failed)));
    return false;
  }
  return true;
}

/// Whether partition found that one thread is faster, and lowering for one would have chosen other chunks.
bool loweredForMore(const Module &module, const Context &context) {
  if (context.options.threads <= 1 || module.program->shares > 1) return false;
  Context one = context;
  one.options.threads = 1;
  return inputChunk(*module.network, one) != module.program->chunk;
}

}  // namespace

const std::vector<Pass> &pipeline() {
  static const std::vector<Pass> passes = {
      // First: everything after it may take zeros for the mask.
      pass<ApplyMasks>(std::string(ApplyMasks::kSummary)),
      // Before structures are looked for: dead rows and units would hide them.
      pass<FoldConstants>(std::string(FoldConstants::kSummary)),
      // On matrices as they will be computed.
      pass<FindStructure>(std::string(FindStructure::kSummary)),
      // The last pass that knows cells.
      pass<LowerCells>("layers become phases between barriers"),
      // Before anything depends on lanes.
      pass<ChooseSchedule>("format, lanes and tiles for each matrix"),
      // Groups depend on the schedule; sharing and cutting depend on the groups.
      pass<ReorderRows>("rows of one pattern together; hidden units permuted once"),
      pass<ShareLoads>("tiles that read each input element once"),
      // Weighs tiles; the layout follows the shares.
      pass<Partition>("shares of equal predicted cost, by rows"),
      // Nothing moves afterwards.
      pass<Pack>("weights and indices in the order in which they are read"),
  };
  return passes;
}

bool runPasses(Module &module, Context &context, const RunOptions &options) {
  RTMC_CHECK(context.diagnostics, "passes need diagnostics");
  for (const std::string &name : options.only) {
    const bool known = std::any_of(pipeline().begin(), pipeline().end(), [&](const Pass &p) { return p.name == name; });
    RTMC_CHECK(known, "an unknown pass reached runPasses: " + name);
  }
  std::vector<const Pass *> todo;
  if (options.only.empty()) {
    // From behind the last that has run: one that was left out before it cannot be made up for.
    const std::vector<std::string> &done = passesOf(module);
    for (const Pass &p : pipeline()) {
      todo.push_back(&p);
      if (std::find(done.begin(), done.end(), p.name) != done.end()) todo.clear();
    }
  } else {
    for (const std::string &name : options.only)
      for (const Pass &p : pipeline())
        if (p.name == name) todo.push_back(&p);
  }
  const auto lowering =
      std::find_if(todo.begin(), todo.end(), [](const Pass *p) { return p->name == LowerCells::kName; });
  Context current = context;  // for fewer threads where partition finds that one is faster
  for (auto next = todo.begin(); next != todo.end();) {
    const Pass *p = *next++;
    crashContext().pass = p->name;
    if (const std::string missing = whatIsMissing(p->name, module); !missing.empty()) {
      context.diagnostics->error("ir-file", {}, fmt::format("pass '{}' cannot run: {}", p->name, missing));
      return false;
    }
    if (!p->run(module, current)) return false;
    std::vector<std::string> &done = passesOf(module);
    if (std::find(done.begin(), done.end(), p->name) == done.end()) done.push_back(p->name);
    verifyModule(module);
    if (!options.dumpDir.empty() && !dump(module, options.dumpDir, p->name, *context.diagnostics)) return false;
    if (p->name == Partition::kName && options.only.empty() && lowering != todo.end() &&
        loweredForMore(module, current)) {
      current.options.threads = 1;
      next = lowering;
    } else if (p->name == options.stopAfter) {
      break;
    }
  }
  crashContext().pass.clear();
  return true;
}

}  // namespace rtmc::passes
