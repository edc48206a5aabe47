#include "driver/inspect/run_order.h"

#include <algorithm>

namespace rtmc::driver {
namespace {

template <typename Fn>
void forEachRow(const ir::Packed &packed, const ir::TileRun &run, Fn &&fn) {
  const bool listed = packed.shapes[run.shape].indexed;
  for (uint32_t i = 0; i < run.rows; ++i) fn(listed ? packed.rowTable[run.row + i] : run.row + i);
}

bool sameStripe(const ir::Packed &packed, const ir::TileRun &a, const ir::TileRun &b) {
  const ir::TileShape &x = packed.shapes[a.shape], &y = packed.shapes[b.shape];
  return !x.gather && !y.gather && x.denseColumns == y.denseColumns && a.column == b.column && a.entries == b.entries;
}

}  // namespace

RunOrder runOrder(const ir::Weights &weights) {
  const ir::Packed &packed = *weights.packed;
  RunOrder order;
  order.position.assign(weights.rows, ir::kNone);
  for (size_t share = 0; share + 1 < packed.shareBegin.size(); ++share) {
    order.shareBegin.push_back(order.rows);
    for (uint32_t i = packed.shareBegin[share]; i < packed.shareBegin[share + 1]; ++i)
      forEachRow(packed, packed.runs[i], [&](uint32_t row) {
        if (order.position[row] == ir::kNone) order.position[row] = order.rows++;
      });
  }
  order.shareBegin.push_back(order.rows);
  return order;
}

Stripes stripesOf(const ir::Weights &weights, const RunOrder &order) {
  const ir::Packed &packed = *weights.packed;
  Stripes stripes;
  std::vector<uint32_t> rows;
  for (size_t share = 0; share + 1 < packed.shareBegin.size(); ++share) {
    const uint32_t end = packed.shareBegin[share + 1];
    for (uint32_t first = packed.shareBegin[share], next = first; first < end; first = next) {
      rows.clear();
      StripePiece piece{0, 0, weights.columns, 0};
      for (; next < end && (next == first || sameStripe(packed, packed.runs[first], packed.runs[next])); ++next) {
        forEachRow(packed, packed.runs[next], [&](uint32_t row) { rows.push_back(order.position[row]); });
        forEachPosition(weights, packed.runs[next], [&](uint32_t, uint32_t column) {
          piece.firstColumn = std::min(piece.firstColumn, column);
          piece.endColumn = std::max(piece.endColumn, column + 1);
        });
      }
      ++stripes.count;
      std::sort(rows.begin(), rows.end());
      for (size_t i = 0; i < rows.size();) {
        piece.firstRow = piece.endRow = rows[i];
        for (; i < rows.size() && rows[i] <= piece.endRow; ++i) piece.endRow = rows[i] + 1;
        stripes.pieces.push_back(piece);
      }
    }
  }
  return stripes;
}

}  // namespace rtmc::driver
