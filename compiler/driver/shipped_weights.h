// Owns: the weights that a built library really holds, in the user's coordinates, compared with those of the model
// file. Refuses to own: where tables lie in the blob (backend/layout.h), what packed bytes mean (ir::expand).
#pragma once

#include "ir/kernel.h"
#include "ir/network.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace rtmc::driver {

/// The parsed network with masked weights set to zero: the reference.
ir::Network maskedNetwork(const ir::Network &parsed);

/// A program whose packed bytes are those of `blob`. An error (text) where the blob is too short.
std::string readBack(const ir::Program &program, std::span<const uint8_t> blob, ir::Program &shipped);

struct WeightCheck {
  uint64_t kept = 0;     // weights that the library holds
  uint64_t dropped = 0;  // kept by the model, but only of units that fold-constants dropped or constant gates
  uint64_t mismatches = 0;
  double largestError = 0;            // in units of the last place of the storage precision
  std::vector<std::string> messages;  // the first few mismatches
};

/// Compares every matrix of `shipped` with `reference` and puts the shipped values into it: what verify then runs. A
/// weight must be within half a unit of its storage precision, a pruned one must be zero. Only whole rows may be absent
/// (fold-constants drops those that nobody needs), and no more weights than the program says.
WeightCheck adoptShippedWeights(const ir::Program &shipped, ir::Network &reference);

}  // namespace rtmc::driver
