// Owns: loading a model that a test states as text and tensors.
#pragma once

#include "frontend/frontend.h"
#include "unit/frontend/weight_builder.h"

#include <optional>
#include <string>
#include <vector>

namespace rtmc::test {

struct LoadResult {
  std::optional<frontend::Loaded> loaded;
  std::string messages;  // rendered
  bool environment = false;

  const ir::Network &network() const { return loaded.value().network; }  // throws where loading failed
};

/// Writes `yaml` and `files` into a folder of its own and loads the model. A `yaml` that starts with "layers:" gets the
/// other keys: input x of 3 values, weights.safetensors.
LoadResult loadFiles(const std::string &yaml, const std::vector<std::pair<std::string, std::string>> &files);
/// The same with one weights.safetensors of these tensors.
LoadResult load(const std::string &yaml, const std::vector<TestTensor> &tensors);

}  // namespace rtmc::test
