// Renaming a space everywhere it appears.
#include "passes/program_builder.h"
#include "passes/reorder_rows.h"
#include "passes/row_groups.h"

#include <algorithm>

namespace rtmc::passes {

using namespace ir;

namespace {

std::vector<uint32_t> inverse(const std::vector<uint32_t> &order) {
  std::vector<uint32_t> at(order.size());
  for (uint32_t position = 0; position < order.size(); ++position) at[order[position]] = position;
  return at;
}

void permuteRows(Weights &w, const std::vector<uint32_t> &newOrder, const std::vector<uint32_t> &at) {
  std::vector<uint32_t> rowBegin{0}, columnIndex;
  std::vector<float> values;
  columnIndex.reserve(w.columnIndex.size());
  values.reserve(w.values.size());
  for (uint32_t old : newOrder) {
    const auto first = static_cast<ptrdiff_t>(w.rowBegin[old]), last = static_cast<ptrdiff_t>(w.rowBegin[old + 1]);
    columnIndex.insert(columnIndex.end(), w.columnIndex.begin() + first, w.columnIndex.begin() + last);
    values.insert(values.end(), w.values.begin() + first, w.values.begin() + last);
    rowBegin.push_back(static_cast<uint32_t>(values.size()));
  }
  w.rowBegin = std::move(rowBegin);
  w.columnIndex = std::move(columnIndex);
  w.values = std::move(values);
  for (RowGroup &group : w.groups) {
    for (uint32_t &row : group.rows) row = at[row];
    std::sort(group.rows.begin(), group.rows.end());
  }
}

void permuteColumns(Weights &w, const std::vector<uint32_t> &at) {
  std::vector<std::pair<uint32_t, float>> row;
  for (uint32_t r = 0; r < w.rows; ++r) {
    row.clear();
    for (uint32_t i = w.rowBegin[r]; i < w.rowBegin[r + 1]; ++i) row.emplace_back(at[w.columnIndex[i]], w.values[i]);
    std::sort(row.begin(), row.end(), [](const auto &a, const auto &b) { return a.first < b.first; });
    for (uint32_t i = 0; i < row.size(); ++i) {
      w.columnIndex[w.rowBegin[r] + i] = row[i].first;
      w.values[w.rowBegin[r] + i] = row[i].second;
    }
  }
  if (w.schedule.lanes.width > 1 && allColumns(w))
    return;  // entries are first columns of blocks: all of them as before
  for (RowGroup &group : w.groups) {
    for (uint32_t &column : group.columns) column = at[column];
    std::sort(group.columns.begin(), group.columns.end());
  }
}

}  // namespace

void permuteSpace(Program &program, Id id, const std::vector<uint32_t> &newOrder) {
  const std::vector<uint32_t> at = inverse(newOrder);
  Space &space = program.spaces[id];
  const std::vector<uint32_t> before = orderOf(space);
  bool identity = true;
  space.order.resize(space.size);
  for (uint32_t position = 0; position < space.size; ++position) {
    space.order[position] = before[newOrder[position]];
    identity &= space.order[position] == position;
  }
  if (identity && space.parent == kNone) space.order.clear();
  for (Space &child : program.spaces)
    if (child.parent == id)
      for (uint32_t &position : child.order)
        if (position != kNone) position = at[position];
  for (Buffer &buffer : program.buffers) {
    if (buffer.space != id || buffer.init.empty()) continue;
    const std::vector<float> old = buffer.init;
    for (uint32_t position = 0; position < space.size; ++position) buffer.init[position] = old[newOrder[position]];
  }
  for (Weights &w : program.weights) {
    if (w.rowSpace == id) permuteRows(w, newOrder, at);
    if (w.columnSpace == id) permuteColumns(w, at);
  }
  refreshMaps(program);
}

}  // namespace rtmc::passes
