// Owns: a network's structure as model.yaml (contract, version 1), tensors under their canonical names in canonical
// gate order. Refuses to own: the weights (support/safetensors_writer.h).
#pragma once

#include "ir/network.h"

#include <map>
#include <string>

namespace rtmc::frontend {

/// `weights`: the weight file relative to the model. `promises`: of matrices by canonical name; a matrix that has none
/// is not in it. What the tensors in `network` hold does not matter.
std::string writeModel(const ir::Network &network, const std::string &weights,
                       const std::map<std::string, ir::Structure> &promises);

}  // namespace rtmc::frontend
