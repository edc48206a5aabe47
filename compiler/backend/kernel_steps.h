// Owns: the multiply-adds of one pass over a kernel's entries: what is read, and which sums it goes to.
#pragma once

#include "backend/kernel_facts.h"

namespace rtmc::backend {

/// Fills `steps` (of a round, or of the whole list where its length is known) and `tail` of a pass over the vectors
/// first .. end-1.
/// Steps of several runs at once: joinedSource().
void addJoinedSteps(const KernelFacts &, TemplateValue &);

void addSteps(const KernelFacts &, TemplateValue &pass, uint32_t first, uint32_t end);

}  // namespace rtmc::backend
