// Owns: the list of commands. Each lives in a file of its own under commands/ and returns an exit status.
#pragma once

#include "driver/options.h"

namespace rtmc::driver {

int compileCommand(const CommandLine &);
int inspectCommand(const CommandLine &);
int runCommand(const CommandLine &);
int verifyCommand(const CommandLine &);
int benchCommand(const CommandLine &);
int machineCommand(const CommandLine &);
int optCommand(const CommandLine &);
int dumpCommand(const CommandLine &);
int pruneCommand(const CommandLine &);

}  // namespace rtmc::driver
