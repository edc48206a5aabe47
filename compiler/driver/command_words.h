// Owns: a command before it runs: its words, its program's path, its environment.
// Refuses to own: running it (driver/subprocess.h).
#pragma once

#include <llvm/Support/Error.h>

#include <string>
#include <vector>

namespace rtmc::driver {

/// Full path of a program: as given where it has a slash and can be executed, else from PATH; "" where there is none.
std::string findProgram(const std::string &name);

/// Splits as a shell does for words, quotes and backslashes; nothing is expanded.
llvm::Expected<std::vector<std::string>> splitCommand(const std::string &text);

/// Our environment with `more` added, which replaces variables of the same names: what execve takes. Points into
/// `more`.
std::vector<char *> environmentWith(const std::vector<std::string> &more);

}  // namespace rtmc::driver
