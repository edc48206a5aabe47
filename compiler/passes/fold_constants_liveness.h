// Owns: which units an output of the network needs.
// Refuses to own: changing the network (fold_constants.cpp).
#pragma once

#include "ir/network.h"

#include <cstdint>
#include <vector>

namespace rtmc::passes {

/// Flags are 1 where needed, one vector per direction (a linear layer has one).
struct LayerLiveness {
  std::vector<std::vector<uint8_t>> unit;
  std::vector<std::vector<uint8_t>> reset;  // GRU: the reset gate's result of the unit meets a weight
  bool unread = false;                      // nobody reads any of it: one unit stays as a placeholder
};

/// One entry per layer. The masks must have been applied.
std::vector<LayerLiveness> findLiveness(const ir::Network &);

}  // namespace rtmc::passes
