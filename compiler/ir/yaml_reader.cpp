#include "ir/yaml_reader.h"

#include "support/names.h"

#include <fmt/format.h>

namespace rtmc::ir {

void YamlErrors::fail(const YAML::Node &where, std::string_view message) {
  fail(fmt::format("line {}: {}", where.Mark().line + 1, message));
}

void YamlErrors::fail(std::string_view message) {
  if (message_.empty()) message_ = message;
}

llvm::Error YamlErrors::take() {
  return failed() ? llvm::createStringError(message_) : llvm::Error::success();
}

YamlMap::YamlMap(YamlErrors &errors, const YAML::Node &node, std::string what)
    : errors_(errors), where_(node), what_(std::move(what)) {
  if (!node.IsMap()) {
    fail("a map is needed");
    return;
  }
  for (const auto &entry : node) {
    if (!entry.first.IsScalar()) {
      fail("a key must be a name");
    } else if (!entries_.emplace(entry.first.Scalar(), Entry{entry.second, false}).second) {
      fail(fmt::format("the key {} stands twice", quoted(entry.first.Scalar())));
    }
  }
}

const YAML::Node *YamlMap::node(std::string_view key, bool required) {
  auto found = entries_.find(key);
  if (found == entries_.end()) {
    if (required) fail(fmt::format("the key '{}' is missing", key));
    return nullptr;
  }
  found->second.used = true;
  return &found->second.node;
}

std::vector<YAML::Node> YamlMap::list(std::string_view key) {
  std::vector<YAML::Node> elements;
  const YAML::Node *found = node(key);
  if (found == nullptr) return elements;
  if (!found->IsSequence()) {
    fail(fmt::format("'{}' must be a list", key));
    return elements;
  }
  for (const auto &element : *found) elements.push_back(element);
  return elements;
}

std::string YamlMap::text(std::string_view key, bool required) {
  const YAML::Node *found = node(key, required);
  if (found == nullptr) return "";
  if (!found->IsScalar()) fail(fmt::format("'{}' must be a name", key));
  return found->IsScalar() ? found->Scalar() : "";
}

std::vector<std::string> YamlMap::texts(std::string_view key) {
  std::vector<std::string> values;
  for (const YAML::Node &element : list(key)) {
    if (!element.IsScalar()) fail(fmt::format("'{}' must be a list of names", key));
    values.push_back(element.IsScalar() ? element.Scalar() : "");
  }
  return values;
}

bool YamlMap::flag(std::string_view key) {
  std::string value = text(key);
  if (!value.empty() && value != "true" && value != "false")
    fail(fmt::format("'{}' is {}; true or false is needed", key, quoted(value)));
  return value == "true";
}

void YamlMap::badNumber(const YAML::Node &node, std::string_view key) {
  failAt(node, fmt::format("'{}' is {}; a number in range is needed", key,
                           node.IsScalar() ? quoted(node.Scalar()) : "a list or map"));
}

void YamlMap::done() {
  for (const auto &[key, entry] : entries_)
    if (!entry.used) failAt(entry.node, fmt::format("the key {} is unknown", quoted(key)));
}

}  // namespace rtmc::ir
