// Owns: what the kernel templates are filled with: steps, accumulators, offsets and sums of one kernel.
// Refuses to own: names and interfaces (kernels.h), the text itself (codegen_templates/cpp/kernel_*.in).
#pragma once

#include "backend/kernels.h"
#include "backend/templates.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace rtmc::backend {

/// Everything that one kernel depends on.
struct KernelPlan {
  std::string name;
  ir::TileShape shape;
  Precision precision = Precision::F32;
  ir::Accumulate accumulate = ir::Accumulate::F32;
  ir::IndexWidth columnWidth = ir::IndexWidth::U16;
  ir::IndexWidth rowWidth = ir::IndexWidth::U16;
  uint32_t registers = 32;
  std::optional<uint32_t> entries;                   // known: straight-line code
  std::optional<std::span<const uint32_t>> columns;  // known: immediate numbers
  std::optional<uint32_t> tiles, rows;               // known: with the columns
  bool mayInline = true;
  bool halfLast = false;  // the last vector has half of the lanes
  uint32_t joined = 0;    // runs at once; 0: one
  uint32_t steps = 1;     // rows of x at once
  bool sumBySum = false;  // of those: one sum of a row after the other
  // Of several rows: the kernel for one that is left, and of sumBySum the one for more that are left.
  std::string single, several;
};

/// Sums that a row is spread over, so that multiply-adds do not wait for each other: entry k is added to sum k mod
/// chains. The same for every shape of a target, so that a row's bits do not depend on the tile that it is in.
uint32_t chainsOf(const KernelPlan &);

/// Whether kernelText() has code for a shape: 1, 4, 8 or 16 lanes, a width that is a power of two up to the lanes, 1 to
/// 16 vectors; sums in half precision for f16 weights in rows of at least 4 lanes.
bool hasKernel(const ir::TileShape &, Precision, ir::Accumulate);

std::string kernelText(const KernelPlan &);

}  // namespace rtmc::backend
