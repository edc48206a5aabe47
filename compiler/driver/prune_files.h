// Owns: a pruned model on its way to files: tensors read, projected and written one after the other, with what is told
// about them. Refuses to own: what is projected onto what (prune_plan.h).
#pragma once

#include "driver/prune_plan.h"
#include "pruning/budget.h"
#include "support/files.h"

#include <llvm/Support/Error.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace rtmc::driver {

/// Weights, those kept, and their squares.
struct PruneCounts {
  uint64_t weights = 0, kept = 0;
  double squares = 0, keptSquares = 0;

  PruneCounts &operator+=(const PruneCounts &);
  double rate() const;       // 0: nothing is kept
  double normShare() const;  // of the Frobenius norm; 1 where there is none
};

struct PrunedMatrix {
  frontend::MatrixInfo info;
  pruning::Projection projection;
  PruneCounts counts;
  bool promised = false;  // its structure stands in the new model.yaml
};

class PruneFiles {
 public:
  PruneFiles(frontend::ModelStream &model, const PrunePlan &plan, Diagnostics &diagnostics)
      : model_(model), plan_(plan), diagnostics_(diagnostics) {}

  /// Reads all matrices that share a budget. Before writing, where there is one.
  void gatherBudget();
  /// The weight file: all tensors of the model, masks beside what is pruned. A mistake in the weights is in the
  /// diagnostics, and an error here.
  llvm::Error writeWeights(FileWriter &);
  /// model.yaml, once the weights are written.
  std::string modelText(const std::string &weightsFile) const;

  const std::vector<PrunedMatrix> &pruned() const { return pruned_; }
  /// All matrices of the model.
  const PruneCounts &network() const { return network_; }

 private:
  const PlannedMatrix *plannedFor(const std::string &name) const;
  std::vector<uint8_t> prune(const PlannedMatrix &, ir::Tensor &);
  void promise(const PlannedMatrix &, const ir::Tensor &);

  frontend::ModelStream &model_;
  const PrunePlan &plan_;
  Diagnostics &diagnostics_;
  pruning::Budget budget_;
  size_t budgetMatrix_ = 0;  // the next one
  std::map<std::string, ir::Structure> promises_;
  std::vector<PrunedMatrix> pruned_;
  PruneCounts network_;
};

}  // namespace rtmc::driver
