#include "random_network.h"

#include "support/check.h"

#include <algorithm>
#include <cmath>

namespace rtmc::testing {

using namespace ir;

namespace {

using Random = std::mt19937_64;

uint32_t pick(Random &random, uint32_t low, uint32_t high) {
  return low + static_cast<uint32_t>(random() % (high - low + 1));
}
bool chance(Random &random, double p) {
  return std::uniform_real_distribution<double>(0, 1)(random) < p;
}

/// Keeps a random subset of [begin, end).
std::vector<uint8_t> subset(Random &random, uint32_t count, double keep) {
  std::vector<uint8_t> kept(count);
  for (uint8_t &k : kept) k = chance(random, keep);
  return kept;
}

struct Matrix {
  std::vector<float> &values;
  uint32_t rows, columns;
  void zero(uint32_t row, uint32_t column) { values[size_t(row) * columns + column] = 0; }
};

void keepBlocks(Matrix m, Random &random, uint32_t height, uint32_t width, double keepRows, double keepColumns,
                double keepBlock) {
  for (uint32_t top = 0; top < m.rows; top += height)
    for (uint32_t left = 0; left < m.columns; left += width) {
      const bool block = chance(random, keepBlock);
      const auto rows = subset(random, height, keepRows), columns = subset(random, width, keepColumns);
      for (uint32_t r = top; r < std::min(m.rows, top + height); ++r)
        for (uint32_t c = left; c < std::min(m.columns, left + width); ++c)
          if (!block || !rows[r - top] || !columns[c - left]) m.zero(r, c);
    }
}

void keepRows(Matrix m, Random &random, double keep) {
  const auto rows = subset(random, m.rows, keep);
  for (uint32_t r = 0; r < m.rows; ++r)
    for (uint32_t c = 0; c < m.columns; ++c)
      if (!rows[r]) m.zero(r, c);
}

Tensor tensor(Random &random, std::string name, std::vector<uint32_t> shape, double scale) {
  Tensor made;
  made.name = made.source = std::move(name);
  made.shape = std::move(shape);
  size_t count = 1;
  for (uint32_t extent : made.shape) count *= extent;
  std::normal_distribution<float> normal(0, static_cast<float>(scale));
  made.values.resize(count);
  for (float &value : made.values) value = normal(random);
  return made;
}

Tensor gateMatrix(Random &random, std::string name, uint32_t gates, uint32_t rows, uint32_t columns) {
  Tensor made = tensor(random, std::move(name), {gates * rows, columns}, 1.2 / std::sqrt(double(columns)));
  for (uint32_t gate = 0; gate < gates; ++gate) {
    const auto first = made.values.begin() + static_cast<ptrdiff_t>(size_t(gate) * rows * columns);
    std::vector<float> part(first, first + static_cast<ptrdiff_t>(size_t(rows) * columns));
    sparsify(part, rows, columns, random);
    std::copy(part.begin(), part.end(), first);
  }
  return made;
}

Recurrence recurrence(Random &random, const std::string &layer, const std::string &suffix, uint32_t gates,
                      uint32_t size, uint32_t inputs, bool peepholes, uint32_t projection) {
  Recurrence r;
  const auto name = [&](const char *what) { return layer + "." + what + suffix; };
  r.weightIh = gateMatrix(random, name("weight_ih"), gates, size, inputs);
  r.weightHh = gateMatrix(random, name("weight_hh"), gates, size, projection ? projection : size);
  if (chance(random, 0.8)) r.biasIh = tensor(random, name("bias_ih"), {gates * size}, 0.5);
  if (chance(random, 0.6)) r.biasHh = tensor(random, name("bias_hh"), {gates * size}, 0.5);
  if (peepholes) r.peephole = tensor(random, name("peephole"), {3 * size}, 0.5);
  if (projection) r.weightHr = gateMatrix(random, name("weight_hr"), 1, projection, size);
  return r;
}

void fillRecurrent(Random &random, Layer &layer, uint32_t inputs) {
  const uint32_t directions = layer.direction == Direction::Both ? 2 : 1;
  const uint32_t kind = pick(random, 0, 3);
  for (uint32_t d = 0; d < directions; ++d) {
    const std::string suffix = d == 1 ? "_reverse" : "";
    if (d == 0) {
      if (kind <= 1) layer.op = Gru{kind == 1, {}};
      if (kind == 2) layer.op = Lstm{chance(random, 0.4), chance(random, 0.4) ? pick(random, 1, layer.size) : 0, {}};
      if (kind == 3) layer.op = Rnn{chance(random, 0.5) ? Activation::Relu : Activation::Tanh, {}};
    }
    if (auto *gru = std::get_if<Gru>(&layer.op))
      gru->directions.push_back(recurrence(random, layer.name, suffix, 3, layer.size, inputs, false, 0));
    if (auto *lstm = std::get_if<Lstm>(&layer.op))
      lstm->directions.push_back(
          recurrence(random, layer.name, suffix, 4, layer.size, inputs, lstm->peepholes, lstm->projection));
    if (auto *rnn = std::get_if<Rnn>(&layer.op))
      rnn->directions.push_back(recurrence(random, layer.name, suffix, 1, layer.size, inputs, false, 0));
  }
}

void fillLinear(Random &random, Layer &layer, uint32_t inputs) {
  Linear linear;
  linear.weight = gateMatrix(random, layer.name + ".weight", 1, layer.size, inputs);
  if (chance(random, 0.8)) linear.bias = tensor(random, layer.name + ".bias", {layer.size}, 0.5);
  linear.activation = static_cast<Activation>(pick(random, 0, 5));
  layer.op = std::move(linear);
}

}  // namespace

void sparsify(std::vector<float> &values, uint32_t rows, uint32_t columns, Random &random) {
  Matrix m{values, rows, columns};
  const uint32_t scheme = pick(random, 0, 8);
  const uint32_t height = 1u << pick(random, 0, 4), width = 1u << pick(random, 0, 4);
  switch (scheme) {
    case 0:
      break;  // dense
    case 1:
      keepBlocks(m, random, height, width, 1, 0.4, 1);
      keepRows(m, random, 0.6);
      break;  // BSP
    case 2:
      keepBlocks(m, random, height, width, 0.6, 0.5, 1);
      break;  // CSB
    case 3:
      keepBlocks(m, random, 4, 4, 1, 1, 0.25);
      break;  // blocks
    case 4:
      keepRows(m, random, 0.3);
      break;
    case 5:
      keepBlocks(m, random, rows, 1, 1, 1, 0.3);
      break;  // columns
    case 6:
      for (float &v : values) v = chance(random, 0.15) ? v : 0;
      break;  // unstructured
    case 7:
      std::fill(values.begin(), values.end(), 0.0f);
      break;  // empty
    default:
      keepBlocks(m, random, 8, 1, 1, 1, 0.3);
      break;  // tall thin blocks
  }
}

Network randomNetwork(uint64_t seed, const RandomNetworkOptions &options) {
  Random random(seed);
  Network network;
  network.name = "random_" + std::to_string(seed);
  const uint32_t inputs = pick(random, 1, 2), layers = pick(random, 1, options.maxLayers);
  for (uint32_t i = 0; i < inputs; ++i) {
    Input input;
    input.name = "in" + std::to_string(i);
    input.size = pick(random, 1, options.maxSize);
    network.inputs.push_back(input);
  }
  std::vector<ValueRef> values;
  for (uint32_t i = 0; i < inputs; ++i) values.push_back({ValueRef::Kind::Input, i});
  for (uint32_t i = 0; i < layers; ++i) {
    Layer layer;
    layer.name = "layer" + std::to_string(i);
    layer.size = pick(random, 1, options.maxSize);
    layer.inputs.push_back(i == 0 ? values[0] : values.back());
    if (chance(random, 0.3)) layer.inputs.push_back(values[pick(random, 0, static_cast<uint32_t>(values.size()) - 1)]);
    uint32_t width = 0;
    for (ValueRef ref : layer.inputs) width += sizeOf(network, ref);
    if (chance(random, 0.25)) {
      fillLinear(random, layer, width);
    } else {
      if (!options.causalOnly && chance(random, 0.25))
        layer.direction = chance(random, 0.5) ? Direction::Both : Direction::Backward;
      fillRecurrent(random, layer, width);
    }
    network.layers.push_back(std::move(layer));
    values.push_back({ValueRef::Kind::Layer, i});
  }
  network.outputs.push_back(values.back());
  if (chance(random, 0.3)) network.outputs.push_back(values[pick(random, 0, static_cast<uint32_t>(values.size()) - 1)]);
  const auto complaints = verify(network);
  RTMC_CHECK(complaints.empty(), complaints.empty() ? "" : complaints.front());
  return network;
}

}  // namespace rtmc::testing
