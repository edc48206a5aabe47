// The part of lower-cells that all cells share: gates with their live rows, biases and products.
#include "passes/lowering.h"
#include "support/check.h"

#include <algorithm>
#include <numeric>

namespace rtmc::passes {

using namespace ir;

namespace {

/// Rows of a gate in a stacked tensor that have a weight, and all their weights.
struct LiveRows {
  uint64_t rows = 0, weights = 0;
};
LiveRows liveRows(const Tensor &tensor, uint32_t gate, uint32_t units) {
  LiveRows live;
  if (!tensor.present() || tensor.rows() < (gate + 1) * units) return live;
  for (uint32_t unit = 0; unit < units; ++unit) {
    const float *row = tensor.values.data() + size_t(gate * units + unit) * tensor.columns();
    const auto kept = tensor.columns() - std::count(row, row + tensor.columns(), 0.0f);
    live.rows += kept > 0;
    live.weights += static_cast<uint64_t>(kept);
  }
  return live;
}

}  // namespace

/// A compact gate writes its values one by one to their units. Computing all units instead reads explicit zeros: the
/// rows that one matrix has and the other has not lie between each other then.
bool Lowering::worthCompact(const Cell &cell, uint32_t gate, size_t live) const {
  double whole = double(cell.units - live) * machine_.gateNs;
  uint64_t bytes = 0;
  for (const Tensor *tensor : {&cell.tensors->weightIh, &cell.tensors->weightHh}) {
    const LiveRows here = liveRows(*tensor, gate, cell.units);
    if (here.rows) bytes += (cell.units - here.rows) * (here.weights / here.rows) * bytesOf(program_.precision);
  }
  whole += double(bytes) / std::max(1.0, machine_.readGbps(2u << 20));
  return double(live) * machine_.scatterNs < whole;
}

Gate Lowering::makeGate(const Cell &cell, uint32_t gate, const std::string &suffix,
                        const std::function<float(uint32_t)> &bias, const std::function<float(float)> &activation,
                        bool neverConstant) {
  Gate made;
  made.name = cell.name + "_" + suffix;
  made.units = cell.space;
  const auto &constant = cell.tensors->constantRows;
  const bool folded = gate < constant.size() && !neverConstant;
  for (uint32_t unit = 0; unit < cell.units; ++unit)
    if (!folded || !constant[gate][unit]) made.live.push_back(unit);
  if (!made.live.empty() && made.live.size() < cell.units && !worthCompact(cell, gate, made.live.size())) {
    made.live.resize(cell.units);
    std::iota(made.live.begin(), made.live.end(), 0u);
  }
  if (made.live.size() == cell.units) {
    made.space = cell.space;
  } else {
    for (uint32_t unit = 0; unit < cell.units; ++unit) made.constant.push_back(activation(bias(unit)));
    if (!made.live.empty()) {
      made.space = addSpace(program_, made.name, static_cast<uint32_t>(made.live.size()), cell.space, made.live, 0);
      made.value =
          addVector(program_, made.name, cell.space, Lifetime::Scratch, "constant where the gate has no weights");
      program_.buffers[made.value].init = made.constant;
    } else {
      made.value = constantVector(made.name, cell.space, made.constant, "the gate has no weights");
    }
  }
  if (!made.live.empty()) {
    made.pre = addVector(program_, made.name + "_pre", made.space, Lifetime::Scratch, "bias + W x + U h");
    program_.buffers[made.pre].allSteps = chunk_ > 1;
  }
  return made;
}

void Lowering::addBias(Phase &phase, const Gate &gate, const std::string &name,
                       const std::function<float(uint32_t)> &bias) {
  if (gate.pre == kNone) return;
  std::vector<float> values;
  for (uint32_t unit : gate.live) values.push_back(bias(unit));
  const uint32_t count = static_cast<uint32_t>(values.size());
  const bool zero = std::all_of(values.begin(), values.end(), [](float v) { return v == 0; });
  ElementwiseBuilder start(name, gate.space, count);
  const uint32_t value =
      zero ? start.constant(0, "zero") : start.load(constantVector(name, gate.space, std::move(values), ""), "bias");
  start.store(gate.pre, value);
  phase.ops.emplace_back(start.take());
}

namespace {

/// Rows `live` (of the gate starting at firstRow), columns [firstColumn, +columns) of a tensor, zeros left out.
void fillMatrix(Weights &weights, const Tensor &tensor, uint32_t firstRow, const std::vector<uint32_t> &live,
                uint32_t firstColumn, uint32_t columns) {
  weights.rows = static_cast<uint32_t>(live.size());
  weights.columns = columns;
  weights.rowBegin.assign(1, 0);
  for (uint32_t unit : live) {
    const float *row = tensor.values.data() + size_t(firstRow + unit) * tensor.columns() + firstColumn;
    for (uint32_t column = 0; column < columns; ++column) {
      if (row[column] == 0) continue;
      weights.columnIndex.push_back(column);
      weights.values.push_back(row[column]);
    }
    weights.rowBegin.push_back(static_cast<uint32_t>(weights.values.size()));
  }
  weights.nonzeros = weights.values.size();
}

}  // namespace

void Lowering::addProducts(Phase &phase, const Gate &gate, const Tensor &tensor, uint32_t gateIndex,
                           uint32_t rowsPerGate, const std::vector<Source> &sources, const std::string &tensorName,
                           const Structure &structure) {
  if (gate.pre == kNone || !tensor.present()) return;
  uint32_t firstColumn = 0;
  for (size_t k = 0; k < sources.size(); ++k) {
    const Source &source = sources[k];
    Weights weights;
    weights.name = tensorName + (k ? "@" + std::to_string(k) : "");
    fillMatrix(weights, tensor, gateIndex * rowsPerGate, gate.live, firstColumn, source.size);
    firstColumn += source.size;
    if (weights.nonzeros == 0) continue;
    weights.rowSpace = gate.space;
    weights.columnSpace = source.space;
    weights.structure = structure;
    weights.where = tensor.where;
    program_.weights.push_back(std::move(weights));
    MatMul product;
    product.name = program_.weights.back().name;
    product.weights = static_cast<Id>(program_.weights.size() - 1);
    product.x = source.buffer;
    product.xOffset = source.offset;
    product.y = gate.pre;
    phase.ops.emplace_back(std::move(product));
  }
  RTMC_CHECK(firstColumn == tensor.columns(), "a tensor's columns are not its sources'");
}

void Lowering::addCompactGate(Phase &phase, Gate &gate, EwOp activation, const std::vector<float> *peephole,
                              Id cellState) {
  if (gate.pre == kNone || gate.allLive()) return;
  ElementwiseBuilder builder(gate.name, gate.space, static_cast<uint32_t>(gate.live.size()));
  uint32_t pre = builder.load(gate.pre, "pre");
  if (peephole) {
    std::vector<float> compact;
    for (uint32_t unit : gate.live) compact.push_back((*peephole)[unit]);
    const Id weights = constantVector(gate.name + "_peephole", gate.space, std::move(compact), "");
    const uint32_t p = builder.load(weights, "peephole");
    const uint32_t c = builder.load(cellState, "c");
    pre = builder.op(EwOp::Fma, "with_cell", p, c, pre);
  }
  builder.store(gate.value, builder.op(activation, "value", pre));
  phase.ops.emplace_back(builder.take());
}

uint32_t Lowering::gateValue(ElementwiseBuilder &builder, const Gate &gate, EwOp activation, const std::string &name,
                             Id peephole, uint32_t cellValue) {
  if (gate.allLive()) {
    uint32_t pre = builder.load(gate.pre, name + "_pre");
    if (peephole != kNone)
      pre = builder.op(EwOp::Fma, name + "_with_cell", builder.load(peephole, name + "_peephole"), cellValue, pre);
    return builder.op(activation, name, pre);
  }
  const bool uniform = gate.pre == kNone && std::all_of(gate.constant.begin(), gate.constant.end(),
                                                        [&](float v) { return v == gate.constant.front(); });
  return uniform ? builder.constant(gate.constant.front(), name) : builder.load(gate.value, name);
}

}  // namespace rtmc::passes
