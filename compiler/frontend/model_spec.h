// Owns: what model.yaml says, checked in itself: names, sizes, references, promises; tensors still by name.
// Refuses to own: weights (weight_files.h, layer_tensors.h).
#pragma once

#include "frontend/yaml_node.h"
#include "ir/network.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rtmc::frontend {

inline constexpr uint32_t kMaxSize = 1 << 20;              // of one input or layer
inline constexpr uint64_t kMaxVector = uint64_t{1} << 24;  // of a concatenation

/// A tensor that the user renamed.
struct TensorNames {
  std::vector<std::string> sources;  // one, or one per gate in the order of gate_order; none after an error
  bool list = false;
  Location where;  // of the key
};

struct WeightFileName {
  std::string text;
  Location where;
};

/// What the network IR does not keep of a layer. Parallel to ModelSpec::network.layers.
struct LayerSpec {
  std::string op;         // "gru"; empty: unknown
  bool complete = false;  // op, sizes and inputs are right, so that its tensors can be checked
  Location sizeWhere, projectionWhere;
  std::vector<uint32_t> gateOrder;                // canonical gate per place in the file; empty: canonical order
  std::map<std::string, TensorNames> tensors;     // "weight_hh_reverse", "weight_ih_mask" -> names in the weight files
  std::map<std::string, ir::Structure> promises;  // per tensor; "" for the whole layer
};

struct ModelSpec {
  ir::Network network;  // complete but for the tensors; a wrong size is 0
  std::vector<LayerSpec> layers;
  std::vector<WeightFileName> weights;
};

/// Reads as much as can be understood; `diagnostics` has an error for what cannot. nullopt: nothing can.
std::optional<ModelSpec> readModel(const std::shared_ptr<const SourceFile> &file, Diagnostics &diagnostics);

}  // namespace rtmc::frontend
