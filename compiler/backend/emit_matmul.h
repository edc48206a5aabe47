// Owns: the text of matrix-vector products: which kernels a program needs, one function per matrix that calls them run
// by run, and run tables where the runs are many. Refuses to own: the kernels' own text (backend/kernels.h) and where
// tables lie (backend/layout.h).
#pragma once

#include "backend/backend.h"
#include "backend/emit_runs.h"
#include "backend/layout.h"
#include "backend/target.h"
#include "backend/text.h"
#include "backend/unroll_budget.h"
#include "ir/kernel.h"
#include "support/diagnostics.h"

#include <map>
#include <string>
#include <vector>

namespace rtmc::backend {

class MatMulEmitter {
 public:
  /// Decides how each matrix is unrolled (a refused `full` is a note in `diagnostics`) and adds run tables to the
  /// layout's blob.
  MatMulEmitter(const ir::Program &program, Layout &layout, const Target &target, const EmitOptions &options,
                Diagnostics &diagnostics);

  /// Definitions of the kernels and of one function per matrix.
  const std::string &kernels() const { return kernels_; }
  const std::string &functions() const { return functions_; }
  bool usesRunTable() const { return usesRunTable_; }

  /// The statement y += W x, in a section per chunk of all its steps; nothing for a matrix without weights.
  void call(Text &out, const ir::MatMul &) const;

 private:
  void emitMatrix(ir::Id weights, UnrollBudget &budget, Diagnostics &diagnostics);
  MatMulPlan planOf(ir::Id weights, UnrollBudget &, ir::Unroll, bool forChunk);
  void emitFunction(MatMulPlan &, const std::string &alone);
  uint32_t addKernel(MatMulPlan &, MatMulPlan::Kernel) const;
  void emitKernel(const MatMulPlan &, const MatMulPlan::Kernel &);
  void emitKernels(MatMulPlan &);
  void addFull(MatMulPlan &, const ir::TileRun &, uint32_t share, size_t number, bool mayInline);
  void addLooped(MatMulPlan &, const ir::TileRun &, uint32_t share);
  void joinRuns(MatMulPlan &);

  const ir::Program &program_;
  Layout &layout_;
  const Target &target_;
  std::map<std::string, bool> known_;  // kernels that stand in kernels_
  std::vector<std::string> names_;     // function of each matrix; empty: it has no weights
  std::string kernels_, functions_;
  RunTables runTables_;
  bool usesRunTable_ = false;
};

/// "gru0.weight_hh.z: 1024 x 1024, bsp 256x256, ..." without the comment marks.
std::string describeWeights(const ir::Weights &);

}  // namespace rtmc::backend
