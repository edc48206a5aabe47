// GRU, LSTM and RNN as phases. The equations stand in docs and in ir/network_interpreter.cpp; here it is decided what
// shares a phase and which state needs two copies.
#include "passes/lowering.h"

#include <cmath>

namespace rtmc::passes {

using namespace ir;

namespace {

float sigmoidOf(float v) {
  return static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(v))));
}
float tanhOf(float v) {
  return static_cast<float>(std::tanh(static_cast<double>(v)));
}
float reluOf(float v) {
  return v > 0 ? v : 0;
}

/// Gate `gate`'s slice of a stacked bias; zero where the tensor is absent.
float biasAt(const Tensor &tensor, uint32_t gate, uint32_t units, uint32_t unit) {
  return tensor.present() ? tensor.values[size_t(gate) * units + unit] : 0.0f;
}

std::function<float(uint32_t)> summedBias(const Cell &cell, uint32_t gate) {
  return [&cell, gate](uint32_t unit) {
    return biasAt(cell.tensors->biasIh, gate, cell.units, unit) + biasAt(cell.tensors->biasHh, gate, cell.units, unit);
  };
}

Structure structureAt(const std::vector<Structure> &list, uint32_t gate) {
  return gate < list.size() ? list[gate] : Structure{};
}

std::string weightName(const Cell &cell, const char *tensor, std::string_view gate) {
  const bool reverse = cell.name.size() > cell.layer->name.size();
  return cell.layer->name + "." + tensor + (reverse ? "_reverse" : "") + "." + std::string(gate);
}

void addInputProducts(Lowering &lowering, Phase &phase, const Cell &cell, const Gate &gate, uint32_t index) {
  lowering.addProducts(phase, gate, cell.tensors->weightIh, index, cell.units, cell.x,
                       weightName(cell, "weight_ih", gateName(*cell.layer, index)),
                       structureAt(cell.tensors->structureIh, index));
}

void addStateProducts(Lowering &lowering, Phase &phase, const Cell &cell, const Gate &gate, uint32_t index, Source h) {
  lowering.addProducts(phase, gate, cell.tensors->weightHh, index, cell.units, {h},
                       weightName(cell, "weight_hh", gateName(*cell.layer, index)),
                       structureAt(cell.tensors->structureHh, index));
}

/// A state that its cell keeps in [-1, 1], unless the user promised something else.
void setRange(Program &program, const Cell &cell, Id buffer, bool bounded) {
  if (cell.layer->range)
    program.buffers[buffer].range = cell.layer->range;
  else if (bounded)
    program.buffers[buffer].range = Range{-1, 1};
}

Source whole(const Program &program, Id buffer) {
  return {buffer, 0, program.buffers[buffer].size, program.buffers[buffer].space};
}

}  // namespace

