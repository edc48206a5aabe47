#include "ir/network_interpreter.h"

#include "ir/network_cells.h"
#include "support/check.h"

#include <algorithm>
#include <cmath>

namespace rtmc::ir {

namespace {

using Values = std::vector<Bounded>;

/// What a direction carries from step to step.
struct CellState {
  Values h, c;
};

}  // namespace

struct NetworkInterpreter::Impl {
  InterpreterOptions options;
  BoundedMath math;
  SumRules rules;
  bool causal = true;
  size_t inputSize = 0, outputSize = 0, stateSize = 0;
  std::vector<uint32_t> inputSizes;
  std::vector<CompiledLayer> layers;
  std::vector<ValueRef> outputs;

  Values finish(std::span<const RowSum> sums) const {
    Values values(sums.size());
    for (size_t i = 0; i < sums.size(); ++i) values[i] = sums[i].finish(rules);
    return values;
  }
  /// input rows + hidden rows of one gate, one sum.
  std::vector<RowSum> gateSum(const Cell &cell, uint32_t gate, const Values &x, const Values &h) const {
    std::vector<RowSum> sums(cell.input[gate].rows());
    cell.input[gate].accumulate(x, rules, sums);
    cell.hidden[gate].accumulate(h, rules, sums);
    return sums;
  }
  Values gate(const Cell &cell, uint32_t index, const Values &x, const Values &h) const {
    return finish(gateSum(cell, index, x, h));
  }
  Values rowsOnly(const GateRows &rows, const Values &x) const {
    std::vector<RowSum> sums(rows.rows());
    rows.accumulate(x, rules, sums);
    return finish(sums);
  }

  void stepGru(const CompiledLayer &, const Cell &, const Values &x, CellState &) const;
  void stepLstm(const CompiledLayer &, const Cell &, const Values &x, CellState &) const;
  void stepRnn(const CompiledLayer &, const Cell &, const Values &x, CellState &) const;
  void stepCell(const CompiledLayer &, size_t direction, const Values &x, CellState &) const;
  void activate(Activation, Values &) const;

  CellState zero(const CompiledLayer &) const;
  Values concatenate(const std::vector<ValueRef> &, const std::vector<Values> &inputs,
                     const std::vector<Values> &layerValues) const;
  std::vector<Values> splitInput(std::span<const float> in) const;
  /// All layers, one step; states of recurrent layers in `states` (one per layer, unused for linear ones).
  Values stepAll(std::vector<CellState> &states, std::span<const float> in) const;
  Values runWhole(std::span<const float> in, size_t steps) const;
  std::vector<Values> runLayer(const CompiledLayer &, const std::vector<Values> &x) const;

