#include "frontend/schema.h"

#include "support/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <utility>

namespace rtmc::frontend {
namespace {

bool isWholeNumber(std::string_view text) {
  if (!text.empty() && text[0] == '-') text.remove_prefix(1);
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<float> readFloat(const YamlNode &node) {
  if (!node.isScalar() || node.quoted) return std::nullopt;
  std::string_view text = node.text;
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  const auto rounded = static_cast<float>(value);
  return std::isfinite(rounded) ? std::optional(rounded) : std::nullopt;
}

}  // namespace

std::string orList(std::span<const std::string_view> names) {
  std::string out;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i != 0) out += i + 1 == names.size() ? " or " : ", ";
    out += quoted(names[i]);
  }
  return out;
}

MapReader::MapReader(const YamlNode &node, std::string what, Diagnostics &diagnostics)
    : node_(node), what_(std::move(what)), diagnostics_(diagnostics), isMap_(node.isMap()) {
  if (!isMap_)
    diagnostics_.error("value-type", node.where,
                       fmt::format("{} is {}; a map of keys and values is needed", what_, node.description()));
}

const YamlNode *MapReader::get(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  for (const auto &[name, value] : node_.members)
    if (name.text == key) return &value;
  return nullptr;
}

const YamlNode *MapReader::require(std::string_view key, std::string_view hint) {
  const YamlNode *value = get(key);
  if (value || !isMap_) return value;
  Diagnostic &d = diagnostics_.error("missing-key", node_.where, fmt::format("{} has no {}", what_, quoted(key)));
  if (!hint.empty()) d.notes.push_back({node_.where, std::string(hint)});
  return nullptr;
}

Location MapReader::keyWhere(std::string_view key) const {
  for (const auto &member : node_.members)
    if (member.key.text == key) return member.key.where;
  return node_.where;
}

void MapReader::finish() {
  for (const auto &member : node_.members) {
    const YamlNode &key = member.key;
    if (std::find(known_.begin(), known_.end(), key.text) != known_.end()) continue;
    Diagnostic &d =
        diagnostics_.error("unknown-key", key.where, fmt::format("{} has no key {}", what_, quoted(key.text)));
    if (const std::string nearest = nearestName(key.text, known_); !nearest.empty())
      d.notes.push_back({key.where, fmt::format("did you mean {}?", quoted(nearest))});
    else
      d.notes.push_back({key.where, fmt::format("its keys are {}", fmt::join(known_, ", "))});
  }
}

std::optional<std::string> readText(const YamlNode &node, std::string_view key, Diagnostics &diagnostics) {
  if (node.isScalar() && !node.text.empty()) return node.text;
  const std::string found = node.isScalar() ? "an empty text" : node.description();
  diagnostics.error("value-type", node.where, fmt::format("{} is {}; a text is needed", quoted(key), found));
  return std::nullopt;
}

std::vector<const YamlNode *> readTexts(const YamlNode &node, std::string_view key, Diagnostics &diagnostics) {
  if (node.isScalar()) return readText(node, key, diagnostics) ? std::vector{&node} : std::vector<const YamlNode *>{};
  if (!node.isSequence() || node.items.empty()) {
    const std::string found = node.isSequence() ? "an empty list" : node.description();
    diagnostics.error("value-type", node.where,
                      fmt::format("{} is {}; a text or a list of texts is needed", quoted(key), found));
    return {};
  }
  std::vector<const YamlNode *> out;
  for (const YamlNode &item : node.items)
    if (readText(item, key, diagnostics)) out.push_back(&item);
  return out;
}

std::optional<uint32_t> readSize(const YamlNode &node, std::string_view key, uint32_t limit, Diagnostics &diagnostics) {
  if (!node.isScalar() || node.quoted) {
    diagnostics.error("value-type", node.where,
                      fmt::format("{} is {}; a whole number is needed", quoted(key), node.description()));
    return std::nullopt;
  }
  const std::string_view text = node.text;
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool octal = text.size() > 1 && text[0] == '0';  // YAML 1.1 would read 010 as 8
  if (isWholeNumber(text) && !octal && error == std::errc() && value >= 1 && value <= limit) return value;
  diagnostics.error("size-invalid", node.where,
                    fmt::format("{} is {}; a whole number from 1 to {} is needed", quoted(key), quoted(text), limit));
  return std::nullopt;
}

std::optional<bool> readBool(const YamlNode &node, std::string_view key, Diagnostics &diagnostics) {
  if (node.isScalar() && !node.quoted && (node.text == "true" || node.text == "false")) return node.text == "true";
  diagnostics.error("value-type", node.where,
                    fmt::format("{} is {}; true or false is needed", quoted(key), node.description()));
  return std::nullopt;
}

std::optional<size_t> readChoice(const YamlNode &node, std::string_view key, std::span<const std::string_view> choices,
                                 Diagnostics &diagnostics) {
  const auto text = readText(node, key, diagnostics);
  if (!text) return std::nullopt;
  const auto found = std::find(choices.begin(), choices.end(), *text);
  if (found != choices.end()) return static_cast<size_t>(found - choices.begin());
  Diagnostic &d = diagnostics.error("unknown-value", node.where,
                                    fmt::format("{} is {}; {} is needed", quoted(key), quoted(*text), orList(choices)));
  const std::string nearest = nearestName(*text, {choices.begin(), choices.end()});
  if (!nearest.empty()) d.notes.push_back({node.where, fmt::format("did you mean {}?", quoted(nearest))});
  return std::nullopt;
}

std::optional<ir::Range> readRange(const YamlNode &node, Diagnostics &diagnostics) {
  if (node.isSequence() && node.items.size() == 2) {
    const auto low = readFloat(node.items[0]), high = readFloat(node.items[1]);
    if (low && high && *low < *high) return ir::Range{*low, *high};
  }
  diagnostics.error("range-invalid", node.where, "'range' needs [low, high]: two finite numbers, low below high");
  return std::nullopt;
}

}  // namespace rtmc::frontend
