// Owns: the projection of one gate's matrix onto a structure. docs/projections.md is the definition; masks are bit for
// bit those of python/rtmc/pruning/projections.py.
#pragma once

#include "pruning/projection.h"

#include <cstdint>
#include <span>

namespace rtmc::pruning {

/// One gate's weights, [rows, columns] row-major, finite; pruned ones are zero.
struct Matrix {
  std::span<const float> values;
  uint32_t rows = 0, columns = 0;
};

/// Fills `mask` (one byte per weight, 1: kept). The projection must be right for the matrix (complaint()).
void project(const Matrix &, const Projection &, std::span<uint8_t> mask);

/// BSP's first step: the strongest columns of each block; and its second under the mask of the first: the strongest
/// rows.
void projectStep1(const Matrix &, const Projection &, std::span<uint8_t> mask);
void projectStep2(const Matrix &, const Projection &, std::span<uint8_t> mask);

}  // namespace rtmc::pruning
