// The verifier's rules for weights before pack: schedule, CSR matrix, row groups. Packed bytes:
// kernel_verify_packed.cpp.
#include "ir/kernel_rules.h"

#include <algorithm>
#include <cmath>

namespace rtmc::ir {

namespace {

void checkSchedule(const Weights &w, Complaints &complaints) {
  const Schedule &s = w.schedule;
  const Lanes &lanes = s.lanes;
  if (lanes.lanes == 0 || lanes.width == 0 || lanes.lanes % lanes.width != 0 || (lanes.gather && lanes.width != 1))
    complaints.add("weights '{}': lanes {} do not hold rows of width {}", w.name, lanes.lanes, lanes.width);
  else if (lanes.width > w.columns)
    complaints.add("weights '{}': blocks of {} columns in a matrix of {}", w.name, lanes.width, w.columns);
  else if (s.tile == 0 || s.tile % lanes.rows() != 0)
    complaints.add("weights '{}': tile {} is not a multiple of the {} rows of {}", w.name, s.tile, lanes.rows(),
                   lanesName(lanes));
  if (!(s.mergeLimit >= 0) || !std::isfinite(s.mergeLimit))
    complaints.add("weights '{}': merge limit {} is not a share of explicit zeros", w.name, s.mergeLimit);
}

bool checkCsr(const Weights &w, Complaints &complaints) {
  if (w.rowBegin.size() != size_t{w.rows} + 1 || w.rowBegin.front() != 0 || w.rowBegin.back() != w.columnIndex.size() ||
      w.values.size() != w.columnIndex.size() || !std::is_sorted(w.rowBegin.begin(), w.rowBegin.end())) {
    complaints.add("weights '{}': row offsets, columns and values of the CSR matrix do not fit together", w.name);
    return false;
  }
  for (uint32_t r = 0; r < w.rows; ++r) {
    for (uint32_t k = w.rowBegin[r]; k < w.rowBegin[r + 1]; ++k) {
      const bool ascending = k == w.rowBegin[r] || w.columnIndex[k - 1] < w.columnIndex[k];
      if (ascending && w.columnIndex[k] < w.columns) continue;
      complaints.add("weights '{}': row {} has column {} out of order or range", w.name, r, w.columnIndex[k]);
      return false;
    }
  }
  if (!finite(w.values)) complaints.add("weights '{}': a value is not finite", w.name);
  if (w.nonzeros != w.values.size())
    complaints.add("weights '{}': says {} nonzeros, has {}", w.name, w.nonzeros, w.values.size());
  return true;
}

/// One group's rows and columns; marks the weights that it computes. `stamp[column]` = 1 + index of the last group.
bool coverGroup(const Weights &w, uint32_t index, std::vector<uint32_t> &stamp, std::vector<uint32_t> &rowStamp,
                std::vector<bool> &covered, Complaints &complaints) {
  const RowGroup &group = w.groups[index];
  const Lanes &lanes = w.schedule.lanes;
  const uint32_t mark = index + 1;
  uint64_t next = 0;
  for (uint32_t column : group.columns) {
    // A block at the end of the matrix may overlap the one before it.
    const bool atEnd = lanes.width > 1 && uint64_t{column} + lanes.width == w.columns && column + lanes.width > next;
    if (lanes.gather || (column < next && !atEnd) || column >= w.columns) {
      complaints.add("weights '{}': group {} has column {} {}", w.name, index, column,
                     lanes.gather ? "though its lanes gather" : "out of order or range");
      return false;
    }
    next = uint64_t{column} + lanes.width;
    std::fill(stamp.begin() + column, stamp.begin() + static_cast<long>(std::min<uint64_t>(next, w.columns)), mark);
  }
  for (uint32_t row : group.rows) {
    if (row >= w.rows || rowStamp[row] == mark) {
      complaints.add("weights '{}': group {} has row {} {}", w.name, index, row,
                     row >= w.rows ? "out of range" : "twice");
      return false;
    }
    rowStamp[row] = mark;
    for (uint32_t k = w.rowBegin[row]; k < w.rowBegin[row + 1]; ++k) {
      if (!lanes.gather && stamp[w.columnIndex[k]] != mark) continue;
      if (covered[k]) {
        complaints.add("weights '{}': row {} column {} is in two groups", w.name, row, w.columnIndex[k]);
        return false;
      }
      covered[k] = true;
    }
  }
  return true;
}

void checkGroups(const Weights &w, Complaints &complaints) {
  std::vector<uint32_t> stamp(w.columns), rowStamp(w.rows);
  std::vector<bool> covered(w.values.size());
  for (uint32_t g = 0; g < w.groups.size(); ++g)
    if (!coverGroup(w, g, stamp, rowStamp, covered, complaints)) return;
  const auto missing = std::find(covered.begin(), covered.end(), false);
  if (missing == covered.end()) return;
  const uint32_t k = static_cast<uint32_t>(missing - covered.begin());
  const auto row = std::upper_bound(w.rowBegin.begin(), w.rowBegin.end(), k) - w.rowBegin.begin() - 1;
  complaints.add("weights '{}': row {} column {} is in no group", w.name, row, w.columnIndex[k]);
}

}  // namespace

void checkWeights(const Program &program, const Weights &w, Complaints &complaints) {
  if (w.name.empty()) complaints.add("weights without a name");
  if (w.rows == 0 || w.rows > kMaxVector || w.columns == 0 || w.columns > kMaxVector) {
    complaints.add("weights '{}': {}x{} is not a matrix of 1..{} rows and columns", w.name, w.rows, w.columns,
                   kMaxVector);
    return;
  }
  const auto space = [&](Id id, uint32_t size, const char *what) {
    if (id == kNone) return;
    if (id >= program.spaces.size())
      complaints.add("weights '{}': there is no {} space {}", w.name, what, id);
    else if (program.spaces[id].size != size)
      complaints.add("weights '{}': {} {}s, but space '{}' has {}", w.name, size, what, program.spaces[id].name,
                     program.spaces[id].size);
  };
  space(w.rowSpace, w.rows, "row");
  space(w.columnSpace, w.columns, "column");
  if (!w.patternHash.empty() && !isHash(w.patternHash))
    complaints.add("weights '{}': pattern hash '{}' is not 16 hex digits", w.name, w.patternHash);
  const size_t before = complaints.count();
  checkSchedule(w, complaints);
  if (complaints.count() != before) return;
  for (size_t i = 0; i < w.tiles.size(); ++i)
    if (!checkTileShape(w, i, w.tiles[i], complaints)) return;
  if (w.packed) {
    if (!w.rowBegin.empty() || !w.columnIndex.empty() || !w.values.empty())
      complaints.add("weights '{}': packed, but still has its CSR matrix", w.name);
    if (w.packed->shareBegin.size() != size_t{program.shares} + 1)
      complaints.add("weights '{}': packed for {} shares, the program has {}", w.name,
                     w.packed->shareBegin.empty() ? 0 : w.packed->shareBegin.size() - 1, program.shares);
    checkPacked(w, complaints);
  } else if (checkCsr(w, complaints) && !w.groups.empty()) {
    checkGroups(w, complaints);
  }
}

}  // namespace rtmc::ir
