// The verifier's rules for one phase: every operation's ids, sizes, ranges and operand order.
#include "ir/kernel_rules.h"
#include "support/names.h"

#include <algorithm>
#include <cmath>

namespace rtmc::ir {

namespace {

/// One operation with the names that its messages need.
struct Checker {
  const Program &program;
  const Phase &phase;
  Complaints &complaints;
  std::string op;

  template <typename... T>
  void add(fmt::format_string<T...> format, T &&...args) {
    complaints.add("phase '{}', '{}': {}", phase.name, op, fmt::format(format, std::forward<T>(args)...));
  }
  const Buffer *buffer(Id id, const char *role) {
    if (id < program.buffers.size()) return &program.buffers[id];
    add("there is no buffer {} ({})", id, role);
    return nullptr;
  }
  void checkRead(const Buffer &b) {
    if (b.lifetime == Lifetime::Out) add("reads '{}', which is only written", b.name);
  }
  void checkWrite(const Buffer &b, bool replicated) {
    if (b.lifetime == Lifetime::Const || b.lifetime == Lifetime::In)
      add("writes '{}', which is {}", b.name, lifetimeName(b.lifetime));
    if (b.perShare && !replicated) add("writes '{}', which is per share, but is not replicated", b.name);
    if (!b.perShare && replicated) add("is replicated, but writes '{}', which shares have in common", b.name);
  }

  void check(const MatMul &);
  void check(const Elementwise &);
  void check(const Softmax &);

