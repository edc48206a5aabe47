// Owns: one function per phase of a program, and which helpers their text needs.
#pragma once

#include "backend/emit_elementwise.h"
#include "backend/emit_matmul.h"
#include "backend/layout.h"
#include "backend/text.h"
#include "ir/kernel.h"

#include <string>
#include <vector>

namespace rtmc::backend {

class PhaseEmitter {
 public:
  /// Index maps go to the layout's blob. `lanes`: floats of the target's vectors.
  PhaseEmitter(const ir::Program &program, Layout &layout, uint32_t lanes, const MatMulEmitter &matMuls);

  const std::string &text() const { return out_.str(); }
  /// Functions in the order of the program.
  const std::vector<std::string> &names() const { return functions_; }
  const HelperUse &helpers() const { return use_; }

 private:
  /// `perChunk`: the phase does all steps of a chunk, one operation after the other.
  void emitPhase(const ir::Phase &, bool perChunk);
  void emitOperation(Text &out, const ir::Operation &, bool perChunk);
  void emitMatMul(Text &out, const ir::MatMul &);

  const ir::Program &program_;
  Layout &layout_;
  const uint32_t lanes_;
  const MatMulEmitter &matMuls_;
  Text out_;
  NameTable names_;
  std::vector<std::string> functions_;
  HelperUse use_;
};

}  // namespace rtmc::backend
