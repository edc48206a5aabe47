#include "passes/row_groups.h"

#include "support/check.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <unordered_map>

namespace rtmc::passes {

using namespace ir;

namespace {

std::vector<uint32_t> patternOf(const Weights &w, uint32_t row) {
  return {w.columnIndex.begin() + w.rowBegin[row], w.columnIndex.begin() + w.rowBegin[row + 1]};
}

std::vector<uint32_t> unionOf(const std::vector<uint32_t> &a, const std::vector<uint32_t> &b) {
  std::vector<uint32_t> both;
  both.reserve(a.size() + b.size());
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return both;
}

std::vector<uint32_t> mergedRows(const std::vector<uint32_t> &a, const std::vector<uint32_t> &b) {
  std::vector<uint32_t> rows(a.size() + b.size());
  std::merge(a.begin(), a.end(), b.begin(), b.end(), rows.begin());
  return rows;
}

struct Cluster {
  RowGroup group;
  uint64_t nonzeros = 0;
  double ns = 0;
};

/// Candidates a cluster is compared with: all when there are few, else its neighbours in lexicographic order.
constexpr size_t kMergeWindow = 24;

std::vector<RowGroup> mergeSimilar(std::vector<Cluster> clusters, double mergeLimit, const CostModel &cost,
                                   const std::vector<TileShape> &shapes) {
  std::vector<Cluster> kept;
  for (Cluster &next : clusters) {
    Cluster *best = nullptr;
    Cluster bestMerged;
    double bestGain = 0;
    const size_t first = kept.size() > kMergeWindow ? kept.size() - kMergeWindow : 0;
    for (size_t i = first; i < kept.size(); ++i) {
      Cluster merged;
      merged.group.columns = unionOf(kept[i].group.columns, next.group.columns);
      merged.nonzeros = kept[i].nonzeros + next.nonzeros;
      const double positions =
          double(merged.group.columns.size()) * double(kept[i].group.rows.size() + next.group.rows.size());
      if (positions - double(merged.nonzeros) > mergeLimit * positions) continue;
      merged.group.rows = mergedRows(kept[i].group.rows, next.group.rows);
      merged.ns = cost.groupNs(merged.group, shapes);
      const double gain = kept[i].ns + next.ns - merged.ns;
      if (gain > bestGain) bestGain = gain, best = &kept[i], bestMerged = std::move(merged);
    }
    if (best)
      *best = std::move(bestMerged);
    else
      kept.push_back(std::move(next));
  }
  std::vector<RowGroup> groups;
  for (Cluster &cluster : kept) groups.push_back(std::move(cluster.group));
  std::sort(groups.begin(), groups.end(), [](const RowGroup &a, const RowGroup &b) { return a.rows[0] < b.rows[0]; });
  return groups;
}

}  // namespace

std::vector<RowGroup> groupByPattern(const Weights &w, double mergeLimit, const CostModel &cost,
                                     const std::vector<TileShape> &shapes) {
  std::map<std::vector<uint32_t>, std::vector<uint32_t>> byPattern;
  for (uint32_t row = 0; row < w.rows; ++row)
    if (w.rowBegin[row] != w.rowBegin[row + 1]) byPattern[patternOf(w, row)].push_back(row);
  std::vector<Cluster> clusters;
  for (auto &[columns, rows] : byPattern) {
    Cluster cluster;
    cluster.nonzeros = uint64_t(rows.size()) * columns.size();
    cluster.group = {rows, columns};
    cluster.ns = cost.groupNs(cluster.group, shapes);
    clusters.push_back(std::move(cluster));
  }
  // Rows with slips of pattern lie next to their stripe in the matrix more often than in lexicographic order.
  std::sort(clusters.begin(), clusters.end(),
            [](const Cluster &a, const Cluster &b) { return a.group.rows[0] < b.group.rows[0]; });
  return mergeSimilar(std::move(clusters), mergeLimit, cost, shapes);
}

std::vector<RowGroup> groupNeighbours(const Weights &w) {
  std::vector<RowGroup> groups;
  for (uint32_t row = 0; row < w.rows; ++row) {
    std::vector<uint32_t> columns = patternOf(w, row);
    if (columns.empty()) continue;
    if (!groups.empty() && groups.back().rows.back() + 1 == row && groups.back().columns == columns)
      groups.back().rows.push_back(row);
    else
      groups.push_back({{row}, std::move(columns)});
  }
  return groups;
}

namespace {

/// The user's index of each position of a space.
std::vector<uint32_t> userIndices(const Program &program, Id id, uint32_t size) {
  std::vector<uint32_t> indices(size);
  std::iota(indices.begin(), indices.end(), 0u);
  for (; id != kNone; id = program.spaces[id].parent) {
    const std::vector<uint32_t> &order = program.spaces[id].order;
    if (order.empty()) continue;
    for (uint32_t &index : indices) index = order[index];
  }
  return indices;
}

}  // namespace

BlockGrid blockGrid(const Program &program, const Weights &w, uint32_t blockRows, uint32_t blockColumns) {
  BlockGrid grid{userIndices(program, w.rowSpace, w.rows), userIndices(program, w.columnSpace, w.columns)};
  for (uint32_t &row : grid.ofRow) row /= blockRows;
  for (uint32_t &column : grid.ofColumn) column /= blockColumns;
  return grid;
}

std::vector<RowGroup> groupByBlocks(const Weights &w, const BlockGrid &grid) {
  std::map<uint32_t, std::vector<uint32_t>> stripes;  // block row to its rows
  for (uint32_t row = 0; row < w.rows; ++row)
    if (w.rowBegin[row] != w.rowBegin[row + 1]) stripes[grid.ofRow[row]].push_back(row);
  std::vector<RowGroup> groups;
  for (const auto &[stripe, rows] : stripes) {
    std::map<uint32_t, RowGroup> blocks;
    for (uint32_t row : rows)
      for (uint32_t i = w.rowBegin[row]; i < w.rowBegin[row + 1]; ++i) {
        RowGroup &block = blocks[grid.ofColumn[w.columnIndex[i]]];
        if (block.rows.empty() || block.rows.back() != row) block.rows.push_back(row);
        block.columns.push_back(w.columnIndex[i]);
      }
    const size_t firstOfStripe = groups.size();
    for (auto &[column, block] : blocks) {
      std::sort(block.columns.begin(), block.columns.end());
      block.columns.erase(std::unique(block.columns.begin(), block.columns.end()), block.columns.end());
      const auto same = std::find_if(groups.begin() + static_cast<ptrdiff_t>(firstOfStripe), groups.end(),
                                     [&](const RowGroup &g) { return g.rows == block.rows; });
      if (same != groups.end())
        same->columns = unionOf(same->columns, block.columns);
      else
        groups.push_back(std::move(block));
    }
  }
  return groups;
}

std::vector<RowGroup> groupLanes(const Weights &w, uint32_t rows, uint32_t width) {
  std::vector<RowGroup> groups;
  std::vector<uint8_t> seen((w.columns + width - 1) / width);
  for (uint32_t top = 0; top < w.rows; top += rows) {
    std::fill(seen.begin(), seen.end(), uint8_t(0));
    const uint32_t bottom = std::min(w.rows, top + rows);
    for (uint32_t i = w.rowBegin[top]; i < w.rowBegin[bottom]; ++i) seen[w.columnIndex[i] / width] = 1;
    RowGroup group;
    for (uint32_t block = 0; block < seen.size(); ++block)
      if (seen[block]) group.columns.push_back(std::min(block * width, w.columns - width));
    if (group.columns.empty()) continue;
    for (uint32_t row = top; row < bottom; ++row) group.rows.push_back(row);
    const bool joins =
        !groups.empty() && groups.back().rows.back() + 1 == top && groups.back().columns == group.columns;
    if (joins)
      groups.back().rows.insert(groups.back().rows.end(), group.rows.begin(), group.rows.end());
    else
      groups.push_back(std::move(group));
  }
  return groups;
}

std::vector<RowGroup> groupGather(const Weights &w, std::vector<uint32_t> rows, uint32_t lanes) {
  std::erase_if(rows, [&](uint32_t row) { return w.rowBegin[row] == w.rowBegin[row + 1]; });
  const auto length = [&](uint32_t row) { return w.rowBegin[row + 1] - w.rowBegin[row]; };
  std::stable_sort(rows.begin(), rows.end(), [&](uint32_t a, uint32_t b) { return length(a) > length(b); });
  std::vector<RowGroup> groups;
  for (size_t begin = 0; begin < rows.size(); begin += lanes) {
    RowGroup group;
    group.rows.assign(rows.begin() + static_cast<ptrdiff_t>(begin),
                      rows.begin() + static_cast<ptrdiff_t>(std::min(rows.size(), begin + lanes)));
    std::sort(group.rows.begin(), group.rows.end());
    groups.push_back(std::move(group));
  }
  return groups;
}

bool allColumns(const Weights &w) {
  return !w.schedule.lanes.gather && std::all_of(w.groups.begin(), w.groups.end(), [&](const RowGroup &group) {
    return group.columns.size() * size_t{w.schedule.lanes.width} >= w.columns;
  });
}

uint32_t entriesOf(const Weights &w, const RowGroup &group) {
  if (!w.schedule.lanes.gather) return static_cast<uint32_t>(group.columns.size());
  uint32_t longest = 0;
  for (uint32_t row : group.rows) longest = std::max(longest, w.rowBegin[row + 1] - w.rowBegin[row]);
  return longest;
}

bool consecutiveColumns(const Weights &w, const RowGroup &group) {
  if (w.schedule.lanes.gather || group.columns.empty()) return false;
  if (w.schedule.precision == Precision::BF16 && group.columns.size() % 2) return false;
  for (size_t i = 1; i < group.columns.size(); ++i)
    if (group.columns[i] != group.columns[i - 1] + w.schedule.lanes.width) return false;
  return true;
}

IndexWidth columnWidthOf(const Weights &w) {
  return w.schedule.compact ? indexWidthFor(w.columns) : IndexWidth::U32;
}

uint64_t packedBytes(const Weights &w, const std::vector<RowGroup> &groups, const std::vector<TileShape> &shapes) {
  const uint64_t columnBytes = bytesOf(columnWidthOf(w)), rowBytes = bytesOf(indexWidthFor(w.rows));
  uint64_t bytes = 0;
  uint32_t lastEntries = 0;  // gathered tiles of equal length are one run
  for (const RowGroup &group : groups) {
    const uint32_t entries = paddedEntries(w.schedule.precision, entriesOf(w, group));
    if (!w.schedule.lanes.gather && !consecutiveColumns(w, group)) bytes += entries * columnBytes;
    for (const RowTiles &tiles : cutRows(group.rows, shapes)) {
      const TileShape &shape = tiles.shape;
      const auto rows = static_cast<uint32_t>(tiles.rows.size());
      bytes += tiles.tiles * tileValueBytes(shape, w.schedule.precision, entries, rows);
      if (shape.gather) bytes += entries * valuesPerEntry(shape, rows) * columnBytes;
      if (shape.indexed) bytes += tiles.rows.size() * rowBytes;
      if (!shape.gather || shape.partial || entries != lastEntries) bytes += kRunDescriptorBytes;
      lastEntries = entries;
    }
  }
  return bytes;
}

uint64_t byteLimit(const Weights &w) {
  constexpr uint64_t kSmallMatrix = 30;
  if (!w.schedule.compact || w.nonzeros < kSmallMatrix) return std::numeric_limits<uint64_t>::max();
  const uint64_t csr = w.nonzeros * (bytesOf(w.schedule.precision) + 4) + (uint64_t{w.rows} + 1) * 4;
  return csr * 97 / 100;
}

namespace {

/// Keeps a group below `limit` rows, cut at multiples of it.
std::vector<RowGroup> limitRows(std::vector<RowGroup> groups, uint32_t limit) {
  if (limit == 0) return groups;
  std::vector<RowGroup> cut;
  for (RowGroup &group : groups)
    for (size_t begin = 0; begin < group.rows.size(); begin += limit) {
      RowGroup part;
      part.columns = group.columns;
      const size_t end = std::min(group.rows.size(), begin + limit);
      part.rows.assign(group.rows.begin() + static_cast<ptrdiff_t>(begin),
                       group.rows.begin() + static_cast<ptrdiff_t>(end));
      cut.push_back(std::move(part));
    }
  return cut;
}

}  // namespace

std::vector<RowGroup> groupRows(const Program &program, const Weights &w, const CostModel &cost,
                                const std::vector<TileShape> &shapes) {
  const Schedule &s = w.schedule;
  if (s.lanes.gather || s.format == Format::Csr) {
    std::vector<uint32_t> rows(w.rows);
    std::iota(rows.begin(), rows.end(), 0u);
    return groupGather(w, std::move(rows), s.lanes.lanes);
  }
  if (s.lanes.width > 1) return limitRows(groupLanes(w, s.lanes.rows(), s.lanes.width), s.groupRows);
  if (s.format == Format::Csb) {
    const uint32_t blockRows = w.structure.blockRows ? w.structure.blockRows : 64;
    const uint32_t blockColumns = w.structure.blockColumns ? w.structure.blockColumns : 64;
    return limitRows(groupByBlocks(w, blockGrid(program, w, blockRows, blockColumns)), s.groupRows);
  }
  if (s.format == Format::Dense) {
    RowGroup all;
    all.rows.resize(w.rows);
    all.columns.resize(w.columns);
    std::iota(all.rows.begin(), all.rows.end(), 0u);
    std::iota(all.columns.begin(), all.columns.end(), 0u);
    return limitRows({all}, s.groupRows);
  }
  if (!s.reorder) return limitRows(groupNeighbours(w), s.groupRows);
  return limitRows(groupByPattern(w, s.mergeLimit, cost, shapes), s.groupRows);
}

}  // namespace rtmc::passes
