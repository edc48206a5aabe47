// Owns: small helpers with which lower-cells writes a program: buffers, spaces, elementwise bodies, matrices.
// Refuses to own: what a cell means (lower_gru.cpp and its siblings).
#pragma once

#include "ir/kernel.h"

#include <span>
#include <string>
#include <vector>

namespace rtmc::passes {

/// Writes one Elementwise, instruction by instruction; each method returns the index of its value.
class ElementwiseBuilder {
 public:
  ElementwiseBuilder(std::string name, ir::Id space, uint32_t count);
  uint32_t load(ir::Id buffer, std::string name, uint32_t offset = 0);
  void store(ir::Id buffer, uint32_t value, uint32_t offset = 0);
  uint32_t constant(float value, std::string name);
  uint32_t op(ir::EwOp op, std::string name, uint32_t a, uint32_t b = ir::kNone, uint32_t c = ir::kNone);
  ir::Elementwise take() { return std::move(op_); }

 private:
  uint32_t push(ir::EwInstr instr);
  ir::Elementwise op_;
};

ir::Id addSpace(ir::Program &, const std::string &name, uint32_t size, ir::Id parent, std::vector<uint32_t> order,
                uint32_t userSize);
ir::Id addBuffer(ir::Program &, ir::Buffer buffer);
/// A scratch or state vector of a space's size.
ir::Id addVector(ir::Program &, std::string name, ir::Id space, ir::Lifetime lifetime, std::string comment);

/// Rewrites every Elementwise's `map` and `mapped` from the spaces: a buffer of the domain's own space is read in
/// place, one of the parent space through the compact order, the user's output through the root order.
void refreshMaps(ir::Program &);

/// The order of a space as a permutation, identity spelled out.
std::vector<uint32_t> orderOf(const ir::Space &);

}  // namespace rtmc::passes
