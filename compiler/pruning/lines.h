// Owns: csb, where every block loses lines (rows or columns of it) one by one under one budget for the matrix.
// A heuristic: see docs/projections.md, "Line removal".
#pragma once

#include "pruning/projection.h"
#include "pruning/scores.h"

#include <cstdint>
#include <span>
#include <vector>

namespace rtmc::pruning {

/// The order in which the lines of all blocks go.
class LineRemoval {
 public:
  LineRemoval(const Part &matrix, const Projection &);

  struct Step {
    double key;  // norm^2 per weight, never falling; -infinity: a block is above its bound
    uint32_t block, step;
    uint32_t freed;  // weights that go
  };
  const std::vector<Step> &steps() const { return steps_; }
  /// How many steps leave at most `kept` weights.
  size_t stepsFor(uint64_t kept) const;
  /// What stays once the first `gone` steps are done.
  void mask(size_t gone, std::span<uint8_t> mask) const;

 private:
  void removeLines(const Part &block, uint32_t number);
  void bound(const Part &block, const Projection &, size_t first);

  Part matrix_;
  Block block_;
  std::vector<Step> steps_;
  std::vector<uint32_t> goneAt_;  // per block its rows, then its columns: the step that takes each
  std::vector<size_t> first_;     // per block, in goneAt_
};

}  // namespace rtmc::pruning
