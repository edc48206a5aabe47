// Owns: reading typed values from YAML nodes: each wrong one is a diagnostic that says what stands there and what is
// needed.
#pragma once

#include "frontend/yaml_node.h"
#include "ir/network.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rtmc::frontend {

/// A map whose known keys are those that were asked for. finish() reports the others.
class MapReader {
 public:
  /// `what` names the map in messages: "the model", "layer 'gru0'". A node that is no map is reported and read as
  /// empty.
  MapReader(const YamlNode &node, std::string what, Diagnostics &diagnostics);

  /// The value of `key`, or null.
  const YamlNode *get(std::string_view key);
  /// The same, with an error where it is missing. `hint` becomes a note.
  const YamlNode *require(std::string_view key, std::string_view hint = "");
  /// The place of a key that get() found.
  Location keyWhere(std::string_view key) const;
  /// What the messages call the map from now on.
  void rename(std::string what) { what_ = std::move(what); }
  bool isMap() const { return isMap_; }
  Location where() const { return node_.where; }
  /// Reports every key that nobody asked for.
  void finish();

 private:
  const YamlNode &node_;
  std::string what_;
  Diagnostics &diagnostics_;
  std::vector<std::string> known_;
  bool isMap_;
};

/// A scalar's text. `key` names the value in messages.
std::optional<std::string> readText(const YamlNode &, std::string_view key, Diagnostics &);
/// A text, or a list of at least one text.
std::vector<const YamlNode *> readTexts(const YamlNode &, std::string_view key, Diagnostics &);
/// A whole number from 1 to `limit`.
std::optional<uint32_t> readSize(const YamlNode &, std::string_view key, uint32_t limit, Diagnostics &);
std::optional<bool> readBool(const YamlNode &, std::string_view key, Diagnostics &);
/// The index of one of `choices`.
std::optional<size_t> readChoice(const YamlNode &, std::string_view key, std::span<const std::string_view> choices,
                                 Diagnostics &);
std::optional<ir::Range> readRange(const YamlNode &, Diagnostics &);

/// "'a', 'b' or 'c'".
std::string orList(std::span<const std::string_view> names);

}  // namespace rtmc::frontend
