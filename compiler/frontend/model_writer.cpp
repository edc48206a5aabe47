#include "frontend/model_writer.h"

#include "frontend/roles.h"
#include "ir/network_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <string_view>
#include <vector>

namespace rtmc::frontend {
namespace {

using Promises = std::map<std::string, ir::Structure>;

/// In double quotes where a plain scalar could be read as something else.
std::string scalar(std::string_view text) {
  const bool plain =
      !text.empty() && text != "null" && text != "Null" && text != "NULL" &&
      std::all_of(text.begin(), text.end(),
                  [](unsigned char c) { return c < 0x80 && (std::isalnum(c) || c == '_' || c == '.' || c == '-'); }) &&
      (std::isalpha(static_cast<unsigned char>(text[0])) || text[0] == '_');
  if (plain) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

std::string nameOf(const ir::Network &network, ir::ValueRef ref) {
  return scalar(ref.kind == ir::ValueRef::Kind::Input ? network.inputs[ref.index].name
                                                      : network.layers[ref.index].name);
}

std::string namesOf(const ir::Network &network, const std::vector<ir::ValueRef> &refs) {
  std::string text;
  for (const ir::ValueRef ref : refs) text += (text.empty() ? "" : ", ") + nameOf(network, ref);
  return "[" + text + "]";
}

std::string rangeText(const std::optional<ir::Range> &range) {
  return range ? fmt::format(", range: [{}, {}]", range->low, range->high) : "";
}

std::string promiseText(const ir::Structure &s) {
  if (s.blockRows == 0) return fmt::format("scheme: {}", ir::schemeName(s.scheme));
  return fmt::format("scheme: {}, block: [{}, {}]", ir::schemeName(s.scheme), s.blockRows, s.blockColumns);
}

/// One promise for the layer where all of its matrices have the same.
std::string sparsityText(const ir::Network &network, const ir::Layer &layer, const Promises &promises) {
  std::string each;
  std::vector<std::string> texts;
  ir::Layer copy = layer;
  for (const Role &role : rolesOf(copy, ir::inputSizeOf(network, layer))) {
    if (!role.matrix) continue;
    const auto found = promises.find(layer.name + "." + role.name);
    texts.push_back(found == promises.end() ? "" : promiseText(found->second));
    if (found != promises.end()) each += fmt::format("{}{}: {{{}}}", each.empty() ? "" : ", ", role.name, texts.back());
  }
  if (each.empty()) return "";
  const bool same = std::all_of(texts.begin(), texts.end(), [&](const std::string &t) { return t == texts[0]; });
  return fmt::format(", sparsity: {{{}}}", same ? texts[0] : each);
}

std::string opText(const ir::Layer &layer) {
  std::string text;
  if (const auto *gru = std::get_if<ir::Gru>(&layer.op)) {
    text = fmt::format(", reset: {}", gru->resetAfter ? "after" : "before");
  } else if (const auto *lstm = std::get_if<ir::Lstm>(&layer.op)) {
    if (lstm->peepholes) text += ", peepholes: true";
    if (lstm->projection != 0) text += fmt::format(", projection: {}", lstm->projection);
  } else {
    const auto *rnn = std::get_if<ir::Rnn>(&layer.op);
    const ir::Activation activation = rnn ? rnn->activation : std::get<ir::Linear>(layer.op).activation;
    if (rnn || activation != ir::Activation::None) text = fmt::format(", activation: {}", ir::nameOf(activation));
  }
  if (layer.direction != ir::Direction::Forward) text += fmt::format(", direction: {}", ir::nameOf(layer.direction));
  return text;
}

}  // namespace

std::string writeModel(const ir::Network &network, const std::string &weights, const Promises &promises) {
  std::string text = fmt::format("rtm: 1\nname: {}\nweights: {}\ninputs:\n", scalar(network.name), scalar(weights));
  for (const ir::Input &input : network.inputs)
    text += fmt::format("  - {{name: {}, size: {}{}}}\n", scalar(input.name), input.size, rangeText(input.range));
  text += "layers:\n";
  for (const ir::Layer &layer : network.layers)
    text += fmt::format("  - {{name: {}, op: {}, size: {}{}, input: {}{}{}}}\n", scalar(layer.name),
                        ir::kOpNames[layer.op.index()], layer.size, opText(layer), namesOf(network, layer.inputs),
                        rangeText(layer.range), sparsityText(network, layer, promises));
  return text + fmt::format("outputs: {}\n", namesOf(network, network.outputs));
}

}  // namespace rtmc::frontend