  template <typename Visit>
  void visitState(std::vector<CellState> &states, Visit visit) const;
};

/// r = s(Wr x + bir + Ur h + bhr), z likewise; n = tanh(Wn x + bin + bhn + Un (r*h)) with the reset before, or
/// tanh(Wn x + bin + r*(Un h + bhn)) with it after; h' = z*h + (1-z)*n.
void NetworkInterpreter::Impl::stepGru(const CompiledLayer &layer, const Cell &cell, const Values &x,
                                       CellState &state) const {
  Values r = gate(cell, 0, x, state.h), z = gate(cell, 1, x, state.h), n;
  for (Bounded &value : r) value = math.sigmoid(value);
  for (Bounded &value : z) value = math.sigmoid(value);
  if (layer.resetAfter) {
    n = rowsOnly(cell.input[2], x);
    Values fromState = rowsOnly(cell.hidden[2], state.h);
    for (size_t i = 0; i < n.size(); ++i) n[i] = math.add(n[i], math.mul(r[i], fromState[i]));
  } else {
    Values kept(state.h.size());
    for (size_t i = 0; i < kept.size(); ++i) kept[i] = math.mul(r[i], state.h[i]);
    n = gate(cell, 2, x, kept);
  }
  for (size_t i = 0; i < n.size(); ++i) state.h[i] = math.lerp(z[i], state.h[i], math.tanh(n[i]));
}

/// c' = f*c + i*g; h = o*tanh(c'), then projected. Peepholes: i and f see c, o sees c'.
void NetworkInterpreter::Impl::stepLstm(const CompiledLayer &layer, const Cell &cell, const Values &x,
                                        CellState &state) const {
  std::vector<RowSum> i = gateSum(cell, 0, x, state.h), f = gateSum(cell, 1, x, state.h);
  std::vector<RowSum> o = gateSum(cell, 3, x, state.h);
  Values g = gate(cell, 2, x, state.h), hidden(layer.units);
  const bool peepholes = !cell.peephole.empty();
  const float *peephole = cell.peephole.data();
  for (size_t u = 0; u < layer.units; ++u) {
    if (peepholes) {
      i[u].add(peephole[u], state.c[u], rules);
      f[u].add(peephole[layer.units + u], state.c[u], rules);
    }
    Bounded in = math.sigmoid(i[u].finish(rules)), forget = math.sigmoid(f[u].finish(rules));
    state.c[u] = math.sumOfProducts(forget, state.c[u], in, math.tanh(g[u]));
    if (peepholes) o[u].add(peephole[2 * layer.units + u], state.c[u], rules);
    hidden[u] = math.mul(math.sigmoid(o[u].finish(rules)), math.tanh(state.c[u]));
  }
  state.h = cell.projection ? rowsOnly(*cell.projection, hidden) : std::move(hidden);
}

void NetworkInterpreter::Impl::stepRnn(const CompiledLayer &layer, const Cell &cell, const Values &x,
                                       CellState &state) const {
  state.h = gate(cell, 0, x, state.h);
  activate(layer.activation, state.h);
}

void NetworkInterpreter::Impl::activate(Activation activation, Values &values) const {
  if (activation == Activation::Softmax || activation == Activation::LogSoftmax)
    return math.softmax(values, activation == Activation::LogSoftmax);
  for (Bounded &value : values) {
    if (activation == Activation::Relu) value = math.relu(value);
    if (activation == Activation::Sigmoid) value = math.sigmoid(value);
    if (activation == Activation::Tanh) value = math.tanh(value);
  }
}

void NetworkInterpreter::Impl::stepCell(const CompiledLayer &layer, size_t direction, const Values &x,
                                        CellState &state) const {
  const Cell &cell = layer.cells[direction];
  if (layer.op == CompiledLayer::Op::Gru) return stepGru(layer, cell, x, state);
  if (layer.op == CompiledLayer::Op::Lstm) return stepLstm(layer, cell, x, state);
  stepRnn(layer, cell, x, state);
}

CellState NetworkInterpreter::Impl::zero(const CompiledLayer &layer) const {
  if (layer.op == CompiledLayer::Op::Linear) return {};
  return {Values(layer.outputs), Values(layer.op == CompiledLayer::Op::Lstm ? layer.units : 0)};
}

Values NetworkInterpreter::Impl::concatenate(const std::vector<ValueRef> &refs, const std::vector<Values> &inputs,
                                             const std::vector<Values> &layerValues) const {
  Values all;
  for (ValueRef ref : refs) {
    const Values &part = ref.kind == ValueRef::Kind::Input ? inputs[ref.index] : layerValues[ref.index];
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

std::vector<Values> NetworkInterpreter::Impl::splitInput(std::span<const float> in) const {
  std::vector<Values> inputs;
  for (uint32_t size : inputSizes) {
    Values &values = inputs.emplace_back();
    for (float value : in.first(size)) values.push_back({value, std::isnan(value) ? double{value} : 0.0});
    in = in.subspan(size);
  }
  return inputs;
}

Values NetworkInterpreter::Impl::stepAll(std::vector<CellState> &states, std::span<const float> in) const {
  std::vector<Values> inputs = splitInput(in), values;
  for (size_t i = 0; i < layers.size(); ++i) {
    Values x = concatenate(layers[i].inputs, inputs, values);
    if (layers[i].op == CompiledLayer::Op::Linear) {
      values.push_back(rowsOnly(*layers[i].rows, x));
      activate(layers[i].activation, values.back());
    } else {
      stepCell(layers[i], 0, x, states[i]);
      values.push_back(states[i].h);
    }
  }
  return concatenate(outputs, inputs, values);
}

/// The outputs of one layer at every step: forward ones first, then those of the other direction, at the same times.
std::vector<Values> NetworkInterpreter::Impl::runLayer(const CompiledLayer &layer, const std::vector<Values> &x) const {
  std::vector<Values> result(x.size());
  if (layer.op == CompiledLayer::Op::Linear) {
    for (size_t t = 0; t < x.size(); ++t) {
      result[t] = rowsOnly(*layer.rows, x[t]);
      activate(layer.activation, result[t]);
    }
    return result;
  }
  for (size_t direction = 0; direction < layer.cells.size(); ++direction) {
    bool backward = layer.direction == Direction::Backward || direction == 1;
    CellState state = zero(layer);
    for (size_t i = 0; i < x.size(); ++i) {
      size_t t = backward ? x.size() - 1 - i : i;
      stepCell(layer, direction, x[t], state);
      result[t].insert(result[t].end(), state.h.begin(), state.h.end());
    }
  }
  return result;
}

/// Layer by layer over the whole sequence, as backward layers need it.
Values NetworkInterpreter::Impl::runWhole(std::span<const float> in, size_t steps) const {
  std::vector<std::vector<Values>> inputs(steps), values(steps);
  for (size_t t = 0; t < steps; ++t) inputs[t] = splitInput(in.subspan(t * inputSize, inputSize));
  for (const CompiledLayer &layer : layers) {
    std::vector<Values> x(steps);
    for (size_t t = 0; t < steps; ++t) x[t] = concatenate(layer.inputs, inputs[t], values[t]);
    std::vector<Values> result = runLayer(layer, x);
    for (size_t t = 0; t < steps; ++t) values[t].push_back(std::move(result[t]));
  }
  Values all;
  for (size_t t = 0; t < steps; ++t) {
    Values row = concatenate(outputs, inputs[t], values[t]);
    all.insert(all.end(), row.begin(), row.end());
  }
  return all;
}

/// visit(value, place in the user's order) for every unit that exists, h then c, layer by layer.
template <typename Visit>
void NetworkInterpreter::Impl::visitState(std::vector<CellState> &states, Visit visit) const {
  size_t place = 0;
  for (size_t i = 0; i < layers.size(); ++i) {
    const CompiledLayer &layer = layers[i];
    if (layer.op == CompiledLayer::Op::Linear) continue;
    auto units = [&](Values &values) {
      for (size_t u = 0; u < values.size(); ++u)
        visit(values[u], place + (layer.keptUnits.empty() ? u : layer.keptUnits[0][u]));
      place += layer.userUnits;
    };
    if (layer.projected) {
      for (Bounded &value : states[i].h) visit(value, place++);
    } else {
      units(states[i].h);
    }
    if (layer.op == CompiledLayer::Op::Lstm) units(states[i].c);
  }
}

NetworkInterpreter::NetworkInterpreter(const Network &network, InterpreterOptions options)
    : impl_(std::make_unique<Impl>()) {
  impl_->options = std::move(options);
  impl_->math.bounds = impl_->options.bounds;
  impl_->rules = {impl_->options.bounds, impl_->options.weightError};
  impl_->causal = network.causal();
  impl_->inputSize = network.inputSize();
  impl_->outputSize = network.outputSize();
  impl_->stateSize = ir::stateSize(network);
  impl_->outputs = network.outputs;
  for (const Input &input : network.inputs) impl_->inputSizes.push_back(input.size);
  for (const Layer &layer : network.layers) impl_->layers.push_back(compileLayer(network, layer, impl_->options));
}

NetworkInterpreter::~NetworkInterpreter() = default;
NetworkInterpreter::NetworkInterpreter(NetworkInterpreter &&) noexcept = default;
NetworkInterpreter &NetworkInterpreter::operator=(NetworkInterpreter &&) noexcept = default;

size_t NetworkInterpreter::inputSize() const {
  return impl_->inputSize;
}
size_t NetworkInterpreter::outputSize() const {
  return impl_->outputSize;
}
size_t NetworkInterpreter::stateSize() const {
  return impl_->stateSize;
}
NetworkState NetworkInterpreter::zeroState() const {
  return {std::vector<double>(impl_->stateSize)};
}

std::vector<Bounded> NetworkInterpreter::step(NetworkState &state, std::span<const float> in,
                                              std::vector<double> *stateError) {
  RTMC_CHECK(impl_->causal, "a network that is not causal has no single steps");
  RTMC_CHECK(in.size() == impl_->inputSize, "one step's input has another size");
  RTMC_CHECK(state.values.size() == impl_->stateSize, "the state has another size");
  std::vector<CellState> states;
  for (const CompiledLayer &layer : impl_->layers) states.push_back(impl_->zero(layer));
  impl_->visitState(states, [&](Bounded &unit, size_t place) {
    double value = state.values[place];
    unit = {value, std::isnan(value) ? value : 0.0};
  });
  Values outputs = impl_->stepAll(states, in);
  state.values.assign(impl_->stateSize, 0.0);
  if (stateError != nullptr) stateError->assign(impl_->stateSize, 0.0);
  impl_->visitState(states, [&](const Bounded &unit, size_t place) {
    state.values[place] = unit.value;
    if (stateError != nullptr) (*stateError)[place] = unit.error;
  });
  return outputs;
}

std::vector<Bounded> NetworkInterpreter::run(std::span<const float> in, size_t steps) {
  RTMC_CHECK(in.size() == steps * impl_->inputSize, "the sequence's input has another size");
  if (!impl_->causal) return impl_->runWhole(in, steps);
  std::vector<CellState> states;
  for (const CompiledLayer &layer : impl_->layers) states.push_back(impl_->zero(layer));
  Values all;
  all.reserve(steps * impl_->outputSize);
  for (size_t t = 0; t < steps; ++t) {
    Values row = impl_->stepAll(states, in.subspan(t * impl_->inputSize, impl_->inputSize));
    all.insert(all.end(), row.begin(), row.end());
  }
  return all;
}

size_t stateSize(const Network &network) {
  if (!network.causal()) return 0;
  size_t size = 0;
  for (const Layer &layer : network.layers) {
    if (std::holds_alternative<Linear>(layer.op)) continue;
    const auto *lstm = std::get_if<Lstm>(&layer.op);
    size_t units = std::max(layer.userSize, layer.size);
    size += lstm != nullptr && lstm->projection != 0 ? lstm->projection : units;
    if (lstm != nullptr) size += units;
  }
  return size;
}

std::vector<Bounded> step(const Network &network, NetworkState &state, std::span<const float> in,
                          const InterpreterOptions &options, std::vector<double> *stateError) {
  return NetworkInterpreter(network, options).step(state, in, stateError);
}

std::vector<Bounded> run(const Network &network, std::span<const float> in, size_t steps,
                         const InterpreterOptions &options) {
  return NetworkInterpreter(network, options).run(in, steps);
}

}  // namespace rtmc::ir
