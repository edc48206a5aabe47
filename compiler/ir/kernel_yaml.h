// Owns: the kernel IR as YAML text and back (see network_yaml.h for where constants stand), and schedules on their own.
#pragma once

#include "ir/kernel.h"
#include "ir/network_yaml.h"

#include <llvm/Support/Error.h>

#include <map>
#include <string>

namespace rtmc::ir {

Printed print(const Program &, const std::string &constantsName);
llvm::Expected<Program> parseProgram(const std::string &yaml, const std::string &directory);

/// The `schedules:` map of a kernel IR file, or a file that has only that: weights name, pattern hash or "*" to
/// schedule. Keys that a schedule leaves out are those of `defaults`.
llvm::Expected<std::map<std::string, Schedule>> parseSchedules(const std::string &yaml, const Schedule &defaults = {});

}  // namespace rtmc::ir
