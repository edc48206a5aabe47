// The verifier's proof that the shares of a phase are independent: no element is written by two shares, and no share
// reads an element that another one writes in the same phase. Also that packed rows lie with the share that owns them.
#include "ir/kernel_rules.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

namespace rtmc::ir {

namespace {

constexpr uint32_t kEvery = ~0u;  // a replicated operation: all shares do it

struct Access {
  uint64_t begin = 0, end = 0;
  uint32_t share = 0;
  bool write = false;
};

struct Tracker {
  const Program &program;
  const Phase &phase;
  Complaints &complaints;
  std::set<Id> written;  // in this phase; reads of other buffers need no look
  std::map<Id, std::vector<Access>> accesses;

  void note(Id buffer, uint64_t begin, uint64_t end, uint32_t share, bool write) {
    if (begin == end || !written.contains(buffer) || program.buffers[buffer].perShare) return;
    std::vector<Access> &list = accesses[buffer];
    if (!list.empty() && list.back().end == begin && list.back().share == share && list.back().write == write)
      list.back().end = end;
    else
      list.push_back({begin, end, share, write});
  }

  void findWritten();
  std::optional<std::vector<uint32_t>> owners(const Weights &) const;
  void track(const MatMul &);
  void track(const Elementwise &);
  void track(const Softmax &);
  void trackPacked(const MatMul &, const Weights &);
  void trackCsr(const MatMul &, const Weights &);
  void sweep(Id buffer, std::vector<Access> &);
};

void Tracker::findWritten() {
  for (const Operation &operation : phase.ops) {
    if (const auto *m = std::get_if<MatMul>(&operation)) written.insert(m->y);
    if (const auto *s = std::get_if<Softmax>(&operation)) written.insert(s->out);
    if (const auto *e = std::get_if<Elementwise>(&operation))
      for (const EwInstr &instr : e->body)
        if (instr.op == EwOp::Store) written.insert(instr.buffer);
  }
}

/// The share of each row, by the phase's cuts. A padding slot goes with the slot before it. Nothing where the phase is
/// not cut or the rows are not of its domain.
std::optional<std::vector<uint32_t>> Tracker::owners(const Weights &w) const {
  if (phase.cuts.empty() || w.rowSpace == kNone) return std::nullopt;
  const Space &space = program.spaces[w.rowSpace];
  const bool compact = space.parent == phase.domain;
  if (w.rowSpace != phase.domain && !compact) return std::nullopt;
  std::vector<uint32_t> result(w.rows);
  uint32_t last = 0;
  for (uint32_t row = 0; row < w.rows; ++row) {
    const uint32_t position = compact && !space.order.empty() ? space.order[row] : row;
    if (position != kNone)
      last = static_cast<uint32_t>(std::upper_bound(phase.cuts.begin(), phase.cuts.end(), position) -
                                   phase.cuts.begin() - 1);
    result[row] = last;
  }
  return result;
}

void Tracker::trackPacked(const MatMul &m, const Weights &w) {
  const Packed &packed = *w.packed;
  const auto owner = owners(w);
  const auto visitRow = [&](uint32_t row, uint32_t share) {
    note(m.y, row, uint64_t{row} + 1, share, true);
    if (!owner || (*owner)[row] == share) return true;
    complaints.add("phase '{}', '{}': share {} computes row {}, which belongs to share {}", phase.name, m.name, share,
                   row, (*owner)[row]);
    return false;
  };
  const bool readsMatter = written.contains(m.x);
  for (uint32_t share = 0; share + 1 < packed.shareBegin.size(); ++share) {
    for (uint32_t i = packed.shareBegin[share]; i < packed.shareBegin[share + 1]; ++i) {
      const TileRun &run = packed.runs[i];
      const TileShape &shape = packed.shapes[run.shape];
      for (uint32_t r = 0; r < run.rows; ++r)
        if (!visitRow(shape.indexed ? packed.rowTable[run.row + r] : run.row + r, share)) return;
      if (!readsMatter) continue;
      const uint64_t first = m.xOffset;
      if (shape.denseColumns) {
        note(m.x, first + run.column, first + run.column + uint64_t{run.entries} * shape.width, share, false);
        continue;
      }
      uint64_t entries = run.entries;
      if (shape.gather) entries *= uint64_t{run.tiles} * shape.vectors * shape.lanes;
      for (uint64_t k = 0; k < entries; ++k) {
        const uint64_t column = first + packed.columnTable[run.column + k];
        note(m.x, column, column + shape.width, share, false);
      }
    }
  }
}

void Tracker::trackCsr(const MatMul &m, const Weights &w) {
  const auto owner = owners(w);
  if (!owner && !phase.cuts.empty() && program.shares > 1)
    return complaints.add("phase '{}', '{}': the rows of '{}' are not of the phase's domain, so no share owns them",
                          phase.name, m.name, w.name);
  const bool readsMatter = written.contains(m.x);
  std::map<uint32_t, std::vector<bool>> columns;  // per share
  for (uint32_t row = 0; row < w.rows; ++row) {
    const uint32_t share = owner ? (*owner)[row] : 0;
    note(m.y, row, uint64_t{row} + 1, share, true);
    if (!readsMatter) continue;
    std::vector<bool> &seen = columns[share];
    seen.resize(w.columns);
    for (uint32_t k = w.rowBegin[row]; k < w.rowBegin[row + 1]; ++k) seen[w.columnIndex[k]] = true;
  }
  for (const auto &[share, seen] : columns)
    for (uint32_t c = 0; c < w.columns; ++c)
      if (seen[c]) note(m.x, uint64_t{m.xOffset} + c, uint64_t{m.xOffset} + c + 1, share, false);
}

void Tracker::track(const MatMul &m) {
  const Weights &w = program.weights[m.weights];
  if (w.packed)
    trackPacked(m, w);
  else
    trackCsr(m, w);
}

void Tracker::track(const Elementwise &e) {
  std::vector<Part> parts = e.parts;
  if (parts.empty()) parts.push_back({0, e.count});
  for (uint32_t share = 0; share < parts.size(); ++share) {
    const uint32_t by = e.replicated && program.shares > 1 ? kEvery : share;
    const Part &part = parts[share];
    for (const EwInstr &instr : e.body) {
      if (instr.op != EwOp::Load && instr.op != EwOp::Store) continue;
      const bool write = instr.op == EwOp::Store;
      if (!instr.mapped) {
        note(instr.buffer, uint64_t{instr.offset} + part.begin, uint64_t{instr.offset} + part.end, by, write);
        continue;
      }
      for (uint32_t i = part.begin; i < part.end; ++i) {
        if (e.map[i] == kNone) continue;
        const uint64_t at = uint64_t{instr.offset} + e.map[i];
        note(instr.buffer, at, at + 1, by, write);
      }
    }
  }
}

void Tracker::track(const Softmax &s) {
  note(s.in, 0, s.count, 0, false);
  note(s.out, s.offset, uint64_t{s.offset} + s.count, 0, true);
}

/// The two farthest ends so far of different shares: enough to know whether any other share reaches a place.
struct Reach {
  std::array<Access, 2> best{};
  std::array<bool, 2> set{};

