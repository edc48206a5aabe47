// Owns: the interface of every backend, and the registry as one readable list.
#pragma once

#include "ir/kernel.h"
#include "passes/pass.h"
#include "support/diagnostics.h"
#include "support/files.h"

#include <memory>
#include <string>
#include <vector>

namespace rtmc::backend {

struct EmitOptions {
  std::string outputPath;    // "out/kernel.cpp": names the header and the blob; only the stem reaches the text
  bool weightsBlob = false;  // --weights blob
  uint64_t unrollBudgetBytes = 4u << 20;  // text that `full` may add
};

struct Emitted {
  std::vector<OutputFile> files;  // the source first
  uint64_t codeBytes = 0;         // text without the weights
};

struct Backend {
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;
  /// Traits of a processor; an error in `diagnostics` where target, cpu or precision cannot be served.
  virtual std::optional<passes::TargetTraits> traits(const std::string &triple, const std::string &cpu, Precision,
                                                     Diagnostics &diagnostics) const = 0;
  /// Source for a packed program. Reports to `diagnostics` (a refused unroll is a note).
  virtual std::optional<Emitted> emit(const ir::Program &, const EmitOptions &, Diagnostics &diagnostics) const = 0;
};

/// "cpp" now; nullptr: no such backend.
const Backend *findBackend(std::string_view name);
std::vector<std::string> backendNames();

}  // namespace rtmc::backend
