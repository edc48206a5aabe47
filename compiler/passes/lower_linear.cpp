// Linear layers as phases: one for the product and an elementwise activation, one more for softmax. In chunks of steps
// the product is a section of its own.
#include "passes/lowering.h"

#include <cmath>

namespace rtmc::passes {

using namespace ir;

namespace {

EwOp activationOp(Activation activation) {
  switch (activation) {
    case Activation::Relu:
      return EwOp::Relu;
    case Activation::Sigmoid:
      return EwOp::Sigmoid;
    default:
      return EwOp::Tanh;
  }
}

float activate(Activation activation, float v) {
  switch (activation) {
    case Activation::Relu:
      return v > 0 ? v : 0;
    case Activation::Sigmoid:
      return static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(v))));
    case Activation::Tanh:
      return static_cast<float>(std::tanh(static_cast<double>(v)));
    default:
      return v;
  }
}

bool isSoftmax(Activation a) {
  return a == Activation::Softmax || a == Activation::LogSoftmax;
}

}  // namespace

void Lowering::lowerLinear(uint32_t index) {
  const Layer &layer = network_.layers[index];
  const Linear &op = std::get<Linear>(layer.op);
  Recurrence shim;  // lets the gate helpers see the constant rows of a layer that has no directions
  if (!op.constantRows.empty()) shim.constantRows = {op.constantRows};
  Cell cell;
  cell.layer = &layer;
  cell.tensors = &shim;
  cell.name = layer.name;
  cell.units = layer.size;
  cell.space = unitSpace(layer, 0, layer.name);
  cell.x = sourcesOf(layer);
  cell.outputs = outputOffsets({ValueRef::Kind::Layer, index});
  if (chunk_ > 1) newInputSection(cell);
  newSection(layer.name, false);

  const auto bias = [&](uint32_t row) { return op.bias.present() ? op.bias.values[row] : 0.0f; };
  const auto constant = [&](float v) { return activate(op.activation, v); };
  Gate gate = makeGate(cell, 0, "a", bias, constant);
  Phase phase = newPhase(cell, "linear");
  addBias(inputPhase(phase), gate, gate.name + "_bias", bias);
  addProducts(inputPhase(phase), gate, op.weight, 0, layer.size, cell.x, layer.name + ".weight.y", op.structure);

  const Id y = addVector(program_, layer.name + "_y", cell.space, Lifetime::Scratch, "output of the layer");
  program_.buffers[y].allSteps = layered();
  if (layer.range)
    program_.buffers[y].range = layer.range;
  else if (op.activation == Activation::Sigmoid || op.activation == Activation::Tanh ||
           op.activation == Activation::Softmax)
    program_.buffers[y].range = Range{-1, 1};
  const bool softmax = isSoftmax(op.activation);
  const bool plain = softmax || op.activation == Activation::None;
  if (gate.pre != kNone && !gate.allLive()) {  // constant rows: the live ones are scattered into the full vector
    ElementwiseBuilder compact(gate.name, gate.space, static_cast<uint32_t>(gate.live.size()));
    uint32_t value = compact.load(gate.pre, "pre");
    if (!plain) value = compact.op(activationOp(op.activation), "value", value);
    compact.store(gate.value, value);
    phase.ops.emplace_back(compact.take());
  }
  ElementwiseBuilder builder(layer.name + "_activation", cell.space, layer.size);
  uint32_t value = 0;
  if (gate.allLive()) {
    value = builder.load(gate.pre, "pre");
    if (!plain) value = builder.op(activationOp(op.activation), "y", value);
  } else {
    value = builder.load(gate.value, "y");
  }
  const Id logits = softmax ? addVector(program_, layer.name + "_logits", cell.space, Lifetime::Scratch, "") : y;
  builder.store(logits, value);
  if (!softmax) storeOutputs(builder, cell, value);
  phase.ops.emplace_back(builder.take());
  section().phases.push_back(std::move(phase));

  if (softmax) {
    Phase normalise = newPhase(cell, "softmax");
    const bool log = op.activation == Activation::LogSoftmax;
    const auto add = [&](Id out, uint32_t offset) {
      Softmax softmaxOp;
      softmaxOp.name = layer.name + "_softmax";
      softmaxOp.in = logits;
      softmaxOp.out = out;
      softmaxOp.offset = offset;
      softmaxOp.count = layer.size;
      softmaxOp.log = log;
      normalise.ops.emplace_back(softmaxOp);
    };
    for (uint32_t offset : cell.outputs) add(out_, offset);
    if (isRead(index) || cell.outputs.empty()) add(y, 0);
    section().phases.push_back(std::move(normalise));
  }
  if (chunk_ > 1) dropEmptyInputSection();
  const Buffer &held = program_.buffers[y];
  values_[index].push_back({y, 0, held.size, held.space});
}

}  // namespace rtmc::passes
