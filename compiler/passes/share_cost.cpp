#include "passes/share_cost.h"

#include "ir/index_runs.h"
#include "ir/kernel_access.h"
#include "passes/row_groups.h"
#include "support/check.h"

#include <algorithm>
#include <numeric>
#include <set>

namespace rtmc::passes {

using namespace ir;

namespace {

/// Predicted time of an instruction that is neither a mapped load or store nor a sigmoid or tanh, per element.
constexpr double kPlainNs = 0.02;

constexpr uint32_t kLineBytes = 64;

/// Lines of buffers that shares write, which phases of a section have read since.
class HandedOver {
 public:
  explicit HandedOver(const Program &program) : program_(program), shared_(program.buffers.size(), false) {
    for (const Section &section : program.sections) {
      for (const Phase &phase : section.phases) forWritten(phase, [&](Id buffer) { shared_[buffer] = true; });
      for (const auto &[state, next] : section.swaps) shared_[state] = shared_[next] = true;
    }
  }

  void begin() { known_.clear(); }

  /// Lines that the phase is the first to read; what it writes is new to the phases behind it.
  uint32_t linesOf(const Phase &phase) {
    const size_t before = known_.size();
    for (const Operation &operation : phase.ops) {
      if (auto *product = std::get_if<MatMul>(&operation)) {
        const Weights &w = program_.weights[product->weights];
        std::vector<bool> used(w.columns, false);
        for (const uint32_t column : w.columnIndex) used[column] = true;
        for (uint32_t column = 0; column < w.columns; ++column)
          if (used[column]) read(product->x, product->xOffset + column);
      }
      if (auto *softmax = std::get_if<Softmax>(&operation))
        for (uint32_t i = 0; i < softmax->count; ++i) read(softmax->in, i);
      auto *op = std::get_if<Elementwise>(&operation);
      if (!op || !op->replicated) continue;
      for (const EwInstr &instr : op->body)
        for (uint32_t i = 0; instr.op == EwOp::Load && i < op->count; ++i)
          read(instr.buffer, instr.offset + (instr.mapped ? op->map[i] : i));
    }
    const size_t lines = known_.size() - before;
    forWritten(phase,
               [&](Id buffer) { known_.erase(known_.lower_bound({buffer, 0}), known_.lower_bound({buffer + 1, 0})); });
    return static_cast<uint32_t>(lines);
  }

 private:
  template <class Fn>
  void forWritten(const Phase &phase, Fn &&fn) const {
    for (const Operation &operation : phase.ops)
      forEachAccess(operation, [&](Id buffer, bool written) {
        if (written && !program_.buffers[buffer].perShare) fn(buffer);
      });
  }

  void read(Id buffer, uint32_t element) {
    const uint32_t bytes = program_.buffers[buffer].dtype == DType::F16 ? 2 : 4;
    if (shared_[buffer]) known_.insert({buffer, element * bytes / kLineBytes});
  }

