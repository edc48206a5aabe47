#include "passes/unit_orders.h"

#include "passes/reorder_rows.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <tuple>

namespace rtmc::passes {

using namespace ir;

namespace {

using Keys = std::vector<std::vector<uint32_t>>;  // per unit, compared in lexicographic order

struct Orders {
  const Program &program;

  /// Where a slot of a partly constant gate belongs.
  struct Cell {
    uint32_t anchor = 0, part = 0, other = 0;
    auto operator<=>(const Cell &) const = default;
  };

  /// Per slot: rows of one group of the heaviest matrix have one anchor; inside, first the rows that only it has, then
  /// those it shares with the second matrix's partner group, then that group's own. So both are runs of slots that are
  /// ordered by cell. Empty where no matrix asks for an order.
  std::vector<Cell> cellsOf(Id space) const {
    std::vector<const Weights *> readers;
    for (const Weights &w : program.weights)
      if (w.rowSpace == space && !w.schedule.lanes.gather && w.schedule.reorder) readers.push_back(&w);
    if (readers.empty()) return {};
    std::stable_sort(readers.begin(), readers.end(),
                     [](const Weights *a, const Weights *b) { return a->nonzeros > b->nonzeros; });
    const uint32_t size = program.spaces[space].size;
    const std::vector<uint32_t> first = groupOfRow(*readers[0]);
    const std::vector<uint32_t> second =
        readers.size() > 1 ? groupOfRow(*readers[1]) : std::vector<uint32_t>(size, kDead);
    const std::vector<uint32_t> partner =
        readers.size() > 1 ? partners(first, second, readers[0]->groups.size(), readers[1]->groups.size())
                           : std::vector<uint32_t>{};
    std::vector<Cell> cells(size);
    for (uint32_t slot = 0; slot < size; ++slot) {
      const bool inFirst = first[slot] != kDead, inSecond = second[slot] != kDead;
      const uint32_t anchor = inFirst ? first[slot] : inSecond ? partner[second[slot]] : kDead;
      cells[slot] = {anchor, inFirst ? (inSecond ? 1u : 0u) : 2u, second[slot]};
    }
    return cells;
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
      if (rootOf(program, w.rowSpace) == space && !w.schedule.lanes.gather) readers.push_back(&w);
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

  /// A partly constant gate, seen from the units.
  struct GateCells {
    std::vector<uint32_t> anchor;  // of each unit; kDead without a slot
    std::vector<uint32_t> cell;    // of each unit: 1 + position of its cell among the gate's cells; 0 without a slot
    uint32_t anchors = 0, cells = 0;
  };

  GateCells gateCells(Id child, uint32_t units) const {
    const std::vector<Cell> cells = cellsOf(child);
    std::vector<Cell> distinct = cells;
    std::sort(distinct.begin(), distinct.end());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    GateCells gate{std::vector<uint32_t>(units, kDead), std::vector<uint32_t>(units, 0), 0,
                   static_cast<uint32_t>(distinct.size())};
    for (uint32_t slot = 0; slot < cells.size(); ++slot) {
      const uint32_t unit = program.spaces[child].order[slot];
      gate.anchor[unit] = cells[slot].anchor;
      if (cells[slot].anchor != kDead) gate.anchors = std::max(gate.anchors, cells[slot].anchor + 1);
      const auto at = std::lower_bound(distinct.begin(), distinct.end(), cells[slot]);
      gate.cell[unit] = 1 + static_cast<uint32_t>(at - distinct.begin());
    }
    return gate;
  }

  /// By gates: what the largest partly constant gate has next to each other lies next to each other, inside it what the
  /// second has, and so on, forwards and backwards in turns as in a Gray code. Slots and units then have long runs in
  /// common, which are copied as vectors. Groups of matrices whose rows are the units themselves come before all.
  std::optional<std::vector<uint32_t>> orderByGates(Id space) const {
    const uint32_t units = program.spaces[space].size;
    std::vector<Id> children;
    for (Id child = 0; child < program.spaces.size(); ++child)
      if (program.spaces[child].parent == space && !cellsOf(child).empty()) children.push_back(child);
    if (children.empty()) return {};
    std::stable_sort(children.begin(), children.end(),
                     [&](Id a, Id b) { return program.spaces[a].size > program.spaces[b].size; });
    Keys keys(units);
    for (const Weights *w : readersOf(space)) {
      if (w->rowSpace != space) continue;
      const std::vector<uint32_t> group = groupOfRow(*w);
      for (uint32_t unit = 0; unit < units; ++unit) keys[unit].push_back(group[unit]);
    }
    std::vector<GateCells> gates;
    for (const Id child : children) gates.push_back(gateCells(child, units));
    std::vector<uint32_t> stripe = gates[0].anchor;
    for (size_t g = 1; g < gates.size(); ++g) {
      const std::vector<uint32_t> partner =
          partners(gates[0].anchor, gates[g].anchor, gates[0].anchors, gates[g].anchors);
      for (uint32_t unit = 0; unit < units; ++unit)
        if (stripe[unit] == kDead && gates[g].anchor[unit] != kDead) stripe[unit] = partner[gates[g].anchor[unit]];
    }
    for (uint32_t unit = 0; unit < units; ++unit) {
      keys[unit].push_back(stripe[unit]);
      uint32_t turns = 0;
      for (const GateCells &gate : gates) {
        const uint32_t cell = gate.cell[unit];
        keys[unit].push_back(turns % 2 ? gate.cells - cell : cell);
        turns += cell;
      }
    }
    return sortedBy(keys);
  }

  /// Orders of the units; which is best depends on how the matrices' groups meet.
  /// By groups: what the heaviest matrix computes together lies together, inside it what the second does, and so on.
  /// By stripes: groups of all matrices that share rows lie together, whatever is dead in one of them; inside, first
  /// the units that only the heaviest has, then those that the second has too, then the second's own, so that both are
  /// runs.
  std::vector<std::vector<uint32_t>> all(Id space) const {
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
    std::vector<std::vector<uint32_t>> orders{sortedBy(byGroups), sortedBy(byStripes)};
    if (auto byGates = orderByGates(space)) orders.push_back(std::move(*byGates));
    return orders;
  }
};

}  // namespace

std::vector<uint32_t> groupOfRow(const Weights &w) {
  std::vector<uint32_t> group(w.rows, kDead);
  for (uint32_t g = 0; g < w.groups.size(); ++g)
    for (uint32_t row : w.groups[g].rows)
      if (group[row] == kDead) group[row] = g;
  return group;
}

Id rootOf(const Program &program, Id space) {
  return space == kNone || program.spaces[space].parent == kNone ? space : program.spaces[space].parent;
}

std::vector<std::vector<uint32_t>> unitOrders(const Program &program, Id space) {
  return Orders{program}.all(space);
}

void orderSlots(Program &program, Id space) {
  const std::vector<Orders::Cell> cells = Orders{program}.cellsOf(space);
  if (cells.empty()) return;
  const std::vector<uint32_t> &units = program.spaces[space].order;
  std::vector<uint32_t> order(cells.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return std::tie(cells[a], units[a]) < std::tie(cells[b], units[b]); });
  permuteSpace(program, space, order);
}

}  // namespace rtmc::passes
