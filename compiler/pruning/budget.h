// Owns: one budget of kept weights for several matrices: the weakest group per weight goes first, wherever it is, and
// each matrix keeps one group (docs/projections.md). Matrices are shown twice, so that they need not be in memory
// together.
#pragma once

#include "pruning/project.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace rtmc::pruning {

class Budget {
 public:
  Budget();
  ~Budget();
  Budget(const Budget &) = delete;
  Budget &operator=(const Budget &) = delete;

  /// First: every matrix, in order. The projection must have a budget (hasBudget) and be right for the matrix.
  void add(const Matrix &, const Projection &);
  /// Then: the kept weights of all matrices together are at most all weights / rate.
  void settle(Rate);
  /// Then: the mask of matrix `number`, which must be the same as before.
  void project(size_t number, const Matrix &, const Projection &, std::span<uint8_t> mask) const;

 private:
  struct Groups;
  std::vector<std::unique_ptr<Groups>> matrices_;
  std::vector<size_t> gone_;  // groups of each matrix
};

}  // namespace rtmc::pruning
