#include "driver/inspect/inspection.h"

#include "passes/tiling.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace rtmc::driver {
namespace {

/// Predicted time of one matrix on one core, from its groups as the passes cut them.
double predictedNs(const ir::Weights &weights, uint64_t footprint, const passes::Context &context) {
  const passes::CostModel cost(context.machine, context.target, weights.schedule.precision, weights.schedule.accumulate,
                               footprint);
  double ns = 0;
  if (!weights.packed) return 0;
  for (const ir::TileRun &run : weights.packed->runs) {
    const ir::TileShape &shape = weights.packed->shapes[run.shape];
    ns += cost.tileNs(shape, run.tiles, run.entries, run.rows);
  }
  return ns;
}

double balanceOf(const ir::Phase &phase) {
  if (phase.shareCost.empty()) return 1;
  const double sum = std::accumulate(phase.shareCost.begin(), phase.shareCost.end(), 0.0);
  const double most = *std::max_element(phase.shareCost.begin(), phase.shareCost.end());
  return sum == 0 ? 1 : most * static_cast<double>(phase.shareCost.size()) / sum;
}

}  // namespace

double ratio(double a, double b) {
  return b == 0 ? 0 : a / b;
}

double densityOf(const ir::Weights &weights) {
  return ratio(static_cast<double>(weights.nonzeros), double(weights.rows) * weights.columns);
}

std::string schemeText(const ir::Structure &structure) {
  std::string text(ir::schemeName(structure.scheme));
  if (structure.blockRows) text += fmt::format(" {}x{}", structure.blockRows, structure.blockColumns);
  return text;
}

Inspection inspectProgram(const Session &session, const std::map<std::string, uint64_t> &groups) {
  const ir::Program &program = session.program();
  const passes::Context &context = session.context();
  Inspection found{&program, &context.machine, {}, {}, 0, {}, 0};
  const uint64_t footprint = passes::estimatedFootprint(program);
  for (const ir::Weights &weights : program.weights) {
    InspectedMatrix matrix{&weights, factsOf(weights), predictedNs(weights, footprint, context)};
    const auto known = groups.find(weights.name);
    matrix.facts.groups = known == groups.end() ? 0 : known->second;
    found.total += matrix.facts;
    found.totalNs += matrix.predictedNs;
    found.matrices.push_back(matrix);
  }
  for (const ir::Section &section : program.sections) {
    for (const ir::Phase &phase : section.phases) {
      found.phases.push_back({&section, &phase, balanceOf(phase)});
      if (!phase.shareCost.empty()) found.stepNs += *std::max_element(phase.shareCost.begin(), phase.shareCost.end());
    }
  }
  if (program.shares > 1) found.stepNs += static_cast<double>(found.phases.size()) * context.machine.barrierNs;
  return found;
}

}  // namespace rtmc::driver
