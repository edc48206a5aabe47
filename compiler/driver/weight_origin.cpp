#include "driver/weight_origin.h"

#include <charconv>
#include <string>
#include <string_view>

namespace rtmc::driver {
namespace {

/// The user's index of each position of a space; through compact spaces to the root.
std::vector<uint32_t> userIndices(const ir::Program &program, ir::Id space, uint32_t count) {
  std::vector<uint32_t> indices(count);
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t at = i;
    for (ir::Id s = space; s != ir::kNone && at != ir::kNone; s = program.spaces[s].parent) {
      const std::vector<uint32_t> &order = program.spaces[s].order;
      if (!order.empty()) at = at < order.size() ? order[at] : ir::kNone;
    }
    indices[i] = at;
  }
  return indices;
}

/// "gru0.weight_ih_reverse.z@1" taken apart.
struct MatrixName {
  std::string layer, tensor, gate;
  bool reverse = false;
  uint32_t source = 0;
};

std::optional<MatrixName> parseName(const std::string &text) {
  MatrixName name;
  std::string rest = text;
  if (const size_t at = rest.find('@'); at != std::string::npos) {
    const char *end = rest.data() + rest.size();
    if (std::from_chars(rest.data() + at + 1, end, name.source).ptr != end) return std::nullopt;
    rest.resize(at);
  }
  const size_t first = rest.find('.'), last = rest.rfind('.');
  if (first == std::string::npos || last == first) return std::nullopt;
  name.layer = rest.substr(0, first);
  name.tensor = rest.substr(first + 1, last - first - 1);
  name.gate = rest.substr(last + 1);
  constexpr std::string_view kReverse = "_reverse";
  if (name.tensor.ends_with(kReverse)) {
    name.reverse = true;
    name.tensor.resize(name.tensor.size() - kReverse.size());
  }
  return name;
}

/// First column of source `k` in the user's tensor. Each direction of a layer is a source of its own.
std::optional<uint64_t> firstColumnOf(const ir::Network &network, const ir::Layer &layer, uint32_t k) {
  uint64_t column = 0;
  uint32_t source = 0;
  for (const ir::ValueRef &ref : layer.inputs) {
    const uint32_t total = ir::sizeOf(network, ref);
    uint32_t parts = 1;
    if (ref.kind == ir::ValueRef::Kind::Layer) {
      const auto *directions = ir::recurrences(network.layers[ref.index]);
      if (directions) parts = static_cast<uint32_t>(directions->size());
    }
    if (k < source + parts) return column + uint64_t{k - source} * (total / parts);
    source += parts;
    column += total;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Origin> originOf(const ir::Program &program, const ir::Weights &weights, ir::Network &network) {
  const auto name = parseName(weights.name);
  if (!name) return std::nullopt;
  for (ir::Layer &layer : network.layers) {
    if (layer.name != name->layer) continue;
    Origin origin;
    uint32_t gate = 0;
    if (auto *linear = std::get_if<ir::Linear>(&layer.op)) {
      origin.tensor = &linear->weight;
    } else {
      std::vector<ir::Recurrence> &directions = *ir::recurrences(layer);
      ir::Recurrence &recurrence = directions[name->reverse && directions.size() > 1 ? 1 : 0];
      if (name->tensor == "weight_ih") origin.tensor = &recurrence.weightIh;
      if (name->tensor == "weight_hh") origin.tensor = &recurrence.weightHh;
      if (name->tensor == "weight_hr") origin.tensor = &recurrence.weightHr;
      if (name->tensor != "weight_hr") {
        while (gate < ir::gateCount(layer) && ir::gateName(layer, gate) != name->gate) ++gate;
        if (gate == ir::gateCount(layer)) return std::nullopt;
      }
    }
    if (!origin.tensor || !origin.tensor->present()) return std::nullopt;
    origin.firstRow = uint64_t{gate} * layer.size;
    if (name->tensor != "weight_hh" && name->tensor != "weight_hr") {
      const auto column = firstColumnOf(network, layer, name->source);
      if (!column) return std::nullopt;
      origin.firstColumn = *column;
    }
    origin.rows = userIndices(program, weights.rowSpace, weights.rows);
    origin.columns = userIndices(program, weights.columnSpace, weights.columns);
    const auto inside = [](const std::vector<uint32_t> &indices, uint64_t first, uint64_t limit) {
      for (uint32_t index : indices)
        if (index != ir::kNone && first + index >= limit) return false;
      return true;
    };
    if (!inside(origin.rows, origin.firstRow, origin.tensor->rows()) ||
        !inside(origin.columns, origin.firstColumn, origin.tensor->columns())) {
      return std::nullopt;
    }
    return origin;
  }
  return std::nullopt;
}

}  // namespace rtmc::driver
