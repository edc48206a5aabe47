// The verifier's proof about packed bytes: every run, tile, row, column and value lies inside its table, no two runs
// share bytes, no position of the matrix is stored twice.
#include "ir/kernel_rules.h"
#include "ir/kernel_walk.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace rtmc::ir {

bool checkTileShape(const Weights &w, size_t index, const TileShape &shape, Complaints &complaints) {
  const bool steps = shape.rowStep == 1 || (shape.partial && !shape.gather && shape.width == 1 && shape.rowStep != 0 &&
                                            shape.lanes % shape.rowStep == 0);
  const bool lanes = shape.lanes != 0 && shape.lanes <= 1024 && shape.width != 0 && shape.lanes % shape.width == 0;
  if (!lanes || shape.vectors == 0 || shape.vectors > 1024 || !steps ||
      (shape.gather && (shape.width != 1 || shape.denseColumns))) {
    complaints.add("weights '{}': tile shape {} ({} lanes, width {}, {} vectors) is not one", w.name, index,
                   shape.lanes, shape.width, shape.vectors);
    return false;
  }
  return true;
}

namespace {

/// Columns that a run reads from the column table.
uint64_t tableEntries(const TileShape &shape, const TileRun &run) {
  if (shape.denseColumns) return 0;
  if (!shape.gather) return run.entries;
  return uint64_t{run.tiles} * run.entries * valuesPerEntry(shape, run.rows) + surplusValues(shape, run.rows);
}

/// The run's offsets and counts; what the tables hold at them is checkTables'.
bool checkRun(const Weights &w, size_t index, Complaints &complaints) {
  const Packed &packed = *w.packed;
  const TileRun &run = packed.runs[index];
  const size_t before = complaints.count();
  if (run.shape >= packed.shapes.size()) {
    complaints.add("weights '{}': run {} names tile shape {} of {}", w.name, index, run.shape, packed.shapes.size());
    return false;
  }
  const TileShape &shape = packed.shapes[run.shape];
  if (shape.partial && (run.tiles != 1 || run.rows == 0 || run.rows >= shape.rows())) {
    complaints.add("weights '{}': run {} covers {} rows with {} tiles of less than {}", w.name, index, run.rows,
                   run.tiles, shape.rows());
    return false;
  }
  // One tile's bytes are below 2^52; the product with the tiles is taken apart so that it cannot wrap.
  const uint64_t tile = packed.tileBytes(run), size = packed.values.size();
  if (run.value > size || (tile != 0 && run.tiles > (size - run.value) / tile) || packed.readEndOf(run) > size)
    complaints.add("weights '{}': run {} has values past the {} bytes that there are", w.name, index, size);
  if (run.tiles == 0 || run.entries == 0) complaints.add("weights '{}': run {} is empty", w.name, index);
  if (complaints.count() != before) return false;  // what follows multiplies these counts
  const uint64_t full = uint64_t{run.tiles} * shape.rows();
  if (run.rows > full ||
      (shape.indexed || shape.partial ? run.rows + uint64_t{shape.rows()} <= full : run.rows != full))
    complaints.add("weights '{}': run {} covers {} rows with {} tiles of {}", w.name, index, run.rows, run.tiles,
                   shape.rows());
  if (packed.precision == Precision::BF16 && run.entries % 2 != 0)
    complaints.add("weights '{}': run {} has {} entries; bf16 needs an even number", w.name, index, run.entries);
  const uint64_t rowLimit = shape.indexed ? packed.rowTable.size() : w.rows;
  if (uint64_t{run.row} + run.rows > rowLimit)
    complaints.add("weights '{}': run {} ends at row {} of {}{}", w.name, index, uint64_t{run.row} + run.rows, rowLimit,
                   shape.indexed ? " in the row table" : "");
  if (uint64_t{run.column} + tableEntries(shape, run) > packed.columnTable.size() && !shape.denseColumns)
    complaints.add("weights '{}': run {} ends at entry {} of {} in the column table", w.name, index,
                   uint64_t{run.column} + tableEntries(shape, run), packed.columnTable.size());
  if (shape.denseColumns && run.column >= w.columns)
    complaints.add("weights '{}': run {} starts at column {} of {}", w.name, index, run.column, w.columns);
  if (run.value % valueAlignment(shape, packed.precision) != 0)
    complaints.add("weights '{}': run {} has its values at byte {}, not a multiple of {}", w.name, index, run.value,
                   valueAlignment(shape, packed.precision));
  return complaints.count() == before;
}

void checkOverlaps(const Weights &w, Complaints &complaints) {
  const Packed &packed = *w.packed;
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (const TileRun &run : packed.runs) ranges.emplace_back(run.value, packed.endOf(run));
  std::sort(ranges.begin(), ranges.end());
  for (size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].first >= ranges[i - 1].second) continue;
    complaints.add("weights '{}': two runs use the values at byte {}", w.name, ranges[i].first);
    return;
  }
}

