#include "backend/identifiers.h"

#include "support/names.h"

#include <fmt/format.h>

namespace rtmc::backend {
namespace {

bool isWordCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

}  // namespace

std::string identifier(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (isWordCharacter(c)) {
      out += c;
    } else if (!out.empty() && out.back() != '_') {
      out += '_';
    }
  }
  while (out.size() > 1 && out.back() == '_') out.pop_back();
  if (out.empty() || (out[0] >= '0' && out[0] <= '9') || isReservedWord(out)) out.insert(0, "v_");
  return out;
}

std::string commentText(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    if (c == '\\') {
      out += '/';
    } else if (c == '?') {
      out += out.empty() || out.back() != '?' ? "?" : " ?";  // no trigraphs
    } else {
      out += c;
    }
  }
  return out;
}

bool mentions(std::string_view text, std::string_view name) {
  for (size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    const size_t end = at + name.size();
    const bool before = at == 0 || !(isWordCharacter(text[at - 1]) || text[at - 1] == '.');
    const bool after = end == text.size() || !isWordCharacter(text[end]);
    if (before && after) return true;
  }
  return false;
}

std::string NameTable::unique(std::string_view name) {
  const std::string base = identifier(name);
  std::string out = base;
  for (int i = 2; !taken_.insert(out).second; ++i) out = fmt::format("{}_{}", base, i);
  return out;
}

}  // namespace rtmc::backend
