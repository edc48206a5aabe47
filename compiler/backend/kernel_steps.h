// Owns: the multiply-adds of one pass over a kernel's entries: what is read, and which sums it goes to.
#pragma once

#include "backend/kernel_facts.h"

namespace rtmc::backend {

/// Fills `steps` (of a round, or of the whole list where its length is known) and `tail` of a loop over the entries for
/// the vectors first .. end-1. KernelPlan::sumBySum: of those entries that go to one of a row's sums, `chain`.
void addSteps(const KernelFacts &, TemplateValue &loop, uint32_t first, uint32_t end, uint32_t chain);

/// Steps of several runs at once: joinedSource().
void addJoinedSteps(const KernelFacts &, TemplateValue &kernel);

}  // namespace rtmc::backend
