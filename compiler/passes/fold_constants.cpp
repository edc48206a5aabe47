#include "passes/fold_constants.h"

#include "passes/apply_masks.h"
#include "passes/fold_constants_liveness.h"
#include "support/check.h"

#include <algorithm>
#include <cmath>

namespace rtmc::passes {

namespace {

using Kept = std::vector<uint32_t>;

uint64_t countWeights(const ir::Network &network) {
  uint64_t count = 0;
  const auto add = [&](const ir::Tensor &t) {
    count += static_cast<uint64_t>(std::count_if(t.values.begin(), t.values.end(), [](float v) { return v != 0.0f; }));
  };
  for (const ir::Layer &layer : network.layers) {
    if (const auto *linear = std::get_if<ir::Linear>(&layer.op)) {
      add(linear->weight);
      continue;
    }
    for (const ir::Recurrence &r : *ir::recurrences(layer))
      for (const ir::Tensor *tensor : {&r.weightIh, &r.weightHh, &r.weightHr}) add(*tensor);
  }
  return count;
}

/// Keeps rows `kept` of each of `gates` stacked parts; vectors too.
void keepRows(ir::Tensor &tensor, uint32_t gates, const Kept &kept) {
  if (!tensor.present()) return;
  const size_t columns = tensor.columns(), height = tensor.rows() / gates;
  std::vector<float> values;
  values.reserve(gates * kept.size() * columns);
  for (size_t g = 0; g < gates; ++g)
    for (const uint32_t row : kept) {
      const float *from = tensor.values.data() + (g * height + row) * columns;
      values.insert(values.end(), from, from + columns);
    }
  tensor.values = std::move(values);
  tensor.shape[0] = static_cast<uint32_t>(gates * kept.size());
}

void keepColumns(ir::Tensor &tensor, const Kept &kept) {
  if (!tensor.present() || kept.size() == tensor.columns()) return;
  const size_t rows = tensor.rows(), columns = tensor.columns();
  std::vector<float> values(rows * kept.size());
  for (size_t r = 0; r < rows; ++r)
    for (size_t c = 0; c < kept.size(); ++c) values[r * kept.size() + c] = tensor.values[r * columns + kept[c]];
  tensor.values = std::move(values);
  tensor.shape[1] = static_cast<uint32_t>(kept.size());
}

Kept keptOf(const std::vector<uint8_t> &flags) {
  Kept kept;
  for (uint32_t u = 0; u < flags.size(); ++u)
    if (flags[u]) kept.push_back(u);
  return kept;
}

void zeroRow(ir::Tensor &tensor, size_t row) {
  std::fill_n(tensor.values.begin() + static_cast<std::ptrdiff_t>(row * tensor.columns()), tensor.columns(), 0.0f);
}

/// What nobody reads although its unit stays: reset gates that scale nothing, and a placeholder's row.
void emptyUnreadRows(ir::Layer &layer, const LayerLiveness &live) {
  if (auto *linear = std::get_if<ir::Linear>(&layer.op)) {
    if (live.unread) zeroRow(linear->weight, 0);
    return;
  }
  auto *gru = std::get_if<ir::Gru>(&layer.op);
  if (!gru) return;
  for (size_t d = 0; d < gru->directions.size(); ++d)
    for (uint32_t u = 0; u < layer.size; ++u) {
      if (live.reset[d][u]) continue;
      zeroRow(gru->directions[d].weightIh, u);
      zeroRow(gru->directions[d].weightHh, u);
    }
}

/// Columns of a layer's input vector that are still there, after its sources were cut.
Kept keptInputs(const ir::Network &network, const std::vector<LayerLiveness> &live, const ir::Layer &layer,
                const std::vector<uint32_t> &sizeBefore) {
  Kept kept;
  uint32_t column = 0;
  for (const ir::ValueRef ref : layer.inputs) {
    const ir::Layer *source = ref.kind == ir::ValueRef::Kind::Layer ? &network.layers[ref.index] : nullptr;
    const auto *lstm = source ? std::get_if<ir::Lstm>(&source->op) : nullptr;
    if (!source || (lstm && lstm->projection)) {
      const uint32_t size = ir::sizeOf(network, ref);
      for (uint32_t i = 0; i < size; ++i) kept.push_back(column++);
      continue;
    }
    for (const std::vector<uint8_t> &flags : live[ref.index].unit)
      for (uint32_t u = 0; u < sizeBefore[ref.index]; ++u, ++column)
        if (flags[u]) kept.push_back(column);
  }
  return kept;
}

void recordKept(ir::Layer &layer, const std::vector<Kept> &kept) {
  if (layer.userSize == 0) layer.userSize = layer.size;
  if (layer.keptUnits.empty()) {
    layer.keptUnits = kept;
  } else {
    for (size_t d = 0; d < kept.size(); ++d) {
      Kept user;
      for (const uint32_t u : kept[d]) user.push_back(layer.keptUnits[d][u]);
      layer.keptUnits[d] = std::move(user);
    }
  }
  layer.size = static_cast<uint32_t>(kept[0].size());
}

/// Cuts rows and recurrent columns; the input columns are cut with `inputs`. Returns how many units went.
uint64_t dropUnits(ir::Layer &layer, const LayerLiveness &live, const Kept &inputs) {
  std::vector<Kept> kept;
  for (const std::vector<uint8_t> &flags : live.unit) kept.push_back(keptOf(flags));
  const uint32_t before = layer.size;
  const bool drops = kept[0].size() != before;
  if (auto *linear = std::get_if<ir::Linear>(&layer.op)) {
    keepColumns(linear->weight, inputs);
    if (drops) {
      keepRows(linear->weight, 1, kept[0]);
      keepRows(linear->bias, 1, kept[0]);
      linear->constantRows.clear();
    }
  } else {
    const uint32_t gates = ir::gateCount(layer);
    std::vector<ir::Recurrence> &directions = *ir::recurrences(layer);
    for (size_t d = 0; d < directions.size(); ++d) {
      ir::Recurrence &r = directions[d];
      keepColumns(r.weightIh, inputs);
      if (!drops) continue;
      for (ir::Tensor *tensor : {&r.weightIh, &r.weightHh, &r.biasIh, &r.biasHh}) keepRows(*tensor, gates, kept[d]);
      keepRows(r.peephole, 3, kept[d]);
      keepColumns(r.weightHr.present() ? r.weightHr : r.weightHh, kept[d]);
    }
  }
  if (!drops) return 0;
  recordKept(layer, kept);
  return uint64_t{before - layer.size} * kept.size();
}

bool emptyRow(const ir::Tensor &tensor, size_t row) {
  const float *values = tensor.values.data() + row * tensor.columns();
  return std::all_of(values, values + tensor.columns(), [](float w) { return w == 0.0f; });
}

double valueAt(const ir::Tensor &tensor, size_t i) {
  return tensor.present() ? tensor.values[i] : 0.0;
}

/// GRU, reset: after: n = tanh(W x + b + r * (U h + b_hn)). Where U's row is empty and r is constant, r * b_hn is a
/// plain addend.
void foldScaledBias(ir::Recurrence &r, uint32_t size, const std::vector<uint8_t> &constantReset) {
  if (!r.biasHh.present()) return;
  for (uint32_t u = 0; u < size; ++u) {
    const size_t row = size_t{2} * size + u;
    float &scaled = r.biasHh.values[row];
    if (scaled == 0.0f || !constantReset[u] || !emptyRow(r.weightHh, row)) continue;
    const double reset = 1.0 / (1.0 + std::exp(-(valueAt(r.biasIh, u) + valueAt(r.biasHh, u))));
    const auto sum = static_cast<float>(valueAt(r.biasIh, row) + reset * scaled);
    if (!std::isfinite(sum)) continue;  // apart they can be stored
    if (!r.biasIh.present()) {
      r.biasIh = r.biasHh;
      if (const size_t at = r.biasIh.name.rfind("bias_hh"); at != std::string::npos)
        r.biasIh.name.replace(at, 7, "bias_ih");
      std::fill(r.biasIh.values.begin(), r.biasIh.values.end(), 0.0f);
    }
    r.biasIh.values[row] = sum;
    scaled = 0.0f;
  }
  if (std::all_of(r.biasHh.values.begin(), r.biasHh.values.end(), [](float v) { return v == 0.0f; })) r.biasHh = {};
}

/// A term besides the two matrices and the bias keeps a row from being constant.
bool hasOtherTerm(const ir::Layer &layer, const ir::Recurrence &r, uint32_t gate, uint32_t unit) {
  if (const auto *gru = std::get_if<ir::Gru>(&layer.op))
    return gru->resetAfter && gate == 2 && valueAt(r.biasHh, size_t{2} * layer.size + unit) != 0.0;
  if (!std::holds_alternative<ir::Lstm>(layer.op) || gate == 2) return false;
  const size_t part = gate == 3 ? 2 : gate;  // peepholes stand i, f, o; the gates i, f, g, o
  return valueAt(r.peephole, part * layer.size + unit) != 0.0;
}

void countConstant(const std::vector<uint8_t> &rows, ir::FoldReport &report) {
  const auto constant = static_cast<uint64_t>(std::count(rows.begin(), rows.end(), 1));
  report.constantGateRows += constant;
  report.constantGates += constant == rows.size();
}

void markConstantRows(ir::Layer &layer, ir::FoldReport &report) {
  if (auto *linear = std::get_if<ir::Linear>(&layer.op)) {
    linear->constantRows.assign(layer.size, 0);
    for (uint32_t u = 0; u < layer.size; ++u) linear->constantRows[u] = emptyRow(linear->weight, u);
    countConstant(linear->constantRows, report);
    return;
  }
  const auto *gru = std::get_if<ir::Gru>(&layer.op);
  for (ir::Recurrence &r : *ir::recurrences(layer)) {
    r.constantRows.assign(ir::gateCount(layer), std::vector<uint8_t>(layer.size, 0));
    for (uint32_t g = 0; g < r.constantRows.size(); ++g) {
      if (gru && gru->resetAfter && g == 2) foldScaledBias(r, layer.size, r.constantRows[0]);
      for (uint32_t u = 0; u < layer.size; ++u) {
        const size_t row = size_t{g} * layer.size + u;
        r.constantRows[g][u] = emptyRow(r.weightIh, row) && emptyRow(r.weightHh, row) && !hasOtherTerm(layer, r, g, u);
      }
      countConstant(r.constantRows[g], report);
    }
  }
}

}  // namespace

bool FoldConstants::run(Module &module, Context &context) {
  RTMC_CHECK(module.network, "fold-constants works on a network");
  if (!context.options.fold) return true;
  ir::Network &network = *module.network;
  dropMasks(network);
  const uint64_t weightsBefore = countWeights(network);
  const std::vector<LayerLiveness> live = findLiveness(network);
  std::vector<uint32_t> sizeBefore;
  for (const ir::Layer &layer : network.layers) sizeBefore.push_back(layer.size);

  ir::FoldReport &report = network.folded;
  report.constantGateRows = report.constantGates = 0;  // of the network as it is; what was dropped adds up
  for (size_t l = 0; l < network.layers.size(); ++l) {
    ir::Layer &layer = network.layers[l];
    emptyUnreadRows(layer, live[l]);
    const Kept inputs = keptInputs(network, live, layer, sizeBefore);
    report.droppedUnits += dropUnits(layer, live[l], inputs);
    markConstantRows(layer, report);
  }
  report.droppedWeights += weightsBefore - countWeights(network);
  return true;
}

}  // namespace rtmc::passes
