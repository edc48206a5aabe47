// Owns: the text of elementwise operations and softmax inside a phase function.
// Refuses to own: phases (backend/emit_cpp.cpp), matrices (backend/emit_matmul.h), and the helpers that the text calls
// (codegen_templates/cpp/helpers_*.in).
#pragma once

#include "backend/layout.h"
#include "backend/text.h"
#include "ir/kernel.h"

#include <string>

namespace rtmc::backend {

/// Helpers that the emitted text needs.
struct HelperUse {
  bool vectors = false, gather = false, scatter = false, half = false, softmax = false, stepRows = false;
};

/// Long index maps go to the layout's blob. `lanes`: floats of the target's vectors.
void emitElementwise(Text &out, const ir::Program &, const ir::Elementwise &, Layout &layout, uint32_t lanes,
                     HelperUse &use);
/// The same for all steps of a chunk.
void emitElementwiseOfChunk(Text &out, const ir::Program &, const ir::Elementwise &, Layout &layout, uint32_t lanes,
                            HelperUse &use);
void emitSoftmax(Text &out, const ir::Softmax &, const Layout &layout, HelperUse &use);

/// A float as C++ text that reads back exactly: "0.5f", "-1.17549435e-38f"; "rtmInfinity" forms never occur, values are
/// finite.
std::string floatText(float value);

}  // namespace rtmc::backend
