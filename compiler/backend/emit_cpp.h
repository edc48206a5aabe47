// Owns: the C++ backend: kernel.cpp, kernel.h and, where asked, the file of weights, for a packed program.
// Refuses to own: compiling them (driver), and the check that they compile (backend/clang_check).
#pragma once

#include "backend/backend.h"

#include <string>
#include <vector>

namespace rtmc::backend {

class CppBackend final : public Backend {
 public:
  std::string_view name() const override { return "cpp"; }
  std::optional<passes::TargetTraits> traits(const std::string &triple, const std::string &cpu, Precision,
                                             Diagnostics &diagnostics) const override;
  std::optional<Emitted> emit(const ir::Program &, const EmitOptions &, Diagnostics &diagnostics) const override;
};

/// What g++ or clang++ is called with, after -o and before the source, to make a library that can be loaded. The
/// caller adds -I for the runtime's headers and, with a file of weights, for the folder that holds it. No -march:
/// instruction sets are attributes in the source.
std::vector<std::string> compileFlags();

/// Where the literal of the weights begins in an emitted source; everything behind it is only that literal.
std::string_view weightsMarker();

}  // namespace rtmc::backend
