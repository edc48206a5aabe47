// Owns: from files to a checked network IR. Every mistake of the user's becomes a diagnostic with its place.
#pragma once

#include "ir/network.h"
#include "support/diagnostics.h"

#include <functional>
#include <memory>
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

/// A matrix that a layer has, whether its weights have been read or not.
struct MatrixInfo {
  std::string name;  // canonical: "gru0.weight_hh_reverse"
  uint32_t layer = 0;
  uint32_t gates = 1;
  uint32_t rows = 0, columns = 0;  // of one gate
};

/// A model whose tensors are read one after the other, for models that should not be in memory as a whole.
class ModelStream {
 public:
  ModelStream();
  ~ModelStream();
  /// The model's text and the names in its weight files. False: `diagnostics` has errors. Then the weights have been
  /// looked at as far as that was possible, so that all mistakes are told together.
  bool open(const std::string &path, Diagnostics &diagnostics);
  /// Without tensors.
  const ir::Network &network() const;
  const std::vector<std::string> &files() const;
  /// In the order of readTensors.
  std::vector<MatrixInfo> matrices() const;

  struct NamedTensor {
    ir::Tensor tensor;  // canonical name and gate order; the mask attached but not applied
    std::string role;   // its name in its layer: "weight_hh"
    bool matrix = false;
    std::string dtype;  // as .safetensors name it: "F32", or "F16" or "BF16", which hold all of its values
  };
  /// All tensors, layer by layer; absent biases are left out. False: `diagnostics` has errors, and what was given so
  /// far is not to be used. May be called again.
  bool readTensors(const std::function<void(NamedTensor)> &take, Diagnostics &diagnostics);
  /// After an error: what failed was the environment alone.
  bool environmentFailed(const Diagnostics &) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace rtmc::frontend
