#include "passes/find_structure.h"

#include "passes/apply_masks.h"
#include "passes/find_structure_pattern.h"
#include "support/check.h"

#include <fmt/format.h>

#include <cmath>

namespace rtmc::passes {

namespace {

/// The user's positions of a vector's elements; `ids` empty: identity.
struct Positions {
  uint32_t extent = 0;
  std::vector<uint32_t> ids;
};

uint32_t userUnits(const ir::Layer &layer) {
  return layer.userSize ? layer.userSize : layer.size;
}

Positions unitPositions(const ir::Layer &layer, size_t direction) {
  if (layer.keptUnits.empty()) return {layer.size, {}};
  return {userUnits(layer), layer.keptUnits[direction]};
}

uint32_t projectionOf(const ir::Layer &layer) {
  const auto *lstm = std::get_if<ir::Lstm>(&layer.op);
  return lstm ? lstm->projection : 0;
}

/// Of the concatenated inputs of a layer.
Positions inputPositions(const ir::Network &network, const ir::Layer &layer) {
  Positions all;
  bool moved = false;
  const auto append = [&](const Positions &part, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) all.ids.push_back(all.extent + (part.ids.empty() ? i : part.ids[i]));
    all.extent += part.extent;
    moved |= !part.ids.empty();
  };
  for (const ir::ValueRef ref : layer.inputs) {
    const uint32_t size = ir::sizeOf(network, ref);
    if (ref.kind == ir::ValueRef::Kind::Input) {
      append({size, {}}, size);
      continue;
    }
    const ir::Layer &source = network.layers[ref.index];
    const size_t directions = ir::recurrences(source) ? ir::recurrences(source)->size() : 1;
    const uint32_t each = ir::outputSizePerDirection(source);
    for (size_t d = 0; d < directions; ++d)
      append(projectionOf(source) ? Positions{each, {}} : unitPositions(source, d), each);
  }
  if (!moved) all.ids.clear();
  return all;
}

/// One gate's rows of a stacked tensor.
Pattern gatePattern(const ir::Tensor &tensor, uint32_t gate, uint32_t gates, const Positions &rows,
                    const Positions &columns, std::span<const uint8_t> skipRows) {
  const uint32_t height = tensor.rows() / gates;
  const float *values = tensor.values.data() + size_t{gate} * height * tensor.columns();
  return makePattern(values, height, tensor.columns(), {rows.extent, columns.extent, rows.ids, columns.ids, skipRows});
}

ir::Structure structureOf(const Pattern &pattern, const ir::Structure &promise) {
  if (promise.scheme != ir::Scheme::Auto) {
    ir::Structure kept = detectScheme(pattern, promise.scheme, promise.blockRows, promise.blockColumns);
    kept.where = promise.where;
    if (kept.fill >= kFillNeeded) return kept;
  }
  return detect(pattern);
}

void annotate(const ir::Network &network, ir::Layer &layer) {
  const Positions inputs = inputPositions(network, layer);
  if (auto *linear = std::get_if<ir::Linear>(&layer.op)) {
    const Pattern pattern = gatePattern(linear->weight, 0, 1, unitPositions(layer, 0), inputs, linear->constantRows);
    linear->structure = structureOf(pattern, linear->weight.promise);
    return;
  }
  const uint32_t gates = ir::gateCount(layer), projection = projectionOf(layer);
  std::vector<ir::Recurrence> &directions = *ir::recurrences(layer);
  for (size_t d = 0; d < directions.size(); ++d) {
    ir::Recurrence &r = directions[d];
    const Positions units = unitPositions(layer, d);
    const Positions outputs = projection ? Positions{projection, {}} : units;
    r.structureIh.clear();
    r.structureHh.clear();
    for (uint32_t g = 0; g < gates; ++g) {
      const std::span<const uint8_t> skip = r.constantRows.empty() ? std::span<const uint8_t>() : r.constantRows[g];
      r.structureIh.push_back(structureOf(gatePattern(r.weightIh, g, gates, units, inputs, skip), r.weightIh.promise));
      r.structureHh.push_back(structureOf(gatePattern(r.weightHh, g, gates, units, outputs, skip), r.weightHh.promise));
    }
    if (projection) r.structureHr = structureOf(gatePattern(r.weightHr, 0, 1, outputs, units, {}), r.weightHr.promise);
  }
}

std::string describe(const ir::Structure &s) {
  std::string text(ir::schemeName(s.scheme));
  if (s.blockRows || s.blockColumns) text += fmt::format(" structure in {}x{} blocks", s.blockRows, s.blockColumns);
  return s.blockRows || s.blockColumns ? text : text + " structure";
}

bool checkTensor(const ir::Layer &layer, const ir::Tensor &tensor, uint32_t gates, Diagnostics &diagnostics) {
  const ir::Structure &promise = tensor.promise;
  if (!tensor.present() || promise.scheme == ir::Scheme::Auto) return true;
  const Positions rows{tensor.rows() / gates, {}}, columns{tensor.columns(), {}};
  Diagnostic *error = nullptr;
  for (uint32_t g = 0; g < gates; ++g) {
    const Pattern pattern = gatePattern(tensor, g, gates, rows, columns, {});
    const ir::Structure found = detectScheme(pattern, promise.scheme, promise.blockRows, promise.blockColumns);
    if (found.fill >= kFillNeeded) continue;
    const std::string gate = gates > 1 ? fmt::format("gate {} of ", ir::gateName(layer, g)) : "";
    // Rounded down: what is refused must not read as enough.
    std::string text = fmt::format("{}'{}' fills {:.1f} % of a {}; its promise needs {:.0f} %", gate, tensor.name,
                                   std::floor(found.fill * 1000) / 10, describe(found), kFillNeeded * 100);
    if (const auto hole = firstHole(pattern, found))
      text += fmt::format("; the first hole is row {}, column {} (counted from 0)", hole->first, hole->second);
    if (error)
      error->notes.push_back({promise.where, text});
    else
      error = &diagnostics.error("sparsity-promise", promise.where, text);
  }
  return !error;
}

}  // namespace

bool FindStructure::run(Module &module, Context &) {
  RTMC_CHECK(module.network, "find-structure works on a network");
  dropMasks(*module.network);
  for (ir::Layer &layer : module.network->layers) annotate(*module.network, layer);
  return true;
}

bool checkPromises(const ir::Network &network, Diagnostics &diagnostics) {
  bool kept = true;
  for (const ir::Layer &layer : network.layers) {
    if (!layer.keptUnits.empty()) continue;  // a folded text, resumed: checked before it was folded
    if (const auto *linear = std::get_if<ir::Linear>(&layer.op)) {
      kept &= checkTensor(layer, linear->weight, 1, diagnostics);
      continue;
    }
    const uint32_t gates = ir::gateCount(layer);
    for (const ir::Recurrence &r : *ir::recurrences(layer)) {
      kept &= checkTensor(layer, r.weightIh, gates, diagnostics);
      kept &= checkTensor(layer, r.weightHh, gates, diagnostics);
      kept &= checkTensor(layer, r.weightHr, 1, diagnostics);
    }
  }
  return kept;
}

}  // namespace rtmc::passes
