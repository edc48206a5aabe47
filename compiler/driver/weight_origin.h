// Owns: where the elements of a kernel matrix stand in the user's tensors: gates, sources, permuted and dropped units
// undone.
// Refuses to own: the values (shipped_weights.h).
#pragma once

#include "ir/kernel.h"
#include "ir/network.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace rtmc::driver {

/// Where the elements of one kernel matrix stand in the network's tensors.
struct Origin {
  ir::Tensor *tensor = nullptr;
  uint64_t firstRow = 0;                // of the gate
  uint64_t firstColumn = 0;             // of the source
  std::vector<uint32_t> rows, columns;  // user's unit per row and column of the matrix; kNone: padding
};

/// nullopt: the matrix has no place in the network (which is a bug of a pass).
std::optional<Origin> originOf(const ir::Program &program, const ir::Weights &weights, ir::Network &network);

}  // namespace rtmc::driver