void Lowering::lowerGru(Cell &cell) {
  const uint32_t index = static_cast<uint32_t>(cell.layer - network_.layers.data());
  const bool after = std::get<Gru>(cell.layer->op).resetAfter;
  const Id h = addVector(program_, cell.name + "_h", cell.space, Lifetime::State, "hidden state");
  addState(h);
  if (layered() && isRead(index)) {
    cell.history = addVector(program_, cell.name + "_y", cell.space, Lifetime::Scratch, "h of every step");
    program_.buffers[cell.history].allSteps = true;
  }
  setRange(program_, cell, h, true);
  if (cell.history != kNone) setRange(program_, cell, cell.history, true);
  const auto biasR = summedBias(cell, 0), biasZ = summedBias(cell, 1);
  const auto biasN = [&](uint32_t unit) {
    return biasAt(cell.tensors->biasIh, 2, cell.units, unit) +
           (after ? 0.0f : biasAt(cell.tensors->biasHh, 2, cell.units, unit));
  };
  Gate r = makeGate(cell, 0, "r", biasR, sigmoidOf);
  Gate z = makeGate(cell, 1, "z", biasZ, sigmoidOf);
  const Source state = whole(program_, h);

  Phase gates = newPhase(cell, after ? "gates and update" : "reset and update gates");
  Phase &inputs = inputPhase(gates);
  addBias(inputs, r, r.name + "_bias", biasR);
  addBias(inputs, z, z.name + "_bias", biasZ);
  addInputProducts(*this, inputs, cell, r, 0);
  addInputProducts(*this, inputs, cell, z, 1);
  addStateProducts(*this, gates, cell, r, 0, state);
  addStateProducts(*this, gates, cell, z, 1, state);

  const Id newest = newestState(h, after);
  const auto update = [&](ElementwiseBuilder &builder, uint32_t n) {
    const uint32_t zv = gateValue(builder, z, EwOp::Sigmoid, "z");
    const uint32_t next = builder.op(EwOp::Lerp, "h_new", zv, builder.load(h, "h"), n);
    builder.store(newest, next);
    storeOutputs(builder, cell, next);
  };

  if (!after) {
    addCompactGate(gates, r, EwOp::Sigmoid);
    addCompactGate(gates, z, EwOp::Sigmoid);
    const Id rh = addVector(program_, cell.name + "_rh", cell.space, Lifetime::Scratch, "reset state");
    setRange(program_, cell, rh, true);
    ElementwiseBuilder reset(cell.name + "_reset", cell.space, cell.units);
    const uint32_t rv = gateValue(reset, r, EwOp::Sigmoid, "r");
    reset.store(rh, reset.op(EwOp::Mul, "rh", rv, reset.load(h, "h")));
    gates.ops.emplace_back(reset.take());
    section().phases.push_back(std::move(gates));

    Gate n = makeGate(cell, 2, "n", biasN, tanhOf);
    Phase candidate = newPhase(cell, "candidate and new state");
    addBias(inputPhase(candidate), n, n.name + "_bias", biasN);
    addInputProducts(*this, inputPhase(candidate), cell, n, 2);
    addStateProducts(*this, candidate, cell, n, 2, whole(program_, rh));
    addCompactGate(candidate, n, EwOp::Tanh);
    ElementwiseBuilder builder(cell.name + "_update", cell.space, cell.units);
    update(builder, gateValue(builder, n, EwOp::Tanh, "n"));
    candidate.ops.emplace_back(builder.take());
    section().phases.push_back(std::move(candidate));
    publish(index, cell, newest);
    return;
  }

  // n = tanh(nx + r * nh): two sums that meet only in the gate. A folded n row has no weights and either no state bias
  // or a constant r, so its value is known.
  const auto biasNh = [&](uint32_t unit) { return biasAt(cell.tensors->biasHh, 2, cell.units, unit); };
  const auto constantN = [&](uint32_t unit) {
    return biasN(unit) + (r.constant.empty() ? 0.0f : r.constant[unit] * biasNh(unit));
  };
  Gate n = makeGate(cell, 2, "n", constantN, tanhOf);
  Gate nh = n;
  if (n.pre != kNone)
    nh.pre = addVector(program_, n.name + "h_pre", n.space, Lifetime::Scratch, "state part of the candidate");
  addBias(inputs, n, n.name + "_bias", biasN);
  addBias(gates, nh, n.name + "h_bias", biasNh);
  addInputProducts(*this, inputs, cell, n, 2);
  addStateProducts(*this, gates, cell, nh, 2, state);
  addCompactGate(gates, r, EwOp::Sigmoid);
  addCompactGate(gates, z, EwOp::Sigmoid);
  const auto candidateOf = [&](ElementwiseBuilder &builder, uint32_t rv) {
    const uint32_t inner = builder.load(nh.pre, "nh");
    return builder.op(EwOp::Tanh, "n", builder.op(EwOp::Fma, "n_pre", rv, inner, builder.load(n.pre, "nx")));
  };
  if (n.pre != kNone && !n.allLive()) {
    if (r.allLive()) {
      r.value = addVector(program_, r.name, cell.space, Lifetime::Scratch, "reset gate");
      ElementwiseBuilder reset(r.name, cell.space, cell.units);
      reset.store(r.value, gateValue(reset, r, EwOp::Sigmoid, "r"));
      gates.ops.emplace_back(reset.take());
    }
    ElementwiseBuilder compact(n.name, n.space, static_cast<uint32_t>(n.live.size()));
    compact.store(n.value, candidateOf(compact, compact.load(r.value, "r")));
    gates.ops.emplace_back(compact.take());
  }
  ElementwiseBuilder builder(cell.name + "_update", cell.space, cell.units);
  uint32_t nv = 0;
  if (n.allLive())
    nv = candidateOf(builder, gateValue(builder, r, EwOp::Sigmoid, "r"));
  else
    nv = gateValue(builder, n, EwOp::Tanh, "n");
  update(builder, nv);
  gates.ops.emplace_back(builder.take());
  section().phases.push_back(std::move(gates));
  publish(index, cell, newest);
}

