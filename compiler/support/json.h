// Owns: the name of LLVM's JSON value, so that one header tells where JSON comes from, and a guard for its parser.
#pragma once

#include <llvm/Support/JSON.h>

#include <cstddef>

namespace rtmc {
namespace json = llvm::json;

/// LLVM's parser calls itself for each level: text from outside is measured first, or it runs over the stack.
inline bool nestsDeeperThan(llvm::StringRef text, size_t levels) {
  size_t depth = 0;
  bool inString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (inString) {
      if (c == '\\') ++i;
      inString = c != '"';
    } else if (c == '"') {
      inString = true;
    } else if (c == '[' || c == '{') {
      if (++depth > levels) return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}
}  // namespace rtmc
