// Owns: from named tensors in weight files to the tensors of the network: shapes, masks, gate order, finiteness.
#pragma once

#include "frontend/model_spec.h"
#include "frontend/roles.h"
#include "frontend/weight_files.h"

#include <functional>

namespace rtmc::frontend {

/// Takes a tensor that was read; `dtype` is that of all of its pieces in the files, or F32 where they differ.
using TensorSink = std::function<void(ir::Layer &, const Role &, ir::Tensor, Dtype)>;

/// Reads the tensors of every complete layer, one after the other, and gives each to `sink`; absent biases are left
/// out. Mistakes are reported, as many as there are.
///
/// Masks: where `<tensor>_mask` exists (or `<tensor>_orig` with it), it decides; a weight that is not finite under a
/// zero of the mask is no mistake and becomes zero, as nothing reads it.
void loadTensors(ModelSpec &spec, WeightStore &store, Diagnostics &diagnostics, const TensorSink &sink);

}  // namespace rtmc::frontend
