// Owns: what stands around a kernel's body: its comment, its parameters, the names that it takes from rtm::simd.
#pragma once

#include "backend/kernel_facts.h"

namespace rtmc::backend {

std::string kernelTitle(const KernelFacts &);
/// With the bracket that closes the list and the one that opens the body.
std::string kernelParameters(const KernelFacts &);
/// The surroundings may have functions of the same names.
std::string kernelUsing(const KernelFacts &);

}  // namespace rtmc::backend
