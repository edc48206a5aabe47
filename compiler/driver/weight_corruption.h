// Owns: damage on purpose: one kept weight of a packed program set to zero, so that a test can see verify fail.
#pragma once

#include "ir/kernel.h"

#include <cstdint>
#include <string>

namespace rtmc::driver {

/// Sets kept weight `number` (modulo their count, counted over all matrices) to zero in the packed bytes. Weights that
/// storage rounds to zero do not count. Returns its name and place, "" where there is none.
std::string corruptWeight(ir::Program &, uint64_t number);

}  // namespace rtmc::driver
