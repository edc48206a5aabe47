// Owns: random networks for property tests: every op, direction, wiring and sparsity scheme, from a seed.
#pragma once

#include "ir/network.h"

#include <cstdint>
#include <random>

namespace rtmc::testing {

struct RandomNetworkOptions {
  uint32_t maxSize = 40;  // of layers and inputs
  uint32_t maxLayers = 4;
  bool causalOnly = false;
};

/// A verified network; equal seeds give equal networks.
ir::Network randomNetwork(uint64_t seed, const RandomNetworkOptions & = {});

/// Zeroes a matrix [rows, columns] into a random structure: dense, BSP, CSB, blocks, rows, columns, unstructured,
/// empty.
void sparsify(std::vector<float> &values, uint32_t rows, uint32_t columns, std::mt19937_64 &random);

}  // namespace rtmc::testing
