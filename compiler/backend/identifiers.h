// Owns: names and texts of a program made safe for C++ source: identifiers that never clash, comments that cannot end
// early.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace rtmc::backend {

/// Letters, digits and underscores of `name`; anything else becomes one underscore. Never empty, never leading digit.
std::string identifier(std::string_view name);

/// Text that may stand in a line comment: printable, one line, no backslash at its end.
std::string commentText(std::string_view text);

/// The identifier stands somewhere in the text as a word of its own.
bool mentions(std::string_view text, std::string_view name);

/// Hands out identifiers, each once: a name that is taken gets a number.
class NameTable {
 public:
  std::string unique(std::string_view name);

 private:
  std::set<std::string> taken_;
};

}  // namespace rtmc::backend
