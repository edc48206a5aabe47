// Owns: the text of what a model tells the runtime: struct members, constants, state and start-value tables, sections.
#pragma once

#include "backend/layout.h"
#include "backend/text.h"
#include "ir/kernel.h"

#include <string>
#include <vector>

namespace rtmc::backend {

std::string buffersMembers(const ir::Program &, const Layout &);
std::string weightsMembers(const Layout &);
/// `buffers()`, `weights()`, `inputs()`, `outputs()`.
std::string accessors(const Layout &);
/// Const buffers that stand in the text.
std::string constantArrays(const ir::Program &, const Layout &);

struct ModelTables {
  std::string text;
  std::string numbers;  // long tables that `text` refers to: for the end of the file
  uint32_t stateCount = 0, initCount = 0;
};
/// kPhases, kSections, kStates, kInits. `phases`: function names in order.
ModelTables modelTables(const ir::Program &, const Layout &, const std::vector<std::string> &phases);

/// The comment at the top: what was compiled for what, and a line per matrix.
std::string banner(const ir::Program &, const Layout &, const std::string &target);

}  // namespace rtmc::backend
