// Owns: the state that the files lower_*.cpp share while one network is lowered. Private to lower-cells.
#pragma once

#include "ir/network.h"
#include "passes/machine.h"
#include "passes/program_builder.h"

#include <functional>
#include <string>
#include <vector>

namespace rtmc::passes {

/// Where a reader finds (a part of) a value: `size` floats of `buffer` from `offset`, in the order of `space`.
struct Source {
  ir::Id buffer = ir::kNone;
  uint32_t offset = 0;
  uint32_t size = 0;
  ir::Id space = ir::kNone;
};

/// One gate of one direction: which of its rows are computed, and where its pre-activation goes.
struct Gate {
  std::string name;             // "gru0_z"
  std::vector<uint32_t> live;   // units with a computed row, ascending
  ir::Id units = ir::kNone;     // root space
  ir::Id space = ir::kNone;     // of the pre-activation: `units` when all rows are live, else a compact space
  ir::Id pre = ir::kNone;       // kNone: no live row
  ir::Id value = ir::kNone;     // activated gate for all units, where some rows are constant
  std::vector<float> constant;  // activated value of constant rows, per unit
  bool allLive() const { return space == units; }
};

/// A recurrent layer in one direction while it is lowered.
struct Cell {
  const ir::Layer *layer = nullptr;
  const ir::Recurrence *tensors = nullptr;
  std::string name;    // "gru0" or "gru0_reverse"
  uint32_t units = 0;  // H
  ir::Id space = ir::kNone;
  std::vector<Source> x;
  std::vector<uint32_t> outputs;  // offsets in `out` where the user sees this layer
  ir::Id history = ir::kNone;     // allSteps copy of h for readers in other sections
};

class Lowering {
 public:
  /// `chunk`: steps whose input products are computed at once; 1: none are.
  Lowering(const ir::Network &network, ir::Program &program, const Machine &machine, uint32_t chunk)
      : network_(network), program_(program), machine_(machine), chunk_(chunk) {}
  void run();

  // Shared by the cells.
  ir::Program &program() { return program_; }
  ir::Section &section() { return program_.sections.back(); }
  ir::Phase newPhase(const Cell &cell, const std::string &what) const;
  /// Where biases and input products go that the gates of `phase` start from: there, or into the section before, which
  /// runs for a chunk of steps.
  ir::Phase &inputPhase(ir::Phase &phase);
  /// Each layer has sections of its own: readers in other layers need what it put out in each step.
  bool layered() const { return !program_.causal || chunk_ > 1; }
  /// Whether another layer reads this one.
  bool isRead(uint32_t layer) const;

  /// `bias(u)`: what the gate's pre-activation starts from; `activation`: of constant rows.
  Gate makeGate(const Cell &cell, uint32_t gate, const std::string &suffix, const std::function<float(uint32_t)> &bias,
                const std::function<float(float)> &activation, bool neverConstant = false);
  /// pre = bias, then += every product; `tensor` is stacked by gates, `gate` picks H rows.
  void addProducts(ir::Phase &, const Gate &, const ir::Tensor &tensor, uint32_t gate, uint32_t rowsPerGate,
                   const std::vector<Source> &sources, const std::string &tensorName, const ir::Structure &structure);
  void addBias(ir::Phase &, const Gate &, const std::string &name, const std::function<float(uint32_t)> &bias);
  /// Operation that turns the live rows of a partly constant gate into `gate.value`; nothing for other gates.
  /// `peephole` (per unit) times buffer `cell` is added first where given.
  void addCompactGate(ir::Phase &, Gate &, ir::EwOp activation, const std::vector<float> *peephole = nullptr,
                      ir::Id cellState = ir::kNone);
  /// The gate's activated value inside an elementwise operation over all units.
  uint32_t gateValue(ElementwiseBuilder &, const Gate &, ir::EwOp activation, const std::string &name,
                     ir::Id peephole = ir::kNone, uint32_t cellValue = ir::kNone);
  /// Stores a unit's new output everywhere it is seen besides the state: the user's out and the history.
  void storeOutputs(ElementwiseBuilder &, const Cell &, uint32_t value);
  ir::Id constantVector(const std::string &name, ir::Id space, std::vector<float> values, const std::string &comment);

 private:
  bool worthCompact(const Cell &, uint32_t gate, size_t live) const;
  void lowerLayer(uint32_t index);
  void lowerRecurrent(uint32_t index);
  void lowerGru(Cell &);
  void lowerLstm(Cell &);
  void lowerRnn(Cell &);
  void lowerLinear(uint32_t index);
  void forwardInputsToOutputs();
  void newSection(const std::string &name, bool backward);
  void newInputSection(const Cell &cell);
  void dropEmptyInputSection();
  ir::Id unitSpace(const ir::Layer &, uint32_t direction, const std::string &name);
  std::vector<Source> sourcesOf(const ir::Layer &) const;
  std::vector<uint32_t> outputOffsets(ir::ValueRef) const;
  void addState(ir::Id buffer);
  void publish(uint32_t layer, const Cell &, ir::Id newest);
  ir::Id newestState(ir::Id state, bool doubleBuffered);

  const ir::Network &network_;
  ir::Program &program_;
  const Machine &machine_;
  const uint32_t chunk_;
  ir::Id in_ = ir::kNone, out_ = ir::kNone;
  std::vector<std::vector<Source>> values_;  // per layer
};

}  // namespace rtmc::passes
