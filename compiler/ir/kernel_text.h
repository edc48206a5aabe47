// Owns: what printing and reading the kernel IR share: references by name, elementwise bodies, schedules. Private to
// kernel_yaml*.cpp, kernel_body_text.cpp and kernel_schedule_text.cpp.
#pragma once

#include "ir/kernel.h"

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace YAML {
class Node;
}

namespace rtmc::ir {

class YamlErrors;

/// Names of spaces, buffers or weights. Text refers to them by name, or as "#3" where a name would be ambiguous (only
/// in programs that the verifier refuses).
class NameIndex {
 public:
  void add(const std::string &name);
  std::string nameOf(Id) const;
  /// kNone: no such name.
  Id find(std::string_view text) const;

 private:
  std::vector<std::string> names_;
  std::map<std::string, Id, std::less<>> ids_;  // kNone: ambiguous
};

/// One instruction per line: "z = sigmoid z_pre", "%3 = load gru0_h[map+64]", "store gru0_h h_new".
std::string bodyText(const std::vector<EwInstr> &, const NameIndex &buffers);
/// Reads it back; `fail(line, message)` is told the first mistake, line counted from 0.
std::vector<EwInstr> parseBody(std::string_view text, const NameIndex &buffers,
                               const std::function<void(size_t, const std::string &)> &fail);

/// A flow map with every field.
std::string scheduleText(const Schedule &);
/// The entries of a `schedules:` map.
std::map<std::string, Schedule> readSchedules(const YAML::Node &, YamlErrors &, const Schedule &defaults = {});

/// Parses the text; anchors and aliases, which a small text could multiply itself with, are refused. Throws
/// YAML::Exception.
YAML::Node loadIrText(const std::string &yaml);

}  // namespace rtmc::ir
