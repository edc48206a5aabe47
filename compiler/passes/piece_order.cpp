#include "passes/piece_order.h"

#include "passes/row_groups.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace rtmc::passes {

using namespace ir;

namespace {

auto keyOf(const Weights &w, const RowGroup &group, const RowTiles &tiles) {
  const TileShape &shape = tiles.shape;
  // Partial tiles last: they need no alignment, so no gaps before them. Those of one kernel together.
  return std::tuple(!shape.partial, shape.lanes, shape.vectors, !shape.indexed, shape.denseColumns, shape.rowStep,
                    halfLastVector(shape, static_cast<uint32_t>(tiles.rows.size())), entriesOf(w, group));
}

/// Each row's groups in the order of their sums: widest first as if there were one share. Empty: no row has several.
std::vector<std::vector<const RowGroup *>> summingOrder(const Weights &w) {
  std::vector<std::vector<const RowGroup *>> groupsOf(w.rows);
  bool several = false;
  for (const RowGroup &group : w.groups)
    for (uint32_t row : group.rows) {
      groupsOf[row].push_back(&group);
      several |= groupsOf[row].size() > 1;
    }
  if (!several) return {};
  using Key = decltype(keyOf(w, w.groups[0], {}));
  std::vector<Key> widest(w.groups.size());
  for (size_t i = 0; i < w.groups.size(); ++i)
    for (RowTiles &tiles : cutRows(w.groups[i].rows, w.tiles)) {
      tiles.shape.denseColumns = consecutiveColumns(w, w.groups[i]);
      widest[i] = std::max(widest[i], keyOf(w, w.groups[i], tiles));
    }
  for (std::vector<const RowGroup *> &groups : groupsOf)
    std::stable_sort(groups.begin(), groups.end(), [&](const RowGroup *a, const RowGroup *b) {
      return widest[static_cast<size_t>(a - w.groups.data())] > widest[static_cast<size_t>(b - w.groups.data())];
    });
  return groupsOf;
}

}  // namespace

void orderPieces(const Weights &w, std::vector<Piece> &pieces) {
  std::stable_sort(pieces.begin(), pieces.end(), [&](const Piece &a, const Piece &b) {
    return keyOf(w, *a.group, a.tiles) > keyOf(w, *b.group, b.tiles);
  });
  const std::vector<std::vector<const RowGroup *>> order = summingOrder(w);
  if (order.empty()) return;
  // A piece waits until the groups before its own were added to all of its rows. That order is one for all rows, so the
  // first group that is left never waits, and every round takes some.
  std::vector<uint32_t> added(w.rows, 0);
  const auto ready = [&](const Piece &piece) {
    return std::all_of(piece.tiles.rows.begin(), piece.tiles.rows.end(),
                       [&](uint32_t row) { return order[row][added[row]] == piece.group; });
  };
  std::vector<Piece> ordered;
  ordered.reserve(pieces.size());
  while (!pieces.empty()) {
    std::vector<Piece> waiting;
    for (Piece &piece : pieces) {
      if (ready(piece)) {
        for (uint32_t row : piece.tiles.rows) ++added[row];
        ordered.push_back(std::move(piece));
      } else {
        waiting.push_back(std::move(piece));
      }
    }
    pieces = std::move(waiting);
  }
  pieces = std::move(ordered);
}

}  // namespace rtmc::passes