 private:
  bool checkOperands(const Elementwise &, size_t index);
  void checkAccess(const Elementwise &, const EwInstr &);
  void checkOrder(const Elementwise &, const EwInstr &, const Buffer &);
  void checkMap(const Elementwise &);
  void checkParts(const Elementwise &);
  void checkHazard(const Elementwise &, const EwInstr &store, const EwInstr &other);
  void checkHazards(const Elementwise &);
};

void Checker::check(const MatMul &m) {
  const Buffer *x = buffer(m.x, "x"), *y = buffer(m.y, "y");
  if (m.weights >= program.weights.size()) add("there are no weights {}", m.weights);
  if (!x || !y || m.weights >= program.weights.size()) return;
  const Weights &w = program.weights[m.weights];
  if (m.x == m.y) add("x and y are both '{}'", x->name);
  if (y->size != w.rows) add("'{}' has {} rows, y '{}' has {} elements", w.name, w.rows, y->name, y->size);
  if (!sameOrder(program, y->space, w.rowSpace))
    add("rows of '{}' and elements of y '{}' differ in order", w.name, y->name);
  if (uint64_t{m.xOffset} + w.columns > x->size)
    add("'{}' reads x '{}' up to {} of {}", w.name, x->name, uint64_t{m.xOffset} + w.columns, x->size);
  if (m.xOffset == 0 && x->size == w.columns && !sameOrder(program, x->space, w.columnSpace))
    add("columns of '{}' and elements of x '{}' differ in order", w.name, x->name);
  if (w.packed && m.xOffset + columnEnd(*w.packed) > readableElements(*x))
    add("'{}' reads x '{}' up to {}, behind its padding", w.name, x->name, m.xOffset + columnEnd(*w.packed));
  if (y->dtype != DType::F32) add("y '{}' is not f32", y->name);
  if (w.packed && (w.schedule.accumulate == Accumulate::F16x4) != (x->dtype == DType::F16))
    add("'{}' sums in {}, x '{}' is {}", w.name, accumulateName(w.schedule.accumulate), x->name, dtypeName(x->dtype));
  checkRead(*x);
  checkRead(*y);
  checkWrite(*y, false);
}

void Checker::check(const Softmax &s) {
  const Buffer *in = buffer(s.in, "in"), *out = buffer(s.out, "out");
  if (!in || !out) return;
  if (s.in == s.out) add("in and out are both '{}'", in->name);
  if (s.count == 0 || s.count > in->size) add("{} elements of '{}', which has {}", s.count, in->name, in->size);
  if (uint64_t{s.offset} + s.count > out->size)
    add("writes '{}' up to {} of {}", out->name, uint64_t{s.offset} + s.count, out->size);
  if (!sameOrder(program, in->space, out->space)) add("'{}' and '{}' differ in order", in->name, out->name);
  if (in->dtype != DType::F32 || out->dtype != DType::F32) add("softmax works on f32");
  checkRead(*in);
  checkWrite(*out, false);
}

/// Operands come earlier and have a value; what an operation does not take is kNone.
bool Checker::checkOperands(const Elementwise &e, size_t index) {
  const EwInstr &instr = e.body[index];
  if (static_cast<size_t>(instr.op) > static_cast<size_t>(EwOp::Relu)) {
    add("instruction {} has no such operation", index);
    return false;
  }
  const uint32_t operands[] = {instr.a, instr.b, instr.c};
  const size_t before = complaints.count();
  for (uint32_t k = 0; k < 3; ++k) {
    if (k >= operandCount(instr.op)) {
      if (operands[k] != kNone) add("instruction {} ({}) has {} operands too many", index, ewOpName(instr.op), 3 - k);
      continue;
    }
    if (operands[k] >= index)
      add("instruction {} ({}) uses {}, which is not before it", index, ewOpName(instr.op),
          static_cast<int32_t>(operands[k]));
    else if (e.body[operands[k]].op == EwOp::Store)
      add("instruction {} ({}) uses {}, a store without a value", index, ewOpName(instr.op), operands[k]);
  }
  if (!std::isfinite(instr.imm)) add("instruction {} has a constant that is not finite", index);
  if (instr.op != EwOp::Const && instr.imm != 0) add("instruction {} ({}) has a constant", index, ewOpName(instr.op));
  if (!instr.name.empty() && !isIdentifier(instr.name)) add("'{}' is not an identifier", instr.name);
  return complaints.count() == before;
}

/// An element of the domain and the place that it is read from or written to mean the same unit.
void Checker::checkOrder(const Elementwise &e, const EwInstr &instr, const Buffer &b) {
  if (e.space == kNone) return;
  const Space &domain = program.spaces[e.space];
  const bool fits = instr.mapped ? b.space == kNone || b.space == domain.parent || b.space == e.space
                                 : sameOrder(program, b.space, e.space);
  if (!fits)
    add("reads or writes '{}' {} a map, but its order is not that of '{}'", b.name,
        instr.mapped ? "through" : "without", domain.name);
}

void Checker::checkAccess(const Elementwise &e, const EwInstr &instr) {
  const Buffer *b = buffer(instr.buffer, instr.op == EwOp::Load ? "load" : "store");
  if (!b) return;
  if (instr.op == EwOp::Load)
    checkRead(*b);
  else
    checkWrite(*b, e.replicated);
  checkOrder(e, instr, *b);
  uint64_t end = uint64_t{instr.offset} + e.count;
  if (instr.mapped) {
    end = 0;
    for (uint32_t at : e.map)
      if (at != kNone) end = std::max(end, uint64_t{instr.offset} + at + 1);
  }
  if (end > b->size) add("uses '{}' up to {} of {}", b->name, end, b->size);
}

void Checker::checkMap(const Elementwise &e) {
  const bool mapped = std::any_of(e.body.begin(), e.body.end(), [](const EwInstr &i) { return i.mapped; });
  if ((mapped || !e.map.empty()) && e.map.size() != e.count)
    add("the map has {} entries for {} elements", e.map.size(), e.count);
  if (std::none_of(e.body.begin(), e.body.end(), [](const EwInstr &i) { return i.mapped && i.op == EwOp::Store; }))
    return;
  std::vector<uint32_t> sorted = e.map;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end() && *twice != kNone) add("two elements are stored at place {} of the map", *twice);
}

/// Whether element i exists only to fill a vector.
bool isPadding(const Program &program, const Elementwise &e, uint32_t i) {
  return e.space != kNone && !program.spaces[e.space].order.empty() && program.spaces[e.space].order[i] == kNone;
}

void Checker::checkParts(const Elementwise &e) {
  if (e.replicated && !e.parts.empty()) add("is replicated, but has parts");
  if (!e.parts.empty() && e.parts.size() != program.shares)
    add("{} parts for {} shares", e.parts.size(), program.shares);
  std::vector<Part> parts = e.parts;
  if (parts.empty()) parts.push_back({0, e.count});
  std::sort(parts.begin(), parts.end(),
            [](const Part &a, const Part &b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  const auto leaveOut = [&](uint32_t begin, uint32_t end) {
    for (uint32_t i = begin; i < end; ++i)
      if (!isPadding(program, e, i)) return add("element {} is in no part", i);
  };
  uint32_t covered = 0;
  for (const Part &part : parts) {
    if (part.begin > part.end || part.end > e.count) return add("part {}..{} of {}", part.begin, part.end, e.count);
    if (part.begin == part.end) continue;
    if (part.begin < covered) return add("element {} is in two parts", part.begin);
    leaveOut(covered, part.begin);
    // Padding may be inside a part (it computes on zeros), but then every map must say where.
    for (uint32_t i = part.begin; i < part.end && !e.map.empty() && !e.parts.empty(); ++i)
      if (e.map[i] == kNone) return add("element {} is computed, but its map entry is empty", i);
    covered = part.end;
  }
  leaveOut(covered, e.count);
  for (uint32_t i = 0; e.parts.empty() && i < e.map.size(); ++i)
    if (e.map[i] == kNone && !isPadding(program, e, i)) return add("element {} has no map entry", i);
}

/// Elements are computed several at a time, so an element must not use what another element of the operation wrote.
void Checker::checkHazard(const Elementwise &e, const EwInstr &store, const EwInstr &other) {
  const auto complain = [&](uint64_t place) {
    add("one element uses place {} of '{}', which another one writes", place, program.buffers[store.buffer].name);
  };
  if (!store.mapped && !other.mapped) {
    const uint64_t low = std::min(store.offset, other.offset), high = std::max(store.offset, other.offset);
    if (high - low < e.count) complain(high);
    return;
  }
  const auto places = [&](const EwInstr &instr) {
    std::vector<std::pair<uint64_t, uint32_t>> list;
    for (uint32_t i = 0; i < e.count; ++i)
      if (!instr.mapped || e.map[i] != kNone)
        list.emplace_back(uint64_t{instr.offset} + (instr.mapped ? e.map[i] : i), i);
    std::sort(list.begin(), list.end());
    return list;
  };
  const auto stored = places(store), used = places(other);
  for (size_t s = 0, u = 0; s < stored.size() && u < used.size();) {
    if (stored[s].first == used[u].first && stored[s].second != used[u].second) return complain(used[u].first);
    (stored[s] < used[u] ? s : u) += 1;
  }
}

void Checker::checkHazards(const Elementwise &e) {
  for (const EwInstr &store : e.body) {
    if (store.op != EwOp::Store) continue;
    for (const EwInstr &other : e.body) {
      if (other.buffer != store.buffer || (other.op != EwOp::Load && other.op != EwOp::Store)) continue;
      if (other.offset != store.offset || other.mapped != store.mapped) checkHazard(e, store, other);
    }
  }
}

void Checker::check(const Elementwise &e) {
  const size_t before = complaints.count();
  if (e.count == 0 || e.count > kMaxVector) return add("{} elements are not in 1..{}", e.count, kMaxVector);
  if (e.space != kNone && e.space >= program.spaces.size()) return add("there is no space {}", e.space);
  if (e.space != kNone && program.spaces[e.space].size != e.count)
    return add("{} elements, but space '{}' has {}", e.count, program.spaces[e.space].name,
               program.spaces[e.space].size);
  checkMap(e);
  for (size_t i = 0; i < e.body.size(); ++i) {
    if (!checkOperands(e, i)) return;
    const EwInstr &instr = e.body[i];
    if (instr.op == EwOp::Load || instr.op == EwOp::Store)
      checkAccess(e, instr);
    else if (instr.buffer != kNone || instr.mapped || instr.offset != 0)
      add("instruction {} ({}) names a buffer", i, ewOpName(instr.op));
  }
  if (complaints.count() != before) return;
  checkParts(e);
  if (complaints.count() == before) checkHazards(e);
}

void checkCuts(const Program &program, const Phase &phase, Complaints &complaints) {
  if (phase.domain != kNone && (phase.domain >= program.spaces.size() || program.spaces[phase.domain].parent != kNone))
    return complaints.add("phase '{}': its domain is not a root space", phase.name);
  if (!phase.shareCost.empty() && phase.shareCost.size() != program.shares)
    complaints.add("phase '{}': {} costs for {} shares", phase.name, phase.shareCost.size(), program.shares);
  if (phase.cuts.empty()) return;
  if (phase.domain == kNone) return complaints.add("phase '{}': has cuts, but no domain", phase.name);
  const bool ends = phase.cuts.front() == 0 && phase.cuts.back() == program.spaces[phase.domain].size;
  if (phase.cuts.size() != size_t{program.shares} + 1 || !ends || !std::is_sorted(phase.cuts.begin(), phase.cuts.end()))
    complaints.add("phase '{}': the cuts do not share out the {} positions of '{}' among {}", phase.name,
                   program.spaces[phase.domain].size, program.spaces[phase.domain].name, program.shares);
}

}  // namespace

void checkPhase(const Program &program, const Phase &phase, Complaints &complaints) {
  checkCuts(program, phase, complaints);
  for (const Operation &operation : phase.ops) {
    std::visit(
        [&](const auto &op) {
          Checker checker{program, phase, complaints, op.name};
          checker.check(op);
        },
        operation);
  }
}

}  // namespace rtmc::ir
