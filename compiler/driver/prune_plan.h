// Owns: which matrices of a model `rtmc prune` projects onto what: options and patterns resolved, and checked against
// the matrices. Refuses to own: the projections (pruning/), reading and writing (prune_files.h).
#pragma once

#include "driver/options.h"
#include "frontend/frontend.h"
#include "pruning/projection.h"
#include "support/diagnostics.h"

#include <optional>
#include <vector>

namespace rtmc::driver {

struct PlannedMatrix {
  frontend::MatrixInfo info;
  std::optional<pruning::Projection> projection;  // none: stays as it is
};

struct PrunePlan {
  std::vector<PlannedMatrix> matrices;  // of the whole model, in the order of ModelStream::matrices
  std::optional<pruning::Rate> budget;  // one for all that is pruned, instead of a rate each
};

/// Mistakes become errors in `diagnostics`.
PrunePlan planPruning(const PruneOptions &, const frontend::ModelStream &, Diagnostics &);

}  // namespace rtmc::driver
