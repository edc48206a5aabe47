// Owns: what a pass asks of the module that it gets, checked before it runs. The pipeline's own order always gives it;
// an IR file that was edited, or passes that were asked for one by one, may not, and that is the user's mistake.
// Refuses to own: whether the IR is right in itself (ir/kernel_verify.h).
#pragma once

#include "passes/pass.h"

#include <string>
#include <string_view>

namespace rtmc::passes {

/// Why a pass cannot run on this module, as a message for the user; "": it can.
std::string whatIsMissing(std::string_view pass, const Module &);

/// The same for a backend, which needs what pack establishes.
std::string whatBackendsMiss(const Module &);

}  // namespace rtmc::passes
