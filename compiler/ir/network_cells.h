// Owns: a network's layers without their tensors, as the interpreter steps them: gates cut from the stacked tensors,
// their kept weights compressed, one product per source that they read.
// Refuses to own: what a cell computes (network_interpreter.cpp).
#pragma once

#include "ir/network_interpreter.h"
#include "ir/row_sums.h"

#include <optional>
#include <vector>

namespace rtmc::ir {

/// One direction of a recurrent layer: per gate the rows' sums over the layer's input and over its own state.
struct Cell {
  std::vector<GateRows> input, hidden;  // per gate
  std::vector<float> peephole;
  std::optional<GateRows> projection;
};

/// A layer without its tensors.
struct CompiledLayer {
  enum class Op { Gru, Lstm, Rnn, Linear } op = Op::Linear;
  uint32_t units = 0;  // per direction, dropped ones not counted
  uint32_t userUnits = 0;
  uint32_t outputs = 0;  // per direction
  bool projected = false;
  bool resetAfter = false;
  Activation activation = Activation::None;
  Direction direction = Direction::Forward;
  std::vector<ValueRef> inputs;
  std::vector<std::vector<uint32_t>> keptUnits;
  std::optional<GateRows> rows;  // linear layers
  std::vector<Cell> cells;       // recurrent layers, per direction
};

CompiledLayer compileLayer(const Network &, const Layer &, const InterpreterOptions &);

}  // namespace rtmc::ir