void checkTables(const Weights &w, Complaints &complaints) {
  const Packed &packed = *w.packed;
  for (size_t i = 0; i < packed.columnTable.size(); ++i) {
    if (packed.columnTable[i] < w.columns && packed.columnTable[i] <= maximumOf(packed.columnWidth)) continue;
    complaints.add("weights '{}': entry {} of the column table is {}; there are {} columns, stored as {}", w.name, i,
                   packed.columnTable[i], w.columns, indexWidthName(packed.columnWidth));
    break;
  }
  for (size_t i = 0; i < packed.rowTable.size(); ++i) {
    if (packed.rowTable[i] < w.rows && packed.rowTable[i] <= maximumOf(packed.rowWidth)) continue;
    complaints.add("weights '{}': entry {} of the row table is {}; there are {} rows, stored as {}", w.name, i,
                   packed.rowTable[i], w.rows, indexWidthName(packed.rowWidth));
    break;
  }
}

/// A tile adds to each row once: with a row listed twice the second store would undo the first.
void checkIndexedRows(const Weights &w, Complaints &complaints) {
  const Packed &packed = *w.packed;
  std::vector<uint32_t> rows;
  for (size_t i = 0; i < packed.runs.size(); ++i) {
    const TileRun &run = packed.runs[i];
    const TileShape &shape = packed.shapes[run.shape];
    if (!shape.indexed) continue;
    for (uint32_t first = 0; first < run.rows; first += shape.rows()) {
      const auto begin = packed.rowTable.begin() + run.row + first;
      rows.assign(begin, begin + std::min(shape.rows(), run.rows - first));
      std::sort(rows.begin(), rows.end());
      const auto twice = std::adjacent_find(rows.begin(), rows.end());
      if (twice == rows.end()) continue;
      complaints.add("weights '{}': run {} lists row {} twice in one tile", w.name, i, *twice);
      return;
    }
  }
}

/// Names the first position that is stored twice; slow, for the message only.
void reportDuplicate(const Weights &w, Complaints &complaints) {
  std::set<std::pair<uint32_t, uint64_t>> seen;
  bool reported = false;
  forEachStored(*w.packed, [&](uint32_t row, uint64_t column, float value) {
    if (value == 0 || reported || seen.emplace(row, column).second) return;
    complaints.add("weights '{}': row {} column {} is stored twice", w.name, row, column);
    reported = true;
  });
}

void checkValues(const Weights &w, Complaints &complaints) {
  uint64_t nonzeros = 0, infinite = 0, outside = 0;
  forEachStored(*w.packed, [&](uint32_t, uint64_t column, float value) {
    nonzeros += value != 0;
    infinite += !std::isfinite(value);
    outside += value != 0 && column >= w.columns;
  });
  if (infinite) complaints.add("weights '{}': {} packed values are not finite", w.name, infinite);
  if (outside) complaints.add("weights '{}': {} packed values stand in padding columns", w.name, outside);
  if (nonzeros > w.nonzeros)
    complaints.add("weights '{}': {} packed nonzeros of a matrix that had {}", w.name, nonzeros, w.nonzeros);
  if (!infinite && !outside && expand(w).values.size() != nonzeros) reportDuplicate(w, complaints);
}

}  // namespace

uint64_t columnEnd(const Packed &packed) {
  uint64_t end = 0;
  for (const TileRun &run : packed.runs) {
    const TileShape &shape = packed.shapes[run.shape];
    if (shape.denseColumns) end = std::max(end, run.column + uint64_t{run.entries} * shape.width);
    for (uint64_t i = 0, n = tableEntries(shape, run); i < n; ++i)
      end = std::max(end, uint64_t{packed.columnTable[run.column + i]} + shape.width);
  }
  return end;
}

void checkPacked(const Weights &w, Complaints &complaints) {
  const Packed &packed = *w.packed;
  const size_t before = complaints.count();
  if (packed.shareBegin.empty() || packed.shareBegin.front() != 0 || packed.shareBegin.back() != packed.runs.size() ||
      !std::is_sorted(packed.shareBegin.begin(), packed.shareBegin.end()))
    complaints.add("weights '{}': the shares' runs are not 0..{} in order", w.name, packed.runs.size());
  for (size_t i = 0; i < packed.shapes.size(); ++i) checkTileShape(w, i, packed.shapes[i], complaints);
  if (complaints.count() != before) return;
  for (size_t i = 0; i < packed.runs.size(); ++i) checkRun(w, i, complaints);
  checkTables(w, complaints);
  if (complaints.count() != before) return;
  checkOverlaps(w, complaints);
  checkIndexedRows(w, complaints);
  checkValues(w, complaints);
}

std::vector<std::string> verifyPacked(const Weights &w) {
  Complaints complaints;
  if (!w.packed)
    complaints.add("weights '{}': not packed", w.name);
  else
    checkPacked(w, complaints);
  return complaints.take();
}

}  // namespace rtmc::ir
