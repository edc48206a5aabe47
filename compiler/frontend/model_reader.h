// Owns: the reading of one layer's map, for model_reader.cpp.
#pragma once

#include "frontend/model_spec.h"
#include "frontend/schema.h"

namespace rtmc::frontend {

/// Reads the keys that belong to the layer's op alone, tensors and promises: everything but name, input and range.
/// `layer.op` is set as `spec.op` says. False: sizes or op are wrong.
bool readLayerBody(MapReader &map, ir::Layer &layer, LayerSpec &spec, Diagnostics &diagnostics);

}  // namespace rtmc::frontend
