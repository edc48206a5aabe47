// Owns: the meaning of a program: plain loops, double accumulation, from the packed bytes where there are any.
#pragma once

#include "ir/kernel.h"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace rtmc::ir {

/// Runs a program step by step, in the order of its operations. Buffers hold doubles (F16 buffers: what half precision
/// leaves of them); packed weights hold what was stored. The program must pass verify() and outlive this.
class KernelInterpreter {
 public:
  explicit KernelInterpreter(const Program &);
  /// Zero states, scratch as initialised.
  void reset();
  /// [steps, in] -> [steps, out], continuing from the present state (not causal: from zero). Several In or Out buffers
  /// follow each other in the program's order.
  std::vector<double> run(std::span<const float> in, size_t steps);
  /// Elements of `in` and `out` per step.
  size_t inputSize() const { return inputSize_; }
  size_t outputSize() const { return outputSize_; }
  /// What a buffer holds now, in its own order; of a buffer for all steps, every row.
  const std::vector<double> &buffer(Id id) const { return buffers_[id]; }
  /// Loads of elements of x by MatMuls, counted while running: one per tile and entry element where the weights are
  /// packed (where lanes gather, one per lane and entry), else one per row group and column (gather: per nonzero), else
  /// one per nonzero. Per weights name, summed over all steps.
  const std::map<std::string, uint64_t> &loads() const { return loads_; }

 private:
  /// Steps [begin, end): a chunk, or the whole sequence.
  void runSection(const Section &, size_t begin, size_t end);
  void runPhase(const Phase &);
  void execute(const Operation &);
  void apply(const MatMul &);
  void apply(const Elementwise &);
  void apply(const Softmax &);
  void element(const Elementwise &, uint32_t i);
  /// The present step's row of a buffer.
  double *row(Id);

  const Program &program_;
  std::vector<std::vector<double>> buffers_;
  std::vector<CsrMatrix> matrices_;
  std::vector<uint64_t> loadsPerRun_;  // per weights
  std::map<std::string, uint64_t> loads_;
  size_t inputSize_ = 0, outputSize_ = 0;
  size_t step_ = 0;
  bool onceDone_ = false;
  std::vector<double> values_;  // of one element's instructions
};

}  // namespace rtmc::ir
