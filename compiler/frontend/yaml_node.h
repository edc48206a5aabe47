// Owns: a YAML text as a tree of nodes with places, and the checks of the text itself: size, encoding, syntax, nesting,
// duplicate keys. Refuses to own: what the keys mean (model_reader.h). yaml-cpp is known to yaml_node.cpp alone.
#pragma once

#include "support/diagnostics.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rtmc::frontend {

struct YamlMember;

struct YamlNode {
  enum class Kind { Null, Scalar, Sequence, Map };
  Kind kind = Kind::Null;
  Location where;
  std::string text;                 // of a scalar
  bool quoted = false;              // a scalar in quotes or a block of text: always a string
  std::vector<YamlNode> items;      // of a sequence
  std::vector<YamlMember> members;  // of a map, in the file's order; keys are scalars, all different

  bool isMap() const { return kind == Kind::Map; }
  bool isSequence() const { return kind == Kind::Sequence; }
  bool isScalar() const { return kind == Kind::Scalar; }
  /// "a list", "a map", "the text 'x'", ... for messages.
  std::string description() const;
};

struct YamlMember {
  YamlNode key, value;
};

inline constexpr uint64_t kMaxYamlBytes = 4 << 20;

/// One document. Anchors, aliases and tags are refused: they let a small text stand for a huge one, and model files
/// need none. nullopt: `diagnostics` has errors.
std::optional<YamlNode> parseYaml(const std::shared_ptr<const SourceFile> &file, Diagnostics &diagnostics);

}  // namespace rtmc::frontend
