#include "ir/network.h"

#include <array>

namespace rtmc::ir {

namespace {

constexpr std::array<std::string_view, 9> kSchemes = {"auto",  "dense", "bsp",    "bcr",         "csb",
                                                      "block", "row",   "column", "unstructured"};

}  // namespace

std::string_view schemeName(Scheme scheme) {
  return kSchemes[static_cast<size_t>(scheme)];
}

std::optional<Scheme> parseScheme(std::string_view name) {
  for (size_t i = 0; i < kSchemes.size(); ++i)
    if (kSchemes[i] == name) return static_cast<Scheme>(i);
  return std::nullopt;
}

bool Network::causal() const {
  for (const Layer &layer : layers)
    if (layer.direction != Direction::Forward) return false;
  return true;
}

uint32_t Network::inputSize() const {
  uint32_t size = 0;
  for (const Input &input : inputs) size += input.size;
  return size;
}

uint32_t Network::outputSize() const {
  uint32_t size = 0;
  for (ValueRef output : outputs) size += sizeOf(*this, output);
  return size;
}

uint32_t sizeOf(const Network &network, ValueRef value) {
  if (value.kind == ValueRef::Kind::Input) return network.inputs[value.index].size;
  const Layer &layer = network.layers[value.index];
  return outputSizePerDirection(layer) * (layer.direction == Direction::Both ? 2 : 1);
}

uint32_t inputSizeOf(const Network &network, const Layer &layer) {
  uint32_t size = 0;
  for (ValueRef input : layer.inputs) size += sizeOf(network, input);
  return size;
}

uint32_t outputSizePerDirection(const Layer &layer) {
  const auto *lstm = std::get_if<Lstm>(&layer.op);
  return lstm != nullptr && lstm->projection != 0 ? lstm->projection : layer.size;
}

uint32_t gateCount(const Layer &layer) {
  if (std::holds_alternative<Gru>(layer.op)) return Gru::kGates;
  if (std::holds_alternative<Lstm>(layer.op)) return Lstm::kGates;
  return Rnn::kGates;
}

std::string_view gateName(const Layer &layer, uint32_t gate) {
  if (std::holds_alternative<Gru>(layer.op)) return std::string_view("rzn").substr(gate, 1);
  if (std::holds_alternative<Lstm>(layer.op)) return std::string_view("ifgo").substr(gate, 1);
  return std::holds_alternative<Rnn>(layer.op) ? "h" : "y";
}

std::vector<Recurrence> *recurrences(Layer &layer) {
  return const_cast<std::vector<Recurrence> *>(recurrences(static_cast<const Layer &>(layer)));
}

const std::vector<Recurrence> *recurrences(const Layer &layer) {
  if (const auto *gru = std::get_if<Gru>(&layer.op)) return &gru->directions;
  if (const auto *lstm = std::get_if<Lstm>(&layer.op)) return &lstm->directions;
  if (const auto *rnn = std::get_if<Rnn>(&layer.op)) return &rnn->directions;
  return nullptr;
}

}  // namespace rtmc::ir
