// Owns: which tensors a layer has: their names in the contract, their shapes and how they stack gates.
#pragma once

#include "ir/network.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rtmc::frontend {

/// One tensor of one direction of a layer.
struct Role {
  std::string name;       // "weight_hh", "weight_hh_reverse"
  std::string_view base;  // "weight_hh"
  std::vector<uint32_t> shape;
  uint32_t pieces = 1;       // what a list of names stacks: gates; 3 for a peephole
  bool gateOrdered = false;  // the pieces are gates in the layer's gate order
  bool optional = false;     // a bias
  bool matrix = false;
  bool reverse = false;
  ir::Tensor *target = nullptr;  // where it goes in the layer
};

/// All tensors of a layer, forward direction first. The layer's directions are made where they are missing.
/// `inputSize`: columns of weight_ih.
std::vector<Role> rolesOf(ir::Layer &layer, uint32_t inputSize);

}  // namespace rtmc::frontend
