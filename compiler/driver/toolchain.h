// Owns: finding our own files beside the executable, the C++ compiler, and building a shared library from generated
// text.
#pragma once

#include "driver/options.h"
#include "support/files.h"

#include <llvm/Support/Error.h>

#include <string>
#include <vector>

namespace rtmc::driver {

/// Folder with rtm/rtm.h: include/ beside the executable's folder, in a build tree as in an installed one.
std::string runtimeIncludeFolder();
/// rtmc-runner: beside this executable, else in PATH; "" where there is none.
std::string findRunner();

struct Toolchain {
  std::vector<std::string> compiler;  // program and its own words
  std::vector<std::string> flags;
  std::string version;  // first line of --version
};

/// --cxx, else $CXX, clang++-19, g++; for a foreign triple TRIPLE-g++, else clang++-19 --target.
llvm::Expected<Toolchain> findToolchain(const CommandLine &line, const std::string &triple, bool foreign);

struct BuiltLibrary {
  std::string path;
  double seconds = 0;
  uint64_t codeBytes = 0;  // of executable sections
};

/// Compiles `sources[0]` (the others beside it) in `folder`. An error holds the compiler's first lines.
llvm::Expected<BuiltLibrary> buildLibrary(const Toolchain &, const std::string &folder, const std::string &name,
                                          const std::vector<OutputFile> &files, unsigned timeoutSeconds);

}  // namespace rtmc::driver
