// Owns: the walk over a parsed source that proves constant indices to lie inside their arrays.
#pragma once

#include "backend/clang_check/clang_check.h"

#include <string>
#include <vector>

namespace clang {
class ASTContext;
}

namespace rtmc::clang_check {

struct Violation {
  unsigned line = 0, column = 0;
  std::string message;
};

/// Every constant index of the main file that leaves its array, in source order.
std::vector<Violation> checkBounds(clang::ASTContext &context, Report &report);

}  // namespace rtmc::clang_check
