#include "support/names.h"

#include "support/diagnostics.h"

#include <fmt/format.h>
#include <llvm/Support/ConvertUTF.h>

#include <algorithm>
#include <array>
#include <utility>

namespace rtmc {
namespace {

// Longer names are compared by their first bytes only: distances are quadratic in the length.
constexpr size_t kComparedBytes = 128;
constexpr size_t kComparedNames = 4096;

size_t editDistance(std::string_view a, std::string_view b) {
  a = a.substr(0, kComparedBytes);
  b = b.substr(0, kComparedBytes);
  std::vector<size_t> beforeLast(b.size() + 1), last(b.size() + 1), current(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = last[j - 1] + (a[i - 1] != b[j - 1]);
      current[j] = std::min({last[j] + 1, current[j - 1] + 1, change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        current[j] = std::min(current[j], beforeLast[j - 2] + 1);
    }
    std::swap(beforeLast, last);
    std::swap(last, current);
  }
  return last[b.size()];
}

std::string_view lastPart(std::string_view name) {
  const size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

/// Length of the valid UTF-8 sequence at `at`, 0 where there is none.
size_t sequenceLength(std::string_view text, size_t at) {
  const auto *bytes = reinterpret_cast<const llvm::UTF8 *>(text.data());
  const size_t length = llvm::getNumBytesForUTF8(bytes[at]);
  if (length == 0 || length > text.size() - at) return 0;
  return llvm::isLegalUTF8Sequence(bytes + at, bytes + at + length) ? length : 0;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    const size_t length = sequenceLength(text, i);
    const bool control =
        c < 0x20 || c == 0x7f || (c == 0xc2 && length == 2 && static_cast<unsigned char>(text[i + 1]) < 0xa0);
    if (length == 0 || control) {
      out += fmt::format("\\x{:02x}", c);
      ++i;
      continue;
    }
    out.append(text.substr(i, length));
    i += length;
  }
  return out;
}

std::string quoted(std::string_view name) {
  constexpr size_t kLimit = 80;
  if (name.size() <= kLimit) return fmt::format("'{}'", printable(name));
  size_t cut = kLimit;
  while (cut > kLimit - 4 && (static_cast<unsigned char>(name[cut]) & 0xc0) == 0x80) --cut;
  return fmt::format("'{}...'", printable(name.substr(0, cut)));
}

std::string lowerFirst(std::string text) {
  const auto capital = [&](size_t i) { return i < text.size() && text[i] >= 'A' && text[i] <= 'Z'; };
  if (capital(0) && !capital(1)) text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

std::string nearestName(std::string_view name, const std::vector<std::string> &candidates) {
  // A third of the letters may be wrong; of very short names one.
  size_t best = std::max<size_t>(1, std::min(name.size(), kComparedBytes) / 3) + 1;
  std::string result;
  const size_t count = std::min(candidates.size(), kComparedNames);
  for (size_t i = 0; i < count; ++i) {
    const std::string &candidate = candidates[i];
    const size_t distance = editDistance(name, candidate);
    if (distance >= best || distance >= std::max(name.size(), candidate.size())) continue;
    best = distance;
    result = candidate;
  }
  return result;
}

std::vector<std::string> nearestNames(std::string_view name, const std::vector<std::string> &candidates, size_t count) {
  std::vector<std::pair<size_t, size_t>> ranked;  // distance, index: ties keep the file's order
  const size_t compared = std::min(candidates.size(), kComparedNames);
  ranked.reserve(compared);
  for (size_t i = 0; i < compared; ++i)
    ranked.emplace_back(editDistance(name, candidates[i]) + 2 * editDistance(lastPart(name), lastPart(candidates[i])),
                        i);
  const size_t kept = std::min(count, ranked.size());
  std::partial_sort(ranked.begin(), ranked.begin() + static_cast<ptrdiff_t>(kept), ranked.end());
  std::vector<std::string> out;
  out.reserve(kept);
  for (size_t i = 0; i < kept; ++i) out.push_back(candidates[ranked[i].second]);
  return out;
}

bool isIdentifier(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !name.empty() && letter(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || digit(c); });
}

bool isReservedWord(std::string_view name) {
  static constexpr auto kWords = std::to_array<std::string_view>({
      "alignas",
      "alignof",
      "and",
      "and_eq",
      "asm",
      "auto",
      "bitand",
      "bitor",
      "bool",
      "break",
      "case",
      "catch",
      "char",
      "char16_t",
      "char32_t",
      "char8_t",
      "class",
      "co_await",
      "co_return",
      "co_yield",
      "compl",
      "concept",
      "const",
      "const_cast",
      "consteval",
      "constexpr",
      "constinit",
      "continue",
      "decltype",
      "default",
      "delete",
      "do",
      "double",
      "dynamic_cast",
      "else",
      "enum",
      "explicit",
      "export",
      "extern",
      "false",
      "float",
      "for",
      "friend",
      "goto",
      "if",
      "inline",
      "int",
      "long",
      "mutable",
      "namespace",
      "new",
      "noexcept",
      "not",
      "not_eq",
      "nullptr",
      "operator",
      "or",
      "or_eq",
      "private",
      "protected",
      "public",
      "register",
      "reinterpret_cast",
      "requires",
      "restrict",
      "return",
      "short",
      "signed",
      "sizeof",
      "static",
      "static_assert",
      "static_cast",
      "struct",
      "switch",
      "template",
      "this",
      "thread_local",
      "throw",
      "true",
      "try",
      "typedef",
      "typeid",
      "typename",
      "typeof",
      "typeof_unqual",
      "union",
      "unsigned",
      "using",
      "virtual",
      "void",
      "volatile",
      "wchar_t",
      "while",
      "xor",
      "xor_eq",
  });
  return std::find(kWords.begin(), kWords.end(), name) != kWords.end();
}

}  // namespace rtmc
