// Owns: from files to a checked network IR. Every mistake of the user's becomes a diagnostic with its place.
#pragma once

#include "ir/network.h"
#include "support/diagnostics.h"

#include <optional>
#include <string>
#include <vector>

namespace rtmc::frontend {

struct Loaded {
  ir::Network network;             // tensors in canonical gate order, masks attached but not applied
  std::vector<std::string> files;  // every file that was read, for the depfile
};

/// Reads model.yaml (contract, version 1) and its weights. nullopt: `diagnostics` has errors; `environment` is set when
/// what failed was the environment (a file that cannot be read), which is exit status 2.
std::optional<Loaded> loadModel(const std::string &path, Diagnostics &diagnostics, bool *environment = nullptr);

}  // namespace rtmc::frontend
