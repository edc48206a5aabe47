// Owns: the gate matrices in the order in which the user wrote them, before any pass: for the pictures of inspect.
// Refuses to own: what the passes made of them (ir::Weights).
#pragma once

#include "ir/kernel.h"
#include "ir/network.h"

#include <cstdint>
#include <string>
#include <vector>

namespace rtmc::driver {

/// One gate of one tensor, cut to one source where layers are concatenated: what lower-cells makes one ir::Weights of.
/// Refers to the network.
struct GateMatrix {
  std::string name;  // as ir::Weights has it
  const ir::Tensor *tensor = nullptr;
  uint32_t firstRow = 0, firstColumn = 0;
  uint32_t rows = 0, columns = 0;
};

/// In the order of layers, directions, tensors, gates and sources; also those that folding leaves nothing of.
std::vector<GateMatrix> gateMatrices(const ir::Network &);

/// Positions of kept weights: columns of row r are columnIndex[rowBegin[r] .. rowBegin[r + 1]).
struct Pattern {
  uint32_t rows = 0, columns = 0;
  std::vector<uint32_t> rowBegin, columnIndex;
  uint64_t kept() const { return columnIndex.size(); }
};

/// A nonzero weight that the mask, where there is one, keeps.
Pattern patternOf(const GateMatrix &);

/// The same from a packed program, for kernel IR that has no network beside it: rows and columns go back through their
/// spaces to the user's units. Weights that folding dropped are missing.
Pattern patternOf(const ir::Program &, const ir::Weights &);

}  // namespace rtmc::driver
