// Owns: the one answer to which buffers an operation reads and writes.
// Refuses to own: which elements of them (kernel_verify_shares.cpp).
#pragma once

#include "ir/kernel.h"

namespace rtmc::ir {

/// Calls fn(buffer, whether it is written) for everything that an operation touches.
template <typename Fn>
void forEachAccess(const Operation &operation, Fn &&fn) {
  if (const auto *m = std::get_if<MatMul>(&operation)) {
    fn(m->x, false);
    fn(m->y, false);  // y += W x
    fn(m->y, true);
  } else if (const auto *e = std::get_if<Elementwise>(&operation)) {
    for (const EwInstr &instr : e->body)
      if (instr.op == EwOp::Load || instr.op == EwOp::Store) fn(instr.buffer, instr.op == EwOp::Store);
  } else if (const auto *s = std::get_if<Softmax>(&operation)) {
    fn(s->in, false);
    fn(s->out, true);
  }
}

}  // namespace rtmc::ir
