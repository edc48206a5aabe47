// The verifier of the kernel IR: program, spaces, buffers. Sections stand in kernel_verify_sections.cpp, weights in
// kernel_verify_weights.cpp and kernel_verify_packed.cpp, operations in kernel_verify_ops.cpp, shares' independence in
// kernel_verify_shares.cpp.
#include "ir/kernel_rules.h"
#include "support/names.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>

namespace rtmc::ir {

bool inUserOrder(const Program &program, Id space) {
  return space == kNone || (program.spaces[space].parent == kNone && program.spaces[space].order.empty());
}

bool sameOrder(const Program &program, Id a, Id b) {
  return a == b || (inUserOrder(program, a) && inUserOrder(program, b));
}

bool isHash(const std::string &text) {
  return text.size() == 16 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool finite(const std::vector<float> &values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

uint64_t readableElements(const Buffer &buffer) {
  // In and Out are the caller's memory, and rows of all steps follow each other.
  if (buffer.lifetime == Lifetime::In || buffer.lifetime == Lifetime::Out || buffer.allSteps) return buffer.size;
  const uint64_t perLine = buffer.dtype == DType::F16 ? 32 : 16;
  return (buffer.size + perLine - 1) / perLine * perLine;
}

namespace {

// ------------------------------------------------------------------------------------------------------ spaces

void checkOrder(const Space &space, uint32_t limit, bool padding, Complaints &complaints) {
  if (space.order.size() != space.size) {
    complaints.add("space '{}': its order has {} entries for {} positions", space.name, space.order.size(), space.size);
    return;
  }
  std::vector<bool> seen(limit);
  for (uint32_t i = 0; i < space.size; ++i) {
    const uint32_t at = space.order[i];
    if (at == kNone && padding) continue;
    if (at >= limit) {
      complaints.add("space '{}': position {} names {}, past the last of {}", space.name, i, at, limit);
      return;
    }
    if (seen[at]) {
      complaints.add("space '{}': position {} names {} a second time", space.name, i, at);
      return;
    }
    seen[at] = true;
  }
}

void checkSpace(const Program &program, const Space &space, Complaints &complaints) {
  if (space.name.empty()) complaints.add("a space has no name");
  if (space.size == 0 || space.size > kMaxVector) {
    complaints.add("space '{}': size {} is not in 1..{}", space.name, space.size, kMaxVector);
    return;
  }
  uint32_t limit = space.userSize ? space.userSize : space.size;
  const bool root = space.parent == kNone;
  if (!root) {
    if (space.parent >= program.spaces.size() || program.spaces[space.parent].parent != kNone) {
      complaints.add("space '{}': its parent is not a root space", space.name);
      return;
    }
    limit = program.spaces[space.parent].size;
  }
  if (limit > kMaxVector) {
    complaints.add("space '{}': user size {} is above {}", space.name, limit, kMaxVector);
    return;
  }
  if (!space.order.empty())
    checkOrder(space, limit, !root, complaints);
  else if (space.size > limit)
    complaints.add("space '{}': {} positions, but only {} to name", space.name, space.size, limit);
}

// ------------------------------------------------------------------------------------------------------ buffers

void checkBuffer(const Program &program, const Buffer &b, Complaints &complaints) {
  if (!isIdentifier(b.name)) complaints.add("buffer '{}': the name is not a C identifier", b.name);
  if (b.size == 0 || b.size > kMaxVector)
    complaints.add("buffer '{}': size {} is not in 1..{}", b.name, b.size, kMaxVector);
  if (b.space != kNone && b.space >= program.spaces.size())
    complaints.add("buffer '{}': there is no space {}", b.name, b.space);
  else if (b.space != kNone && program.spaces[b.space].size != b.size)
    complaints.add("buffer '{}': size {} is not that of its space '{}', {}", b.name, b.size,
                   program.spaces[b.space].name, program.spaces[b.space].size);
  const bool constant = b.lifetime == Lifetime::Const;
  if (constant && b.init.size() != b.size)
    complaints.add("buffer '{}': a constant of {} elements has {} values", b.name, b.size, b.init.size());
  if (!constant && !b.init.empty() && (b.lifetime != Lifetime::Scratch || b.init.size() != b.size))
    complaints.add("buffer '{}': only constants and scratch buffers have start values, one for each element", b.name);
  if (!finite(b.init)) complaints.add("buffer '{}': a start value is not finite", b.name);
  if (b.range && !(std::isfinite(b.range->low) && std::isfinite(b.range->high) && b.range->low <= b.range->high))
    complaints.add("buffer '{}': range {}..{} is not one", b.name, b.range->low, b.range->high);
  const bool user = b.lifetime == Lifetime::In || b.lifetime == Lifetime::Out;
  if (user && b.dtype != DType::F32) complaints.add("buffer '{}': in and out hold f32", b.name);
  if (constant && b.dtype != DType::F32) complaints.add("buffer '{}': constants hold f32", b.name);
  if (b.allSteps && (b.lifetime == Lifetime::State || constant))
    complaints.add("buffer '{}': {} buffers have one row, not one per step", b.name, lifetimeName(b.lifetime));
  if (b.perShare && (b.lifetime != Lifetime::Scratch || b.allSteps))
    complaints.add("buffer '{}': only scratch buffers of one row are per share", b.name);
}

}  // namespace

void checkSpaces(const Program &program, Complaints &complaints) {
  std::set<std::string_view> names;
  for (const Space &space : program.spaces) {
    checkSpace(program, space, complaints);
    if (!names.insert(space.name).second) complaints.add("space '{}': a second one of that name", space.name);
  }
}

namespace {

void checkStates(const Program &program, Complaints &complaints) {
  std::set<Id> saved;
  for (const StateSlot &slot : program.states) {
    if (slot.buffer >= program.buffers.size()) {
      complaints.add("saved state: there is no buffer {}", slot.buffer);
      continue;
    }
    const Buffer &buffer = program.buffers[slot.buffer];
    if (buffer.lifetime != Lifetime::State || buffer.dtype != DType::F32)
      complaints.add("saved state: buffer '{}' is not an f32 state", buffer.name);
    if (!saved.insert(slot.buffer).second) complaints.add("saved state: buffer '{}' is listed twice", buffer.name);
  }
  for (const Section &section : program.sections)
    for (const auto &[state, next] : section.swaps)
      if (saved.contains(state)) saved.insert(next);
  for (Id id = 0; id < program.buffers.size(); ++id)
    if (program.causal && program.buffers[id].lifetime == Lifetime::State && !saved.contains(id))
      complaints.add("buffer '{}': a state that saved states would miss", program.buffers[id].name);
}

}  // namespace

std::vector<std::string> verify(const Program &program) {
  Complaints complaints;
  if (program.version != 1) complaints.add("version {} is not 1", program.version);
  if (!isIdentifier(program.name)) complaints.add("program name '{}' is not a C identifier", program.name);
  if (program.shares == 0 || program.shares > kMaxShares)
    complaints.add("{} shares are not in 1..{}", program.shares, kMaxShares);
  if (!program.shapeHash.empty() && !isHash(program.shapeHash))
    complaints.add("shape hash '{}' is not 16 hex digits", program.shapeHash);
  checkSpaces(program, complaints);
  if (!complaints.empty()) return complaints.take();  // everything below looks spaces up
  std::set<std::string_view> buffers, weights;
  for (const Buffer &buffer : program.buffers) {
    checkBuffer(program, buffer, complaints);
    if (!buffers.insert(buffer.name).second) complaints.add("buffer '{}': a second one of that name", buffer.name);
  }
  for (const Weights &w : program.weights) {
    checkWeights(program, w, complaints);
    if (!weights.insert(w.name).second) complaints.add("weights '{}': a second matrix of that name", w.name);
  }
  if (!complaints.empty()) return complaints.take();
  checkSections(program, complaints);
  checkStates(program, complaints);
  if (!complaints.empty()) return complaints.take();
  for (const Section &section : program.sections)
    for (const Phase &phase : section.phases) checkShares(program, phase, complaints);
  return complaints.take();
}

}  // namespace rtmc::ir
