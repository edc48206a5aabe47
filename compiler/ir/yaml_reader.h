// Owns: reading IR text strictly: every key known and given once, every scalar what it should be. The first mistake
// wins and the rest is read as defaults, so that callers need no test after each field. Refuses to own: model.yaml
// (frontend), whose mistakes become diagnostics with a caret.
#pragma once

#include "ir/constants.h"

#include <llvm/Support/Error.h>
#include <yaml-cpp/yaml.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace rtmc::ir {

class YamlErrors {
 public:
  void fail(const YAML::Node &where, std::string_view message);
  void fail(std::string_view message);
  bool failed() const { return !message_.empty(); }
  /// Success, or the first mistake.
  llvm::Error take();
  /// The value, or its default with the error noted.
  template <typename T>
  T take(llvm::Expected<T> value) {
    if (value) return std::move(*value);
    fail(llvm::toString(value.takeError()));
    return T{};
  }

 private:
  std::string message_;
};

/// One map of the text. Ask for each key once; done() complains about those that nobody asked for.
class YamlMap {
 public:
  YamlMap(YamlErrors &, const YAML::Node &, std::string what);

  bool has(std::string_view key) const { return entries_.contains(key); }
  /// Null where the key is absent; `required` makes that a mistake.
  const YAML::Node *node(std::string_view key, bool required = false);
  /// The elements of a list; empty where absent.
  std::vector<YAML::Node> list(std::string_view key);
  std::string text(std::string_view key, bool required = false);
  std::vector<std::string> texts(std::string_view key);
  bool flag(std::string_view key);
  template <typename T>
  T number(std::string_view key, T absent = T{}) {
    const YAML::Node *found = node(key);
    return found == nullptr ? absent : scalar<T>(*found, key);
  }
  template <typename T>
  T requiredNumber(std::string_view key) {
    const YAML::Node *found = node(key, true);
    return found == nullptr ? T{} : scalar<T>(*found, key);
  }
  template <typename T>
  std::vector<T> numbers(std::string_view key) {
    std::vector<T> values;
    for (const YAML::Node &element : list(key)) values.push_back(scalar<T>(element, key));
    return values;
  }
  void fail(std::string_view message) { errors_.fail(where_, what_ + ": " + std::string(message)); }
  /// The same with the line of one value.
  void failAt(const YAML::Node &where, std::string_view message) {
    errors_.fail(where, what_ + ": " + std::string(message));
  }
  void done();

 private:
  template <typename T>
  T scalar(const YAML::Node &node, std::string_view key) {
    T value{};
    if (!node.IsScalar() || !parseNumber(node.Scalar(), value)) badNumber(node, key);
    return value;
  }
  void badNumber(const YAML::Node &, std::string_view key);

  YamlErrors &errors_;
  YAML::Node where_;
  std::string what_;
  struct Entry {
    YAML::Node node;
    bool used = false;
  };
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace rtmc::ir
