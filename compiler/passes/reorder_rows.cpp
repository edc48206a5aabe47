#include "passes/reorder_rows.h"

#include "passes/program_builder.h"
#include "passes/row_groups.h"
#include "support/check.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>

namespace rtmc::passes {

using namespace ir;

namespace {

constexpr uint32_t kDead = kNone;  // a row in no group

/// Group of each row; where a row is in several groups (CSB), the first.
std::vector<uint32_t> groupOfRow(const Weights &w) {
  std::vector<uint32_t> group(w.rows, kDead);
  for (uint32_t g = 0; g < w.groups.size(); ++g)
    for (uint32_t row : w.groups[g].rows)
      if (group[row] == kDead) group[row] = g;
  return group;
}

struct Reorder {
  Program &program;
  Context &context;
  uint64_t footprint;

  std::vector<TileShape> shapes(const Weights &w) const { return shapesOf(w.schedule, context.target); }

  Id rootOf(Id space) const {
    return space == kNone || program.spaces[space].parent == kNone ? space : program.spaces[space].parent;
  }

  bool fixed(Id space) const {
    for (const Section &section : program.sections)
      for (const Phase &phase : section.phases)
        for (const Operation &operation : phase.ops)
          if (auto *softmax = std::get_if<Softmax>(&operation))
            if (program.buffers[softmax->in].space == space) return true;
    for (const Weights &w : program.weights) {
      const bool touches = rootOf(w.rowSpace) == space || rootOf(w.columnSpace) == space;
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

  using Keys = std::vector<std::vector<uint32_t>>;  // per unit, compared in lexicographic order

  static std::vector<uint32_t> sortedBy(const Keys &keys) {
    std::vector<uint32_t> order(keys.size());
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return keys[a] < keys[b]; });
    return order;
  }

  /// Matrices with rows among these units, the heaviest first.
  std::vector<const Weights *> readersOf(Id space) const {
    std::vector<const Weights *> readers;
    for (const Weights &w : program.weights)
      if (rootOf(w.rowSpace) == space && !w.schedule.lanes.gather) readers.push_back(&w);
    std::stable_sort(readers.begin(), readers.end(),
                     [](const Weights *a, const Weights *b) { return a->nonzeros > b->nonzeros; });
    return readers;
  }

  std::vector<uint32_t> groupOfUnit(const Weights &w, Id space) const {
    const std::vector<uint32_t> group = groupOfRow(w);
    const Space &rows = program.spaces[w.rowSpace];
    std::vector<uint32_t> ofUnit(program.spaces[space].size, kDead);
    for (uint32_t row = 0; row < w.rows; ++row) ofUnit[w.rowSpace == space ? row : rows.order[row]] = group[row];
    return ofUnit;
  }

  /// Two orders of the units; which is better depends on how the matrices' groups meet.
  /// By groups: what the heaviest matrix computes together lies together, inside it what the second does, and so on.
  /// By stripes: groups of all matrices that share rows lie together, whatever is dead in one of them; inside, first
  /// the units that only the heaviest has, then those that the second has too, then the second's own, so that both are
  /// runs.
  std::vector<std::vector<uint32_t>> unitOrders(Id space) const {
    Keys byGroups(program.spaces[space].size), byStripes(program.spaces[space].size);
    std::vector<uint32_t> first;
    const std::vector<const Weights *> readers = readersOf(space);
    for (const Weights *w : readers) {
      const std::vector<uint32_t> group = groupOfUnit(*w, space);
      if (w == readers.front()) first = group;
      const std::vector<uint32_t> stripe = partners(first, group, readers[0]->groups.size(), w->groups.size());
      for (uint32_t unit = 0; unit < group.size(); ++unit) {
        std::vector<uint32_t> &key = byStripes[unit];
        const bool live = group[unit] != kDead;
        byGroups[unit].push_back(group[unit]);
        if (w == readers[0]) {
          key = {group[unit], live ? 0u : 3u};
          continue;
        }
        if (live && key[0] == kDead) key[0] = stripe[group[unit]];
        if (live && w == readers[1]) key[1] = key[1] == 0 ? 1 : 2;
        key.push_back(group[unit]);
      }
    }
    return {sortedBy(byGroups), sortedBy(byStripes)};
  }

