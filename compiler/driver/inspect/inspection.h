// Owns: the facts that `rtmc inspect` reports, computed once for its text, its JSON and its page.
#pragma once

#include "driver/program_facts.h"
#include "driver/session.h"
#include "ir/kernel.h"

#include <map>
#include <string>
#include <vector>

namespace rtmc::driver {

struct InspectedMatrix {
  const ir::Weights *weights;
  MatrixFacts facts;
  double predictedNs;  // all of its tiles on one core
};

struct InspectedPhase {
  const ir::Section *section;
  const ir::Phase *phase;
  double balance;  // largest share's cost over the mean: 1 is perfect
};

/// Refers to the session's program and machine.
struct Inspection {
  const ir::Program *program;
  const passes::Machine *machine;
  std::vector<InspectedMatrix> matrices;
  MatrixFacts total;
  double totalNs = 0;
  std::vector<InspectedPhase> phases;
  double stepNs = 0;  // predicted, barriers included
};

/// `groups`: row groups per matrix; pack makes tiles of them, so they are counted before it.
Inspection inspectProgram(const Session &, const std::map<std::string, uint64_t> &groups);

/// "block 16x4"
std::string schemeText(const ir::Structure &);
/// a / b, 0 where b is 0.
double ratio(double a, double b);
double densityOf(const ir::Weights &);

}  // namespace rtmc::driver
