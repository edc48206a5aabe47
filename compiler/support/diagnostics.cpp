#include "support/diagnostics.h"

#include "support/check.h"
#include "support/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace rtmc {
namespace {

constexpr auto kKinds = std::to_array<DiagnosticKind>({
#define X(kind, explanation) {kind, explanation},
#include "support/diagnostic_kinds.def"
#undef X
});

constexpr size_t kRendered = 50;    // more are counted, not shown
constexpr size_t kLineBytes = 120;  // of a source line shown at most

std::string_view severityName(Severity severity) {
  switch (severity) {
    case Severity::Error:
      return "error";
    case Severity::Warning:
      return "warning";
    case Severity::Note:
      return "note";
  }
  return "error";
}

std::string_view lineOf(std::string_view text, uint32_t line) {
  size_t begin = 0;
  for (uint32_t i = 1; i < line; ++i) {
    begin = text.find('\n', begin);
    if (begin == std::string_view::npos) return {};
    ++begin;
  }
  std::string_view out = text.substr(begin, text.find('\n', begin) - begin);
  if (!out.empty() && out.back() == '\r') out.remove_suffix(1);
  return out;
}

bool startsCharacter(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
}

std::string prefix(const Location &where) {
  if (!where.file) return {};
  const std::string path = printable(where.file->path);
  if (where.line == 0) return path + ": ";
  return fmt::format("{}:{}:{}: ", path, where.line, where.column);
}

/// The source line and the caret below it. Columns count bytes, the caret stands under characters: tabs are kept as
/// tabs, escapes are as wide as they print.
void renderSnippet(const Location &where, std::string &out) {
  if (!where.file || where.line == 0 || where.column == 0) return;
  std::string_view line = lineOf(where.file->text, where.line);
  size_t column = std::min<size_t>(where.column - 1, line.size());
  const size_t length = std::clamp<size_t>(where.length, 1, std::max<size_t>(1, line.size() - column));
  std::string_view before, after;
  if (line.size() > kLineBytes) {  // a window around the place
    size_t begin = column > kLineBytes / 2 ? column - kLineBytes / 2 : 0;
    while (begin > 0 && !startsCharacter(line[begin])) --begin;
    size_t end = std::min(line.size(), begin + kLineBytes);
    while (end < line.size() && !startsCharacter(line[end])) ++end;
    if (begin > 0) before = "...";
    if (end < line.size()) after = "...";
    line = line.substr(begin, end - begin);
    column -= begin;
  }
  std::string text(before), caret(before.size(), ' ');
  for (size_t i = 0; i < line.size();) {
    size_t next = i + 1;
    while (next < line.size() && !startsCharacter(line[next])) ++next;
    const std::string_view character = line.substr(i, next - i);
    std::string shown = character == "\t" ? "\t" : printable(character);
    const bool plain = shown == character;
    const size_t width = plain ? 1 : shown.size();
    if (i + (next - i) <= column) {
      caret += character == "\t" ? "\t" : std::string(width, ' ');
    } else if (i < column + length) {
      caret += std::string(width, '~');
    }
    text += shown;
    i = next;
  }
  const size_t mark = caret.find('~');
  if (mark == std::string::npos) {
    caret += '^';
  } else {
    caret[mark] = '^';
  }
  text += after;
  out += fmt::format("{:5} | {}\n{:5} | {}\n", where.line, text, "", caret);
}

}  // namespace

std::span<const DiagnosticKind> diagnosticKinds() {
  return kKinds;
}

Diagnostic &Diagnostics::add(Severity severity, std::string_view kind, Location where, std::string message) {
  const bool known = std::any_of(kKinds.begin(), kKinds.end(), [&](const auto &k) { return k.name == kind; });
  RTMC_CHECK(known, fmt::format("diagnostic kind '{}' is not in diagnostic_kinds.def", kind));
  if (severity == Severity::Error) ++errors_;
  list_.push_back({severity, std::string(kind), std::move(where), std::move(message), {}});
  return list_.back();
}

Diagnostic &Diagnostics::error(std::string_view kind, Location where, std::string message) {
  return add(Severity::Error, kind, std::move(where), std::move(message));
}
Diagnostic &Diagnostics::warning(std::string_view kind, Location where, std::string message) {
  return add(Severity::Warning, kind, std::move(where), std::move(message));
}
Diagnostic &Diagnostics::note(std::string_view kind, Location where, std::string message) {
  return add(Severity::Note, kind, std::move(where), std::move(message));
}

std::string Diagnostics::render() const {
  std::string out;
  size_t errors = std::min(errors_, kRendered), others = kRendered - errors;  // notes never crowd out an error
  for (const Diagnostic &d : list_) {
    size_t &left = d.severity == Severity::Error ? errors : others;
    if (left == 0) continue;
    --left;
    out += fmt::format("{}{}: {} [{}]\n", prefix(d.where), severityName(d.severity), d.message, d.kind);
    renderSnippet(d.where, out);
    for (const Diagnostic::Note &note : d.notes) out += fmt::format("{}note: {}\n", prefix(note.where), note.message);
  }
  if (list_.size() > kRendered) out += fmt::format("... and {} more messages\n", list_.size() - kRendered);
  return out;
}

}  // namespace rtmc