  /// Predicted time of the products into this root space, gaps filled where that helps.
  double productNs(Id space) const {
    double ns = 0;
    for (const Weights &w : program.weights) {
      if (rootOf(w.rowSpace) != space || w.schedule.lanes.gather) continue;
      const std::vector<uint32_t> owner = groupOfRow(w);
      for (const RowGroup &group : w.groups) {
        const double asIs = rowsNs(w, group.rows, group.columns.size());
        const std::vector<uint32_t> filled = filledRows(w, group, owner);
        ns += filled.empty() ? asIs : std::min(asIs, rowsNs(w, filled, group.columns.size()));
      }
    }
    return ns;
  }

  void permuteUnits(Id space) {
    if (!context.options.permute || fixed(space) || program.spaces[space].size < 2) return;
    std::vector<std::vector<uint32_t>> orders = unitOrders(space);
    std::erase_if(orders, [](const auto &order) { return std::is_sorted(order.begin(), order.end()); });
    if (orders.empty()) return;
    const bool wasPermuted = !program.spaces[space].order.empty();
    const double restore = wasPermuted ? 0.0 : double(visibleElements(space)) * context.machine.scatterNs;
    const Program original = program;
    std::optional<Program> best;
    double least = productNs(space);
    for (const std::vector<uint32_t> &order : orders) {
      permuteSpace(program, space, order);
      for (Id child = 0; child < program.spaces.size(); ++child)
        if (program.spaces[child].parent == space) orderSlots(child);
      if (const double ns = productNs(space) + restore; ns < least) {
        least = ns;
        best = std::move(program);
      }
      program = original;
    }
    if (best) program = std::move(*best);
  }

  /// Slots of a partly constant gate: rows of one group of the heaviest matrix together; inside, first the rows that
  /// only it has, then those it shares with the second matrix's partner group, then that group's own. So both are runs.
  void orderSlots(Id space) {
    std::vector<const Weights *> readers;
    for (const Weights &w : program.weights)
      if (w.rowSpace == space && !w.schedule.lanes.gather && w.schedule.reorder) readers.push_back(&w);
    if (readers.empty()) return;
    std::stable_sort(readers.begin(), readers.end(),
                     [](const Weights *a, const Weights *b) { return a->nonzeros > b->nonzeros; });
    const uint32_t size = program.spaces[space].size;
    const std::vector<uint32_t> first = groupOfRow(*readers[0]);
    const std::vector<uint32_t> second =
        readers.size() > 1 ? groupOfRow(*readers[1]) : std::vector<uint32_t>(size, kDead);
    const std::vector<uint32_t> partner =
        readers.size() > 1 ? partners(first, second, readers[0]->groups.size(), readers[1]->groups.size())
                           : std::vector<uint32_t>{};
    struct Key {
      uint32_t anchor, part, other, unit;
      auto operator<=>(const Key &) const = default;
    };
    std::vector<Key> keys(size);
    for (uint32_t slot = 0; slot < size; ++slot) {
      const bool inFirst = first[slot] != kDead, inSecond = second[slot] != kDead;
      const uint32_t anchor = inFirst ? first[slot] : inSecond ? partner[second[slot]] : kDead;
      keys[slot] = {anchor, inFirst ? (inSecond ? 1u : 0u) : 2u, second[slot], program.spaces[space].order[slot]};
    }
    std::vector<uint32_t> order(size);
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return keys[a] < keys[b]; });
    permuteSpace(program, space, order);
  }

  /// For each group of the second matrix the group of the first with which it shares most rows (else nearest in order).
  static std::vector<uint32_t> partners(const std::vector<uint32_t> &first, const std::vector<uint32_t> &second,
                                        size_t firstGroups, size_t secondGroups) {
    std::vector<std::map<uint32_t, uint32_t>> shared(secondGroups);
    for (size_t slot = 0; slot < first.size(); ++slot)
      if (first[slot] != kDead && second[slot] != kDead) ++shared[second[slot]][first[slot]];
    std::vector<uint32_t> partner(secondGroups);
    for (size_t g = 0; g < secondGroups; ++g) {
      const auto most = std::max_element(shared[g].begin(), shared[g].end(),
                                         [](const auto &a, const auto &b) { return a.second < b.second; });
      partner[g] = most != shared[g].end() ? most->first : static_cast<uint32_t>(std::min(g, firstGroups));
    }
    return partner;
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
      if (program.spaces[space].parent != kNone) orderSlots(space);
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
