#include "passes/apply_masks.h"

#include "passes/find_structure.h"
#include "support/check.h"
#include "support/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace rtmc::passes {

namespace {

void dropMask(ir::Tensor &tensor) {
  for (size_t i = 0; i < tensor.mask.size(); ++i)
    if (tensor.mask[i] == 0) tensor.values[i] = 0.0f;
  tensor.mask.clear();
  for (float &value : tensor.values)
    if (value == 0.0f) value = 0.0f;  // -0 is pruned too, and must not print differently
}

std::string inputBiasName(const std::string &hiddenBiasName) {
  std::string name = hiddenBiasName;
  if (const size_t at = name.rfind("bias_hh"); at != std::string::npos) name.replace(at, 7, "bias_ih");
  return name;
}

/// `keepFrom`: first element of bias_hh that is no plain addend. False: a sum is more than a float holds.
bool mergeBias(ir::Recurrence &recurrence, size_t keepFrom, Diagnostics &diagnostics) {
  ir::Tensor &hidden = recurrence.biasHh;
  if (!hidden.present()) return true;
  const size_t merged = std::min(keepFrom, hidden.values.size());
  ir::Tensor &input = recurrence.biasIh;
  const bool anyAdds =
      std::any_of(hidden.values.begin(), hidden.values.begin() + merged, [](float v) { return v != 0; });
  if (!input.present() && anyAdds) {
    if (input.name.empty()) input.name = inputBiasName(hidden.name);
    input.source = hidden.source;
    input.where = hidden.where;
    input.shape = hidden.shape;
    input.values.assign(hidden.values.size(), 0.0f);
  }
  for (size_t i = 0; anyAdds && i < merged; ++i) {
    const double sum = static_cast<double>(input.values[i]) + hidden.values[i];
    input.values[i] = static_cast<float>(sum);
    if (std::isfinite(input.values[i])) continue;
    diagnostics.error("weight-overflow", hidden.where,
                      fmt::format("bias {} and bias {} add up to {:.6g} at [{}]; f32 holds at most 3.4028235e+38",
                                  quoted(input.name), quoted(hidden.name), sum, i));
    return false;
  }
  std::fill_n(hidden.values.begin(), merged, 0.0f);
  if (std::all_of(hidden.values.begin(), hidden.values.end(), [](float v) { return v == 0; })) hidden = ir::Tensor{};
  return true;
}

}  // namespace

void dropMasks(ir::Network &network) {
  for (ir::Layer &layer : network.layers) {
    if (auto *linear = std::get_if<ir::Linear>(&layer.op)) {
      dropMask(linear->weight);
      dropMask(linear->bias);
      continue;
    }
    for (ir::Recurrence &r : *ir::recurrences(layer))
      for (ir::Tensor *tensor : {&r.weightIh, &r.weightHh, &r.biasIh, &r.biasHh, &r.peephole, &r.weightHr})
        dropMask(*tensor);
  }
}

bool ApplyMasks::run(Module &module, Context &context) {
  RTMC_CHECK(module.network, "apply-masks works on a network");
  ir::Network &network = *module.network;
  dropMasks(network);
  bool good = true;
  for (ir::Layer &layer : network.layers) {
    std::vector<ir::Recurrence> *recurrences = ir::recurrences(layer);
    if (!recurrences) continue;
    const auto *gru = std::get_if<ir::Gru>(&layer.op);
    const size_t gates = gru && gru->resetAfter ? 2 : ir::gateCount(layer);
    for (ir::Recurrence &r : *recurrences) good &= mergeBias(r, gates * layer.size, *context.diagnostics);
  }
  return checkPromises(network, *context.diagnostics) && good;
}

}  // namespace rtmc::passes
