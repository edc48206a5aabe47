// Owns: telling IR files from models, and reading and writing them with their constants beside them.
#pragma once

#include "passes/pass.h"
#include "support/files.h"

#include <llvm/Support/Error.h>

#include <string>
#include <vector>

namespace rtmc::driver {

/// Whether a file looks like an IR file and not like a model; false also where it cannot be read.
bool isIrFile(const std::string &path);
llvm::Expected<passes::Module> readIr(const std::string &path);

/// The text of whatever the module holds and, for `path` "", nothing else: large constants are then only referenced.
std::vector<OutputFile> printIr(const passes::Module &, const std::string &path);

/// Stem of a path: "out/kernel.cpp" -> "kernel".
std::string stemOf(const std::string &path);
std::string folderOf(const std::string &path);

}  // namespace rtmc::driver
