#include "passes/reorder_rows.h"

#include "ir/index_runs.h"
#include "passes/program_builder.h"
#include "passes/row_groups.h"
#include "passes/unit_orders.h"
#include "support/check.h"

#include <algorithm>
#include <optional>

namespace rtmc::passes {

using namespace ir;

namespace {

/// Predictions are not more exact: an order of the units must gain more than this share.
constexpr double kLeastGain = 0.02;

struct Reorder {
  Program &program;
  Context &context;
  uint64_t footprint;

  std::vector<TileShape> shapes(const Weights &w) const { return shapesOf(w.schedule, context.target); }

  bool fixed(Id space) const {
    for (const Section &section : program.sections)
      for (const Phase &phase : section.phases)
        for (const Operation &operation : phase.ops)
          if (auto *softmax = std::get_if<Softmax>(&operation))
            if (program.buffers[softmax->in].space == space) return true;
    for (const Weights &w : program.weights) {
      const bool touches = rootOf(program, w.rowSpace) == space || rootOf(program, w.columnSpace) == space;
      // Blocks across lanes need their columns side by side, and a schedule may forbid permuting.
      const bool blocks = w.schedule.lanes.width > 1 && !allColumns(w);
      if (touches && (blocks || !w.schedule.permute || !w.schedule.reorder)) return true;
    }
    return false;
  }

  /// Elements that the user sees per step: a permuted space is written out element by element.
  uint64_t visibleElements(Id space) const {
    uint64_t count = 0;
    for (const Section &section : program.sections)
      for (const Phase &phase : section.phases)
        for (const Operation &operation : phase.ops)
          if (auto *op = std::get_if<Elementwise>(&operation); op && op->space == space)
            for (const EwInstr &instr : op->body)
              if (instr.op == EwOp::Store && program.buffers[instr.buffer].lifetime == Lifetime::Out)
                count += op->count;
    return count;
  }

  /// Predicted time of the products into this root space, gaps filled where that helps.
  double productNs(Id space) const {
    double ns = 0;
    for (const Weights &w : program.weights) {
      if (rootOf(program, w.rowSpace) != space || w.schedule.lanes.gather) continue;
      const std::vector<uint32_t> owner = groupOfRow(w);
      for (const RowGroup &group : w.groups) {
        const double asIs = rowsNs(w, group.rows, group.columns.size());
        const std::vector<uint32_t> filled = filledRows(w, group, owner);
        ns += filled.empty() ? asIs : std::min(asIs, rowsNs(w, filled, group.columns.size()));
      }
    }
    return ns;
  }

  /// Predicted time of writing partly constant gates to the units of this root space.
  double scatterNs(Id space) const {
    double elements = 0;
    for (const Section &section : program.sections)
      for (const Phase &phase : section.phases)
        for (const Operation &operation : phase.ops) {
          const auto *op = std::get_if<Elementwise>(&operation);
          if (!op || op->space == kNone || program.spaces[op->space].parent != space) continue;
          const auto stores = std::count_if(op->body.begin(), op->body.end(),
                                            [](const EwInstr &i) { return i.op == EwOp::Store && i.mapped; });
          elements += double(stores) * scatterCost(program.spaces[op->space].order, context.target.lanes);
        }
    return elements * context.machine.scatterNs;
  }

  void permuteUnits(Id space) {
    if (!context.options.permute || fixed(space) || program.spaces[space].size < 2) return;
    std::vector<std::vector<uint32_t>> orders = unitOrders(program, space);
    std::erase_if(orders, [](const auto &order) { return std::is_sorted(order.begin(), order.end()); });
    if (orders.empty()) return;
    const bool wasPermuted = !program.spaces[space].order.empty();
    const double restore = wasPermuted ? 0.0 : double(visibleElements(space)) * context.machine.scatterNs;
    const Program original = program;
    std::optional<Program> best;
    double least = (1 - kLeastGain) * (productNs(space) + scatterNs(space));
    for (const std::vector<uint32_t> &order : orders) {
      permuteSpace(program, space, order);
      for (Id child = 0; child < program.spaces.size(); ++child)
        if (program.spaces[child].parent == space) orderSlots(program, child);
      if (const double ns = productNs(space) + scatterNs(space) + restore; ns < least) {
        least = ns;
        best = std::move(program);
      }
      program = original;
    }
    if (best) program = std::move(*best);
  }

  CostModel costOf(const Weights &w) const {
    return {context.machine, context.target, w.schedule.precision, w.schedule.accumulate, footprint};
  }

  double rowsNs(const Weights &w, const std::vector<uint32_t> &rows, size_t columns) const {
    const CostModel cost = costOf(w);
    double ns = 0;
    for (const RowTiles &tiles : cutRows(rows, shapes(w)))
      ns += cost.tileNs(tiles.shape, tiles.tiles, static_cast<uint32_t>(columns),
                        static_cast<uint32_t>(tiles.rows.size()));
    return ns;
  }

  /// A group's rows with the rows between them that have no weights; empty where there are none, or too many for the
  /// schedule's merge limit.
  static std::vector<uint32_t> filledRows(const Weights &w, const RowGroup &group, const std::vector<uint32_t> &owner) {
    if (w.schedule.format != Format::Bspc || !w.schedule.reorder) return {};
    std::vector<uint32_t> filled;
    size_t next = 0;
    for (uint32_t row = group.rows.front(); row <= group.rows.back(); ++row) {
      const bool own = next < group.rows.size() && group.rows[next] == row;
      next += own;
      if (own || owner[row] == kDead) filled.push_back(row);
    }
    const double zeros = double(filled.size() - group.rows.size()) / double(filled.size());
    return zeros > 0 && zeros <= w.schedule.mergeLimit ? filled : std::vector<uint32_t>{};
  }

  /// Explicit zeros for whole tiles of consecutive rows, where that saves more scattered stores than it reads and the
  /// matrix stays below its limit of bytes.
  void fillGaps(Weights &w) const {
    const std::vector<uint32_t> owner = groupOfRow(w);
    const uint64_t limit = byteLimit(w);
    uint64_t bytes = packedBytes(w, w.groups, shapes(w));
    for (RowGroup &group : w.groups) {
      const RowGroup filled{filledRows(w, group, owner), group.columns};
      if (filled.rows.empty() ||
          rowsNs(w, filled.rows, group.columns.size()) >= rowsNs(w, group.rows, group.columns.size()))
        continue;
      const uint64_t with = bytes - packedBytes(w, {group}, shapes(w)) + packedBytes(w, {filled}, shapes(w));
      if (with > limit) continue;
      bytes = with;
      group = filled;
    }
  }

  void run() {
    for (Weights &w : program.weights) w.groups = groupRows(program, w, costOf(w), shapes(w));
    const Id spaces = static_cast<Id>(program.spaces.size());
    for (Id space = 0; space < spaces; ++space)
      if (program.spaces[space].parent != kNone) orderSlots(program, space);
    for (Id space = 0; space < spaces; ++space)
      if (program.spaces[space].parent == kNone) permuteUnits(space);
    for (Weights &w : program.weights)
      if (!w.schedule.lanes.gather) fillGaps(w);
  }
};

}  // namespace

bool ReorderRows::run(Module &module, Context &context) {
  RTMC_CHECK(module.program, "reorder-rows needs a program");
  Reorder{*module.program, context, estimatedFootprint(*module.program)}.run();
  return true;
}

}  // namespace rtmc::passes