  const Program &program_;
  std::vector<bool> shared_;                 // by buffer
  std::set<std::pair<Id, uint32_t>> known_;  // buffer, line
};

double elementNs(const Elementwise &op, const Machine &machine, uint32_t lanes) {
  const double scattered =
      op.map.empty() ? 0 : machine.scatterNs * scatterCost(op.map, lanes) / static_cast<double>(op.map.size());
  double ns = 0;
  for (const EwInstr &instr : op.body) {
    const bool transcendental = instr.op == EwOp::Sigmoid || instr.op == EwOp::Tanh;
    ns += transcendental ? machine.gateNs : instr.mapped ? std::max(scattered, kPlainNs) : kPlainNs;
  }
  return ns;
}

}  // namespace

PhaseCost::PhaseCost(const Program &program, const Phase &phase, const Context &context, uint64_t footprint) {
  const uint32_t size = program.spaces[phase.domain].size;
  std::vector<double> gates(size, 0.0);
  const auto unitsOf = [&](Id space) {
    if (space == phase.domain) return std::vector<uint32_t>{};
    RTMC_CHECK(space != kNone && program.spaces[space].parent == phase.domain, "a phase works outside its domain");
    return program.spaces[space].order;
  };
  perUnit_.assign(size, 0.0);
  for (const Operation &operation : phase.ops) {
    if (auto *product = std::get_if<MatMul>(&operation)) {
      const Weights &w = program.weights[product->weights];
      products_.push_back(
          {&w, CostModel(context.machine, context.target, w.schedule.precision, w.schedule.accumulate, footprint),
           unitsOf(w.rowSpace)});
      const Product &added = products_.back();
      for (const RowGroup &group : w.groups) {
        const double ns = tilesNs(added, group, group.rows) / double(group.rows.size());
        for (uint32_t row : group.rows) perUnit_[added.unitOf.empty() ? row : added.unitOf[row]] += ns;
      }
    }
    if (auto *softmax = std::get_if<Softmax>(&operation)) serial_ += softmax->count * context.machine.gateNs * 2;
    auto *op = std::get_if<Elementwise>(&operation);
    if (op && op->replicated) everyShare_ += op->count * kPlainNs * 2;
    if (!op || op->replicated) continue;
    const std::vector<uint32_t> units = unitsOf(op->space);
    const double ns = elementNs(*op, context.machine, context.target.lanes);
    for (uint32_t i = 0; i < op->count; ++i) gates[units.empty() ? i : units[i]] += ns;
  }
  gatesUpTo_.assign(1, 0.0);
  for (uint32_t unit = 0; unit < size; ++unit) {
    perUnit_[unit] += gates[unit];
    gatesUpTo_.push_back(gatesUpTo_.back() + gates[unit]);
  }
}

std::vector<uint32_t> linesHandedOver(const Program &program) {
  std::vector<uint32_t> lines;
  HandedOver handed(program);
  for (const Section &section : program.sections) {
    handed.begin();
    for (const Phase &phase : section.phases) lines.push_back(handed.linesOf(phase));
  }
  return lines;
}

double PhaseCost::tilesNs(const Product &product, const RowGroup &group, const std::vector<uint32_t> &rows) const {
  const Weights &w = *product.weights;
  double ns = 0;
  for (RowTiles &tiles : cutRows(rows, w.tiles)) {
    tiles.shape.denseColumns = consecutiveColumns(w, group);
    ns += product.model.tileNs(tiles.shape, tiles.tiles, paddedEntries(w.schedule.precision, entriesOf(w, group)),
                               static_cast<uint32_t>(tiles.rows.size()));
  }
  return ns;
}

double PhaseCost::productNs(const Product &product, uint32_t begin, uint32_t end) const {
  const Weights &w = *product.weights;
  // Where the share's rows will lie, next to each other: slots of compact spaces follow the shares.
  std::vector<uint32_t> at(w.rows, kNone);
  uint32_t count = 0;
  for (uint32_t row = 0; row < w.rows; ++row) {
    const uint32_t unit = product.unitOf.empty() ? row : product.unitOf[row];
    if (unit >= begin && unit < end) at[row] = count++;
  }
  double ns = 0;
  std::vector<uint32_t> rows;
  if (w.schedule.lanes.gather) {  // grouped again inside the share
    for (uint32_t row = 0; row < w.rows; ++row)
      if (at[row] != kNone) rows.push_back(row);
    for (const RowGroup &group : groupGather(w, std::move(rows), w.schedule.lanes.lanes))
      ns += tilesNs(product, group, group.rows);
    return ns;
  }
  for (const RowGroup &group : w.groups) {
    rows.clear();
    for (uint32_t row : group.rows)
      if (at[row] != kNone) rows.push_back(at[row]);
    if (!rows.empty()) ns += tilesNs(product, group, rows);
  }
  return ns;
}

double PhaseCost::of(uint32_t begin, uint32_t end, bool first) {
  const auto [known, added] = known_.try_emplace({begin, end}, 0.0);
  if (added && begin < end) {
    double ns = gatesUpTo_[end] - gatesUpTo_[begin];
    for (const Product &product : products_) ns += productNs(product, begin, end);
    known->second = ns;
  }
  return known->second + everyShare_ + (first ? serial_ : 0.0);
}

}  // namespace rtmc::passes
