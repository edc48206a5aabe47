// Owns: sequences as .npy files: [steps, width], float32, C order, little-endian. Anything else is the user's mistake.
#pragma once

#include "support/diagnostics.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rtmc::driver {

struct Sequence {
  uint64_t steps = 0;
  uint32_t width = 0;
  std::vector<float> values;  // [steps, width]
};

/// Reads `path`; `width` is what the network takes per step. nullopt: `diagnostics` tells; `environment` is set where
/// the file could not be read.
std::optional<Sequence> readNpy(const std::string &path, uint32_t width, Diagnostics &diagnostics, bool &environment);

/// The file's bytes.
std::string writeNpy(const Sequence &);

}  // namespace rtmc::driver