void Lowering::lowerLstm(Cell &cell) {
  const uint32_t index = static_cast<uint32_t>(cell.layer - network_.layers.data());
  const Lstm &op = std::get<Lstm>(cell.layer->op);
  const bool projected = op.projection != 0;
  const Id outSpace =
      projected ? addSpace(program_, cell.name + "_p", op.projection, kNone, {}, op.projection) : cell.space;
  const Id h = addVector(program_, cell.name + "_h", outSpace, Lifetime::State, "hidden state");
  const Id c = addVector(program_, cell.name + "_c", cell.space, Lifetime::State, "cell state");
  addState(h);
  addState(c);
  if (layered() && isRead(index)) {
    cell.history = addVector(program_, cell.name + "_y", outSpace, Lifetime::Scratch, "h of every step");
    program_.buffers[cell.history].allSteps = true;
  }
  setRange(program_, cell, h, !projected);
  if (cell.history != kNone) setRange(program_, cell, cell.history, !projected);
  Gate gates[4];
  const char *const names[4] = {"i", "f", "g", "o"};
  const Source state = whole(program_, h);
  Phase phase = newPhase(cell, projected ? "gates and cell" : "gates and new state");
  for (uint32_t gate = 0; gate < 4; ++gate) {
    gates[gate] = makeGate(cell, gate, names[gate], summedBias(cell, gate), gate == 2 ? tanhOf : sigmoidOf);
    addBias(inputPhase(phase), gates[gate], gates[gate].name + "_bias", summedBias(cell, gate));
  }
  for (uint32_t gate = 0; gate < 4; ++gate) addInputProducts(*this, inputPhase(phase), cell, gates[gate], gate);
  for (uint32_t gate = 0; gate < 4; ++gate) addStateProducts(*this, phase, cell, gates[gate], gate, state);

  // Peepholes: i and f see the cell before, o the cell after the update.
  std::vector<float> peepholes[4];
  Id peepholeBuffers[4] = {kNone, kNone, kNone, kNone};
  if (op.peepholes && cell.tensors->peephole.present()) {
    const uint32_t slices[4] = {0, 1, kNone, 2};
    for (uint32_t gate = 0; gate < 4; ++gate) {
      if (slices[gate] == kNone) continue;
      const float *first = cell.tensors->peephole.values.data() + size_t(slices[gate]) * cell.units;
      peepholes[gate].assign(first, first + cell.units);
      if (gates[gate].allLive())
        peepholeBuffers[gate] = constantVector(gates[gate].name + "_peephole", cell.space, peepholes[gate], "");
    }
  }
  const auto compact = [&](uint32_t gate) {
    addCompactGate(phase, gates[gate], gate == 2 ? EwOp::Tanh : EwOp::Sigmoid,
                   peepholes[gate].empty() ? nullptr : &peepholes[gate], c);
  };
  for (uint32_t gate = 0; gate < 3; ++gate) compact(gate);

  const Id newest = projected ? h : newestState(h, true);
  const Id hidden =
      projected ? addVector(program_, cell.name + "_m", cell.space, Lifetime::Scratch, "before projection") : newest;
  if (projected) program_.buffers[hidden].range = Range{-1, 1};
  ElementwiseBuilder builder(cell.name + "_update", cell.space, cell.units);
  const uint32_t old = builder.load(c, "c");
  const uint32_t i = gateValue(builder, gates[0], EwOp::Sigmoid, "i", peepholeBuffers[0], old);
  const uint32_t f = gateValue(builder, gates[1], EwOp::Sigmoid, "f", peepholeBuffers[1], old);
  const uint32_t g = gateValue(builder, gates[2], EwOp::Tanh, "g");
  uint32_t now = builder.op(EwOp::Fma, "c_new", f, old, builder.op(EwOp::Mul, "ig", i, g));
  builder.store(c, now);
  if (gates[3].pre != kNone && !gates[3].allLive()) {  // o reads the new cell through its compact order
    phase.ops.emplace_back(builder.take());
    compact(3);
    builder = ElementwiseBuilder(cell.name + "_output", cell.space, cell.units);
    now = builder.load(c, "c_new");
  }
  const uint32_t o = gateValue(builder, gates[3], EwOp::Sigmoid, "o", peepholeBuffers[3], now);
  const uint32_t value = builder.op(EwOp::Mul, projected ? "m" : "h_new", o, builder.op(EwOp::Tanh, "tanh_c", now));
  builder.store(hidden, value);
  if (!projected) storeOutputs(builder, cell, value);
  phase.ops.emplace_back(builder.take());
  section().phases.push_back(std::move(phase));

  if (projected) {
    Cell view = cell;
    view.space = outSpace;
    Phase projection = newPhase(view, "projection");
    Gate p;
    p.name = cell.name + "_p";
    p.units = p.space = outSpace;
    p.pre = h;
    for (uint32_t row = 0; row < op.projection; ++row) p.live.push_back(row);
    addBias(projection, p, cell.name + "_zero", [](uint32_t) { return 0.0f; });
    const std::string name = weightName(cell, "weight_hr", "p");
    addProducts(projection, p, cell.tensors->weightHr, 0, op.projection, {whole(program_, hidden)}, name,
                cell.tensors->structureHr);
    if (cell.history != kNone || !cell.outputs.empty()) {
      ElementwiseBuilder publishH(cell.name + "_publish", outSpace, op.projection);
      storeOutputs(publishH, cell, publishH.load(h, "h"));
      projection.ops.emplace_back(publishH.take());
    }
    section().phases.push_back(std::move(projection));
  }
  publish(index, cell, newest);
}

