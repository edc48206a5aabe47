// Owns: from named tensors in weight files to the tensors of the network: shapes, masks, gate order, finiteness.
#pragma once

#include "frontend/model_spec.h"
#include "frontend/weight_files.h"

namespace rtmc::frontend {

/// Fills the tensors of every complete layer. Mistakes are reported, as many as there are.
///
/// Masks: where `<tensor>_mask` exists (or `<tensor>_orig` with it), it decides; a weight that is not finite under a
/// zero of the mask is no mistake and becomes zero, as nothing reads it.
void loadTensors(ModelSpec &spec, WeightStore &store, Diagnostics &diagnostics);

}  // namespace rtmc::frontend