  void extend(const Access &a) {
    if (set[0] && best[0].share == a.share) {
      best[0].end = std::max(best[0].end, a.end);
    } else if (!set[0] || a.end > best[0].end) {
      best[1] = best[0];
      set[1] = set[0];
      best[0] = a;
      set[0] = true;
    } else if (!set[1] || a.end > best[1].end) {
      best[1] = a;
      set[1] = true;
    }
    if (set[1] && best[1].end > best[0].end) std::swap(best[0], best[1]);
  }
  const Access *other(const Access &a) const {
    for (size_t i = 0; i < 2; ++i)
      if (set[i] && best[i].share != a.share && best[i].end > a.begin) return &best[i];
    return nullptr;
  }
};

std::string shareText(uint32_t share) {
  return share == kEvery ? "every share" : fmt::format("share {}", share);
}

void Tracker::sweep(Id buffer, std::vector<Access> &list) {
  std::sort(list.begin(), list.end(), [](const Access &a, const Access &b) { return a.begin < b.begin; });
  Reach writes, reads;
  for (const Access &access : list) {
    const Access *other = writes.other(access);
    if (!other && access.write) other = reads.other(access);
    if (other) {
      complaints.add("phase '{}': element {} of '{}' is {} by {} and {} by {}", phase.name, access.begin,
                     program.buffers[buffer].name, other->write ? "written" : "read", shareText(other->share),
                     access.write ? "written" : "read", shareText(access.share));
      return;
    }
    (access.write ? writes : reads).extend(access);
  }
}

}  // namespace

void checkShares(const Program &program, const Phase &phase, Complaints &complaints) {
  Tracker tracker{program, phase, complaints, {}, {}};
  tracker.findWritten();
  for (const Operation &operation : phase.ops) std::visit([&](const auto &op) { tracker.track(op); }, operation);
  for (auto &[buffer, list] : tracker.accesses) tracker.sweep(buffer, list);
}

}  // namespace rtmc::ir
