// Owns: user-facing messages with a place in a file (error, warning, note) and their rendering with a caret.
// Refuses to own: failures of the environment (llvm::Expected) and our own bugs (RTMC_CHECK in support/check.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rtmc {

/// A file kept for diagnostics: its path as the user gave it and its text.
struct SourceFile {
  std::string path;
  std::string text;
};

/// A place in a file. `line` and `column` are 1-based and count bytes; 0 means "the whole file".
/// `length` is how many bytes the caret underlines (at least 1).
struct Location {
  std::shared_ptr<const SourceFile> file;  // null: no place known
  uint32_t line = 0;
  uint32_t column = 0;
  uint32_t length = 1;
};

enum class Severity { Error, Warning, Note };

/// `kind` is the stable name in brackets (`weight-shape`); it must stand in support/diagnostic_kinds.def.
struct Diagnostic {
  Severity severity = Severity::Error;
  std::string kind;
  Location where;
  std::string message;  // lower case, no final period; what was found and what is needed
  struct Note {
    Location where;
    std::string message;
  };
  std::vector<Note> notes;
};

/// One line of support/diagnostic_kinds.def.
struct DiagnosticKind {
  std::string_view name;
  std::string_view explanation;
};
std::span<const DiagnosticKind> diagnosticKinds();

/// Collects diagnostics in order. Not thread-safe.
class Diagnostics {
 public:
  Diagnostic &error(std::string_view kind, Location where, std::string message);
  Diagnostic &warning(std::string_view kind, Location where, std::string message);
  Diagnostic &note(std::string_view kind, Location where, std::string message);
  bool hasErrors() const { return errors_ != 0; }
  const std::vector<Diagnostic> &all() const { return list_; }
  /// The whole list as text in the form of the contract: `file:line:col: error: message [kind]`, the line, the caret.
  std::string render() const;

 private:
  Diagnostic &add(Severity, std::string_view kind, Location, std::string message);
  std::vector<Diagnostic> list_;
  size_t errors_ = 0;
};

/// The candidate nearest to `name` by edit distance, or "" where none is close enough to be a slip.
std::string nearestName(std::string_view name, const std::vector<std::string> &candidates);

}  // namespace rtmc
