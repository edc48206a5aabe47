#include "driver/test_inputs.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

namespace rtmc::driver {
namespace {

/// fill(step, column) for every value, then cut to the promised range of its input.
Sequence make(const ir::Network &network, uint32_t steps, const std::function<double(uint32_t, uint32_t)> &fill) {
  Sequence sequence;
  sequence.steps = steps;
  sequence.width = network.inputSize();
  sequence.values.reserve(size_t{steps} * sequence.width);
  for (uint32_t step = 0; step < steps; ++step) {
    uint32_t column = 0;
    for (const ir::Input &input : network.inputs) {
      for (uint32_t i = 0; i < input.size; ++i, ++column) {
        float value = static_cast<float>(fill(step, column));
        if (input.range) value = std::clamp(value, input.range->low, input.range->high);
        sequence.values.push_back(value);
      }
    }
  }
  return sequence;
}

std::vector<float> randomState(size_t count, Random &random) {
  std::vector<float> state(count);
  for (float &value : state) value = static_cast<float>(2 * random.uniform() - 1);
  return state;
}

}  // namespace

double Random::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

Sequence randomSequence(const ir::Network &network, uint32_t steps, uint64_t seed) {
  Random random(seed);
  return make(network, steps, [&](uint32_t, uint32_t) { return random.normal(); });
}

std::vector<TestInput> testInputs(const ir::Network &network, uint32_t steps, uint64_t seed, size_t stateFloats) {
  Random random(seed ^ 0x9e3779b97f4a7c15ull);
  const uint32_t width = std::max(1u, network.inputSize());
  std::vector<TestInput> inputs;
  inputs.push_back({"random", randomSequence(network, steps, seed), {}});
  inputs.push_back(
      {"random, from a random state", randomSequence(network, steps, seed + 1), randomState(stateFloats, random)});
  // A column alone shows a wrong index; its size grows so that saturated gates are seen as well.
  inputs.push_back({"one-hot",
                    make(network, steps,
                         [&](uint32_t step, uint32_t column) {
                           const uint32_t hot = static_cast<uint32_t>((uint64_t{step} * 7919 + seed) % width);
                           return column == hot ? std::ldexp(step % 2 ? -1.0 : 1.0, static_cast<int>(step % 6) - 1)
                                                : 0.0;
                         }),
                    randomState(stateFloats, random)});
  inputs.push_back({"zero", make(network, std::min(steps, 4u), [](uint32_t, uint32_t) { return 0.0; }), {}});
  inputs.push_back(
      {"large", make(network, std::min(steps, 4u), [&](uint32_t, uint32_t) { return 100 * random.normal(); }), {}});
  return inputs;
}

}  // namespace rtmc::driver
