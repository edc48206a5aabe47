// Owns: running one network pass in a test, and comparing two networks by what they compute.
#pragma once

#include "ir/network_interpreter.h"
#include "ir/network_yaml.h"
#include "passes/apply_masks.h"
#include "passes/find_structure.h"
#include "passes/fold_constants.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace rtmc::passes::test {

struct Ran {
  bool ok = false;
  ir::Network network;
  Diagnostics diagnostics;
};

inline Ran runPass(const std::string &name, ir::Network network, Options options = {}) {
  Ran ran;
  Module module;
  module.network = std::move(network);
  Context context;
  context.options = options;
  context.diagnostics = &ran.diagnostics;
  if (name == ApplyMasks::kName) ran.ok = ApplyMasks{}.run(module, context);
  if (name == FoldConstants::kName) ran.ok = FoldConstants{}.run(module, context);
  if (name == FindStructure::kName) ran.ok = FindStructure{}.run(module, context);
  ran.network = std::move(*module.network);
  return ran;
}

inline std::string textOf(const ir::Network &network) {
  const ir::Printed printed = ir::print(network, "constants.safetensors");
  // The bytes stand for long constants: equal texts and equal bytes are equal networks.
  return printed.yaml + printed.constants;
}

inline void checkClose(const std::vector<ir::Bounded> &expected, const std::vector<ir::Bounded> &found) {
  REQUIRE(expected.size() == found.size());
  for (size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    const double a = expected[i].value, b = found[i].value;
    CHECK((a == b || std::abs(a - b) <= 1e-5 * (1 + std::abs(a)) || (std::isnan(a) && std::isnan(b))));
  }
}

/// 1 for each value of the state (contract's order) that belongs to a unit that is still there.
inline std::vector<uint8_t> keptState(const ir::Network &network) {
  std::vector<uint8_t> kept;
  for (const ir::Layer &layer : network.layers) {
    if (std::holds_alternative<ir::Linear>(layer.op)) continue;
    const uint32_t units = layer.userSize ? layer.userSize : layer.size;
    std::vector<uint8_t> there(units, layer.keptUnits.empty());
    if (!layer.keptUnits.empty())
      for (const uint32_t unit : layer.keptUnits[0]) there[unit] = 1;
    const auto *lstm = std::get_if<ir::Lstm>(&layer.op);
    if (lstm && lstm->projection)
      kept.insert(kept.end(), lstm->projection, 1);
    else
      kept.insert(kept.end(), there.begin(), there.end());
    if (lstm) kept.insert(kept.end(), there.begin(), there.end());
  }
  return kept;
}

/// Equal outputs over a sequence, and for causal networks equal next states from a random state, dropped units zero.
inline void checkSameMeaning(const ir::Network &before, const ir::Network &after, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  constexpr size_t kSteps = 4;
  std::vector<float> input(kSteps * before.inputSize());
  for (float &value : input) value = uniform(random);
  checkClose(ir::run(before, input, kSteps, {}), ir::run(after, input, kSteps, {}));
  if (!before.causal()) return;
  ir::NetworkState first, second;
  first.values.resize(ir::stateSize(before));
  for (double &value : first.values) value = uniform(random);
  second = first;
  const std::span<const float> step = std::span(input).first(before.inputSize());
  checkClose(ir::step(before, first, step, {}), ir::step(after, second, step, {}));
  const std::vector<uint8_t> kept = keptState(after);
  REQUIRE(kept.size() == first.values.size());
  REQUIRE(kept.size() == second.values.size());
  for (size_t i = 0; i < kept.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(second.values[i] - (kept[i] ? first.values[i] : 0.0)) <= 1e-5 * (1 + std::abs(first.values[i])));
  }
}

}  // namespace rtmc::passes::test
