// Owns: random networks for the tests of the network IR: every op, direction and option, pruned and masked.
#pragma once

#include "ir/network.h"

#include <fmt/format.h>

#include <random>
#include <string>

namespace rtmc::ir {

class RandomNetwork {
 public:
  explicit RandomNetwork(uint32_t seed) : random_(seed) {}

  uint32_t below(uint32_t n) { return static_cast<uint32_t>(random_() % n); }
  bool coin() { return below(2) == 0; }
  float uniform(float scale) { return std::uniform_real_distribution<float>(-scale, scale)(random_); }

  /// `causal`: forward layers only. Sizes are 1 ... `largest`.
  Network make(bool causal, uint32_t largest) {
    Network network;
    network.name = "random";
    for (uint32_t i = 0, n = 1 + below(2); i < n; ++i)
      network.inputs.push_back({fmt::format("in{}", i), 1 + below(largest), std::nullopt, {}});
    for (uint32_t i = 0, n = 1 + below(3); i < n; ++i) network.layers.push_back(layer(network, i, causal, largest));
    auto last = static_cast<uint32_t>(network.layers.size() - 1);
    network.outputs = {{ValueRef::Kind::Layer, last}};
    if (coin()) network.outputs.push_back({ValueRef::Kind::Layer, below(last + 1)});
    return network;
  }

  std::vector<float> sequence(const Network &network, size_t steps) {
    std::vector<float> values(steps * network.inputSize());
    for (float &value : values) value = uniform(1);
    return values;
  }

  Tensor tensor(std::string name, std::vector<uint32_t> shape) {
    Tensor result;
    result.name = std::move(name);
    result.shape = std::move(shape);
    size_t count = size_t{result.rows()} * result.columns();
    bool masked = below(3) == 0;
    float kept = uniform(0.5f) + 0.5f;
    for (size_t i = 0; i < count; ++i) {
      bool keep = uniform(0.5f) + 0.5f <= kept;
      result.values.push_back(keep || masked ? uniform(1.2f) : 0.0f);
      if (masked) result.mask.push_back(keep);
    }
    return result;
  }

 private:
  Recurrence recurrence(const std::string &prefix, const std::string &suffix, uint32_t gates, uint32_t size,
                        uint32_t inputs, bool peepholes, uint32_t projection) {
    Recurrence result;
    result.weightIh = tensor(prefix + ".weight_ih" + suffix, {gates * size, inputs});
    result.weightHh = tensor(prefix + ".weight_hh" + suffix, {gates * size, projection != 0 ? projection : size});
    if (coin()) result.biasIh = tensor(prefix + ".bias_ih" + suffix, {gates * size});
    if (coin()) result.biasHh = tensor(prefix + ".bias_hh" + suffix, {gates * size});
    if (peepholes) result.peephole = tensor(prefix + ".peephole" + suffix, {3 * size});
    if (projection != 0) result.weightHr = tensor(prefix + ".weight_hr" + suffix, {projection, size});
    return result;
  }

  Layer layer(const Network &network, uint32_t index, bool causal, uint32_t largest) {
    Layer result;
    result.name = fmt::format("layer{}", index);
    result.size = 1 + below(largest);
    for (uint32_t i = 0, n = 1 + below(2); i < n; ++i) {
      bool fromLayer = index != 0 && coin();
      uint32_t choices = fromLayer ? index : static_cast<uint32_t>(network.inputs.size());
      result.inputs.push_back({fromLayer ? ValueRef::Kind::Layer : ValueRef::Kind::Input, below(choices)});
    }
    uint32_t inputs = inputSizeOf(network, result), op = below(4), directions = 1;
    if (op != 3 && !causal) {
      result.direction = static_cast<Direction>(below(3));
      directions = result.direction == Direction::Both ? 2 : 1;
    }
    bool peepholes = op == 1 && coin();
    uint32_t projection = op == 1 && coin() ? 1 + below(largest) : 0;
    std::vector<Recurrence> cells;
    const uint32_t gates[] = {3, 4, 1};
    for (uint32_t i = 0; op != 3 && i < directions; ++i)
      cells.push_back(
          recurrence(result.name, i == 0 ? "" : "_reverse", gates[op], result.size, inputs, peepholes, projection));
    if (op == 0) result.op = Gru{coin(), std::move(cells)};
    if (op == 1) result.op = Lstm{peepholes, projection, std::move(cells)};
    if (op == 2) result.op = Rnn{coin() ? Activation::Tanh : Activation::Relu, std::move(cells)};
    if (op == 3) {
      Linear linear;
      linear.weight = tensor(result.name + ".weight", {result.size, inputs});
      if (coin()) linear.bias = tensor(result.name + ".bias", {result.size});
      linear.activation = static_cast<Activation>(below(6));
      result.op = std::move(linear);
    }
    return result;
  }

  std::mt19937 random_;
};

}  // namespace rtmc::ir