void Lowering::lowerRnn(Cell &cell) {
  const uint32_t index = static_cast<uint32_t>(cell.layer - network_.layers.data());
  const bool relu = std::get<Rnn>(cell.layer->op).activation == Activation::Relu;
  const Id h = addVector(program_, cell.name + "_h", cell.space, Lifetime::State, "hidden state");
  addState(h);
  if (layered() && isRead(index)) {
    cell.history = addVector(program_, cell.name + "_y", cell.space, Lifetime::Scratch, "h of every step");
    program_.buffers[cell.history].allSteps = true;
  }
  setRange(program_, cell, h, !relu);
  if (cell.history != kNone) setRange(program_, cell, cell.history, !relu);
  const auto bias = summedBias(cell, 0);
  Gate gate = makeGate(cell, 0, "a", bias, relu ? reluOf : tanhOf);
  const EwOp activation = relu ? EwOp::Relu : EwOp::Tanh;
  Phase phase = newPhase(cell, "new state");
  addBias(inputPhase(phase), gate, gate.name + "_bias", bias);
  addInputProducts(*this, inputPhase(phase), cell, gate, 0);
  addStateProducts(*this, phase, cell, gate, 0, whole(program_, h));
  addCompactGate(phase, gate, activation);
  const Id newest = newestState(h, true);
  ElementwiseBuilder builder(cell.name + "_update", cell.space, cell.units);
  const uint32_t value = gateValue(builder, gate, activation, "h_new");
  builder.store(newest, value);
  storeOutputs(builder, cell, value);
  phase.ops.emplace_back(builder.take());
  section().phases.push_back(std::move(phase));
  publish(index, cell, newest);
}

}  // namespace rtmc::passes
