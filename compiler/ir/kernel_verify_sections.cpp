// The verifier's rules for sections: which kinds a program may have, what changes places after a step, and what a chunk
// of steps may keep where.
#include "ir/kernel_access.h"
#include "ir/kernel_rules.h"

#include <set>
#include <utility>
#include <vector>

namespace rtmc::ir {

namespace {

void checkSwaps(const Program &program, const Section &section, std::set<Id> &swapped, Complaints &complaints) {
  for (const auto &[state, next] : section.swaps) {
    if (state >= program.buffers.size() || next >= program.buffers.size()) {
      complaints.add("section '{}': swaps a buffer that is not there", section.name);
      continue;
    }
    const Buffer &a = program.buffers[state], &b = program.buffers[next];
    if (state == next || !swapped.insert(state).second || !swapped.insert(next).second)
      complaints.add("section '{}': '{}' and '{}' change places, but one is there twice", section.name, a.name, b.name);
    if (a.size != b.size || a.space != b.space || a.dtype != b.dtype || a.perShare || b.perShare)
      complaints.add("section '{}': '{}' and '{}' change places, but differ in size, order or type", section.name,
                     a.name, b.name);
    if (a.lifetime != Lifetime::State || b.lifetime != Lifetime::State)
      complaints.add("section '{}': '{}' and '{}' change places, but are not both state", section.name, a.name, b.name);
    if (section.kind != SectionKind::PerStep)
      complaints.add("section '{}': swaps at the end of each step, but does not run per step", section.name);
  }
}

/// A section runs all steps of a chunk before the next one begins. So what one hands to another has a row for each
/// step, everything else belongs to one section, and a row is written before it is read.
void checkChunk(const Program &program, Complaints &complaints) {
  std::vector<const Section *> user(program.buffers.size());
  std::vector<bool> written(program.buffers.size());
  const auto access = [&](const Section &section, Id id, bool write) {
    const Buffer &b = program.buffers[id];
    const bool constant = b.lifetime == Lifetime::Const, rows = b.allSteps && b.lifetime == Lifetime::Scratch;
    if (section.kind == SectionKind::PerChunk && !constant && !rows && b.lifetime != Lifetime::In)
      return complaints.add("section '{}': runs per chunk, but uses '{}', which has no row for each step", section.name,
                            b.name);
    if (rows) {
      if (!write && !written[id])
        complaints.add("section '{}': reads '{}' before the chunk wrote it", section.name, b.name);
      if (write) written[id] = true;
    } else if (b.lifetime == Lifetime::State || b.lifetime == Lifetime::Scratch) {
      if (user[id] && user[id] != &section)
        complaints.add("section '{}': uses '{}' as section '{}' does, but it has no row for each step", section.name,
                       b.name, user[id]->name);
      user[id] = &section;
    }
  };
  for (const Section &section : program.sections)
    for (const Phase &phase : section.phases)
      for (const Operation &operation : phase.ops)
        forEachAccess(operation, [&](Id id, bool write) { access(section, id, write); });
}

void checkKinds(const Program &program, Complaints &complaints) {
  if (program.chunk == 0 || program.chunk > kMaxChunk)
    complaints.add("chunks of {} steps are not of 1..{}", program.chunk, kMaxChunk);
  if (!program.causal && program.chunk != 1)
    complaints.add("chunks of {} steps, but the program is not causal: it runs whole sequences", program.chunk);
  size_t steps = 0;
  for (const Section &section : program.sections) {
    steps += section.kind == SectionKind::PerStep;
    if (program.causal && section.backward)
      complaints.add("section '{}': backward, but the program is causal", section.name);
    if (program.causal && section.kind == SectionKind::Once && steps)
      complaints.add("section '{}': runs once, but stands behind the steps", section.name);
    if (program.chunk == 1 && section.kind == SectionKind::PerChunk)
      complaints.add("section '{}': per chunk, but the program has no chunks of several steps", section.name);
  }
  if (program.causal && program.chunk == 1 && !program.sections.empty() && steps != 1)
    complaints.add("a causal program without chunks has exactly one section per step, not {}", steps);
}

}  // namespace

void checkSections(const Program &program, Complaints &complaints) {
  checkKinds(program, complaints);
  std::set<Id> swapped;
  const size_t before = complaints.count();
  for (const Section &section : program.sections) {
    checkSwaps(program, section, swapped, complaints);
    for (const Phase &phase : section.phases) checkPhase(program, phase, complaints);
  }
  if (program.causal && program.chunk > 1 && complaints.count() == before) checkChunk(program, complaints);
}

}  // namespace rtmc::ir
