// Owns: the proof, with Clang's libraries and before a file is written, that an emitted source compiles for its target
// and that every constant index in it lies inside its array. Header with none of Clang's, library that alone links it.
// Refuses to own: packed index tables (ir::verify proves those), and emission (backend/emit_cpp.h).
//
// What is proven: `array[k]`, `array + k`, and the same through references, casts and parameters, wherever k is
// constant and the array's size is known; a parameter's size is what all its callers pass. One past the end is allowed
// for an address. Loads and stores of whole vectors from such an address must end inside the array too. The literal of
// the weights is not parsed: its words are counted and compared with its declared size.
#pragma once

#include <llvm/Support/Error.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rtmc::clang_check {

struct Source {
  std::string_view name;  // for messages: "kernel.cpp"
  std::string_view text;
  /// Headers beside it: name as included and text. The runtime's and <stdint.h>, <stddef.h> are built in.
  std::vector<std::pair<std::string_view, std::string_view>> headers;
  std::string_view triple;  // "portable" or one that Clang does not know: parsed for this machine
};

/// How much was proven, for tests and -v.
struct Report {
  unsigned indices = 0;  // constant indices and offsets whose array is known
  unsigned unknown = 0;  // constant indices into what has no known size
};

/// Success, or an error that lists the first mistakes as "kernel.cpp:12:5: ..." with the line of text.
llvm::Error checkSource(const Source &source, Report *report = nullptr);

}  // namespace rtmc::clang_check
