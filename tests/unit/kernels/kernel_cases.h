// Owns: which kernels the tests generate for an instruction set, as one source file for harness/kernel_harness.cpp.
#pragma once

#include "unit/kernels/toolchains.h"

#include <string>

namespace rtmc::test {

std::string kernelProgram(const IsaCase &);

}  // namespace rtmc::test
