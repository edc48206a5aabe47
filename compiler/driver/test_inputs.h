// Owns: the sequences with which verify and bench feed a network: random ones at unit scale, and structured ones.
#pragma once

#include "driver/npy.h"
#include "ir/network.h"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace rtmc::driver {

struct TestInput {
  std::string name;  // "random", "one-hot"
  Sequence sequence;
  std::vector<float> state;  // to start from; empty: zero
};

/// Standard normal and uniform numbers that are the same with every C++ library.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  double uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  double normal();

 private:
  std::mt19937_64 engine_;
};

/// Random, one-hot, zero and large inputs; every value keeps its input's promised range. `stateFloats` 0: no states.
std::vector<TestInput> testInputs(const ir::Network &, uint32_t steps, uint64_t seed, size_t stateFloats);

/// Only the random one.
Sequence randomSequence(const ir::Network &, uint32_t steps, uint64_t seed);

}  // namespace rtmc::driver
