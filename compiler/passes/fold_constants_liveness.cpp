#include "passes/fold_constants_liveness.h"

#include <algorithm>

namespace rtmc::passes {

namespace {

using Flags = std::vector<uint8_t>;

const float *rowOf(const ir::Tensor &tensor, size_t row) {
  return tensor.values.data() + row * tensor.columns();
}

void markNonzeros(const ir::Tensor &tensor, size_t row, Flags &columns) {
  const float *values = rowOf(tensor, row);
  for (size_t c = 0; c < columns.size(); ++c) columns[c] |= values[c] != 0.0f;
}

/// Closes the needed units of one direction under what their rows read.
class Closure {
 public:
  Closure(const ir::Layer &layer, const ir::Recurrence &recurrence, Flags &unit, Flags &reset, Flags &inputs)
      : layer_(layer),
        r_(recurrence),
        gru_(std::get_if<ir::Gru>(&layer.op)),
        unit_(unit),
        reset_(reset),
        inputs_(inputs) {
    const auto *lstm = std::get_if<ir::Lstm>(&layer.op);
    projected_ = lstm && lstm->projection != 0;
    visited_.assign(layer.size, 0);
  }

  void need(uint32_t unit) {
    unit_[unit] = 1;
    visit(unit);
    while (!work_.empty()) {
      const auto [isReset, u] = work_.back();
      work_.pop_back();
      isReset ? visitRow(0, u) : visitUnit(u);
    }
  }

 private:
  void visit(uint32_t unit) {
    if (visited_[unit]) return;
    visited_[unit] = 1;
    work_.emplace_back(false, unit);
  }
  void visitReset(uint32_t unit) {
    if (reset_[unit]) return;
    reset_[unit] = 1;
    work_.emplace_back(true, unit);
  }

  void visitUnit(uint32_t unit) {
    const uint32_t gates = ir::gateCount(layer_);
    for (uint32_t g = gru_ ? 1 : 0; g < gates; ++g) visitRow(g, unit);
    if (gru_ && gru_->resetAfter && scalesSomething(unit)) visitReset(unit);
  }

  void visitRow(uint32_t gate, uint32_t unit) {
    const size_t row = size_t{gate} * layer_.size + unit;
    markNonzeros(r_.weightIh, row, inputs_);
    if (projected_) return;  // reads projected values, which all stay
    const float *hidden = rowOf(r_.weightHh, row);
    const bool throughReset = gru_ && !gru_->resetAfter && gate == 2;
    for (uint32_t c = 0; c < layer_.size; ++c) {
      if (hidden[c] == 0.0f) continue;
      unit_[c] = 1;
      visit(c);
      if (throughReset) visitReset(c);
    }
  }

  /// reset: after multiplies U h + bias_hh of the n gate.
  bool scalesSomething(uint32_t unit) const {
    const size_t row = size_t{2} * layer_.size + unit;
    if (r_.biasHh.present() && r_.biasHh.values[row] != 0.0f) return true;
    const float *hidden = rowOf(r_.weightHh, row);
    return std::any_of(hidden, hidden + layer_.size, [](float w) { return w != 0.0f; });
  }

  const ir::Layer &layer_;
  const ir::Recurrence &r_;
  const ir::Gru *gru_;
  bool projected_ = false;
  Flags &unit_, &reset_, &inputs_;
  Flags visited_;
  std::vector<std::pair<bool, uint32_t>> work_;
};

/// Both directions must keep equally many units: the one with fewer takes back its first dropped ones.
void liveRecurrent(const ir::Layer &layer, const std::vector<Flags> &read, LayerLiveness &live, Flags &inputs) {
  const std::vector<ir::Recurrence> &directions = *ir::recurrences(layer);
  const auto *lstm = std::get_if<ir::Lstm>(&layer.op);
  std::vector<Closure> closures;
  closures.reserve(directions.size());
  for (size_t d = 0; d < directions.size(); ++d) {
    live.unit.emplace_back(layer.size, 0);
    live.reset.emplace_back(layer.size, 0);
  }
  for (size_t d = 0; d < directions.size(); ++d) {
    closures.emplace_back(layer, directions[d], live.unit[d], live.reset[d], inputs);
    Flags roots = read[d];
    if (lstm && lstm->projection != 0) {
      roots.assign(layer.size, 0);
      for (uint32_t p = 0; p < lstm->projection; ++p) markNonzeros(directions[d].weightHr, p, roots);
    }
    for (uint32_t u = 0; u < layer.size; ++u)
      if (roots[u]) closures[d].need(u);
  }
  const auto count = [&](size_t d) { return std::count(live.unit[d].begin(), live.unit[d].end(), 1); };
  for (bool equal = false; !equal;) {
    std::ptrdiff_t most = 1;
    for (size_t d = 0; d < directions.size(); ++d) most = std::max(most, count(d));
    equal = true;
    for (size_t d = 0; d < directions.size(); ++d)
      while (count(d) < most) {
        const auto dropped = std::find(live.unit[d].begin(), live.unit[d].end(), 0);
        closures[d].need(static_cast<uint32_t>(dropped - live.unit[d].begin()));
      }
    for (size_t d = 0; d < directions.size(); ++d) equal &= count(d) <= most;
  }
}

void liveLinear(const ir::Layer &layer, const Flags &read, LayerLiveness &live, Flags &inputs) {
  const auto &linear = std::get<ir::Linear>(layer.op);
  const bool softmax = linear.activation == ir::Activation::Softmax || linear.activation == ir::Activation::LogSoftmax;
  Flags unit = read;
  const bool any = std::any_of(unit.begin(), unit.end(), [](uint8_t needed) { return needed != 0; });
  if (any && softmax) unit.assign(unit.size(), 1);
  for (uint32_t u = 0; u < layer.size; ++u)
    if (unit[u]) markNonzeros(linear.weight, u, inputs);
  live.unread = !any;
  if (!any) unit[0] = 1;
  live.unit.push_back(std::move(unit));
  live.reset.emplace_back();
}

}  // namespace

std::vector<LayerLiveness> findLiveness(const ir::Network &network) {
  // What is read of each layer's output, per direction; with a projection per projected value.
  std::vector<std::vector<Flags>> read(network.layers.size());
  for (size_t l = 0; l < network.layers.size(); ++l) {
    const std::vector<ir::Recurrence> *directions = ir::recurrences(network.layers[l]);
    read[l].assign(directions ? directions->size() : 1, Flags(ir::outputSizePerDirection(network.layers[l]), 0));
  }
  for (const ir::ValueRef ref : network.outputs)
    if (ref.kind == ir::ValueRef::Kind::Layer)
      for (Flags &flags : read[ref.index]) std::fill(flags.begin(), flags.end(), 1);

  std::vector<LayerLiveness> live(network.layers.size());
  for (size_t l = network.layers.size(); l-- > 0;) {
    const ir::Layer &layer = network.layers[l];
    Flags inputs(ir::inputSizeOf(network, layer), 0);
    if (ir::recurrences(layer))
      liveRecurrent(layer, read[l], live[l], inputs);
    else
      liveLinear(layer, read[l][0], live[l], inputs);
    size_t column = 0;
    for (const ir::ValueRef ref : layer.inputs) {
      if (ref.kind == ir::ValueRef::Kind::Input) {
        column += ir::sizeOf(network, ref);
        continue;
      }
      for (Flags &flags : read[ref.index])
        for (uint8_t &flag : flags) flag |= inputs[column++];
    }
  }
  return live;
}

}  // namespace rtmc::passes
