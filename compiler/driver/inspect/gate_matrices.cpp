#include "driver/inspect/gate_matrices.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace rtmc::driver {
namespace {

/// Sizes of the vectors that a layer reads, as lower-cells has them: each direction of a layer is one.
std::vector<uint32_t> sourceSizes(const ir::Network &network, const ir::Layer &layer) {
  std::vector<uint32_t> sizes;
  for (const ir::ValueRef &ref : layer.inputs) {
    if (ref.kind == ir::ValueRef::Kind::Input) {
      sizes.push_back(network.inputs[ref.index].size);
      continue;
    }
    const ir::Layer &from = network.layers[ref.index];
    const size_t directions = ir::recurrences(from) ? ir::recurrences(from)->size() : 1;
    sizes.insert(sizes.end(), directions, ir::outputSizePerDirection(from));
  }
  return sizes;
}

void addSources(std::vector<GateMatrix> &matrices, const ir::Tensor &tensor, std::string_view gateName, uint32_t gate,
                uint32_t rows, const std::vector<uint32_t> &sources) {
  if (!tensor.present()) return;
  uint32_t column = 0;
  for (size_t k = 0; k < sources.size(); ++k) {
    const std::string name = fmt::format("{}.{}{}", tensor.name, gateName, k ? fmt::format("@{}", k) : "");
    matrices.push_back({name, &tensor, gate * rows, column, rows, sources[k]});
    column += sources[k];
  }
}

/// The user's index of each position of a space.
struct UserOrder {
  std::vector<uint32_t> unit;  // ir::kNone: padding
  uint32_t size = 0;           // units that the user has
};

UserOrder userOrder(const ir::Program &program, ir::Id space, uint32_t size) {
  UserOrder order;
  order.size = size;
  order.unit.resize(size);
  std::iota(order.unit.begin(), order.unit.end(), 0u);
  if (space == ir::kNone) return order;
  const ir::Space &own = program.spaces[space];
  const bool compact = own.parent != ir::kNone;
  const ir::Space &root = compact ? program.spaces[own.parent] : own;
  order.size = std::max(root.userSize, root.size);
  if (!own.order.empty()) order.unit = own.order;
  if (!compact || root.order.empty()) return order;
  for (uint32_t &unit : order.unit)
    if (unit != ir::kNone) unit = root.order[unit];
  return order;
}

}  // namespace

std::vector<GateMatrix> gateMatrices(const ir::Network &network) {
  std::vector<GateMatrix> matrices;
  for (const ir::Layer &layer : network.layers) {
    const std::vector<uint32_t> sources = sourceSizes(network, layer);
    if (const auto *linear = std::get_if<ir::Linear>(&layer.op)) {
      addSources(matrices, linear->weight, ir::gateName(layer, 0), 0, layer.size, sources);
      continue;
    }
    for (const ir::Recurrence &r : *ir::recurrences(layer)) {
      for (uint32_t gate = 0; gate < ir::gateCount(layer); ++gate)
        addSources(matrices, r.weightIh, ir::gateName(layer, gate), gate, layer.size, sources);
      for (uint32_t gate = 0; gate < ir::gateCount(layer); ++gate)
        addSources(matrices, r.weightHh, ir::gateName(layer, gate), gate, layer.size, {r.weightHh.columns()});
      addSources(matrices, r.weightHr, "p", 0, r.weightHr.rows(), {r.weightHr.columns()});
    }
  }
  return matrices;
}

Pattern patternOf(const GateMatrix &matrix) {
  Pattern pattern{matrix.rows, matrix.columns, {0}, {}};
  const ir::Tensor &tensor = *matrix.tensor;
  for (uint32_t row = 0; row < matrix.rows; ++row) {
    const size_t first = size_t{matrix.firstRow + row} * tensor.columns() + matrix.firstColumn;
    for (uint32_t column = 0; column < matrix.columns; ++column) {
      const bool masked = !tensor.mask.empty() && tensor.mask[first + column] == 0;
      if (!masked && tensor.values[first + column] != 0) pattern.columnIndex.push_back(column);
    }
    pattern.rowBegin.push_back(static_cast<uint32_t>(pattern.columnIndex.size()));
  }
  return pattern;
}

Pattern patternOf(const ir::Program &program, const ir::Weights &weights) {
  const UserOrder rows = userOrder(program, weights.rowSpace, weights.rows);
  const UserOrder columns = userOrder(program, weights.columnSpace, weights.columns);
  const ir::CsrMatrix matrix = ir::expand(weights);
  Pattern pattern{rows.size, columns.size, std::vector<uint32_t>(size_t{rows.size} + 1, 0), {}};
  for (uint32_t row = 0; row < matrix.rows; ++row)
    if (rows.unit[row] != ir::kNone)
      pattern.rowBegin[rows.unit[row] + 1] = matrix.rowBegin[row + 1] - matrix.rowBegin[row];
  std::partial_sum(pattern.rowBegin.begin(), pattern.rowBegin.end(), pattern.rowBegin.begin());
  pattern.columnIndex.resize(pattern.rowBegin.back());
  for (uint32_t row = 0; row < matrix.rows; ++row) {
    if (rows.unit[row] == ir::kNone) continue;
    const auto first = pattern.columnIndex.begin() + pattern.rowBegin[rows.unit[row]];
    auto to = first;
    for (uint32_t i = matrix.rowBegin[row]; i < matrix.rowBegin[row + 1]; ++i)
      *to++ = columns.unit[matrix.columnIndex[i]];
    std::sort(first, to);
  }
  return pattern;
}

}  // namespace rtmc::driver
