// rtmc inspect MODEL.yaml: what was found in each matrix, what the code will load and read, and what it should cost.
#include "driver/commands.h"
#include "driver/program_facts.h"
#include "driver/session.h"
#include "driver/table.h"
#include "passes/tiling.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

namespace rtmc::driver {
namespace {

double ratio(double a, double b) {
  return b == 0 ? 0 : a / b;
}

std::string schemeText(const ir::Structure &structure) {
  std::string text(ir::schemeName(structure.scheme));
  if (structure.blockRows) text += fmt::format(" {}x{}", structure.blockRows, structure.blockColumns);
  return text;
}

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

struct Row {
  const ir::Weights *weights;
  MatrixFacts facts;
  double ns;
};

json::Object describeMatrix(const Row &row) {
  const ir::Weights &w = *row.weights;
  return json::Object{{"name", w.name},
                      {"rows", w.rows},
                      {"columns", w.columns},
                      {"nonzeros", w.nonzeros},
                      {"density", ratio(static_cast<double>(w.nonzeros), double(w.rows) * w.columns)},
                      {"scheme", std::string(ir::schemeName(w.structure.scheme))},
                      {"block_rows", w.structure.blockRows},
                      {"block_columns", w.structure.blockColumns},
                      {"fill", w.structure.fill},
                      {"pattern", w.patternHash},
                      {"format", std::string(ir::formatName(w.schedule.format))},
                      {"lanes", ir::lanesName(w.schedule.lanes)},
                      {"unroll", std::string(ir::unrollName(w.schedule.unroll))},
                      {"accumulate", std::string(ir::accumulateName(w.schedule.accumulate))},
                      {"placement", std::string(ir::placementName(w.schedule.placement))},
                      {"precision", std::string(precisionName(w.schedule.precision))},
                      {"groups", row.facts.groups},
                      {"tiles", row.facts.tiles},
                      {"loads_before", row.facts.loadsBefore},
                      {"loads_after", row.facts.loadsAfter},
                      {"csr_bytes", row.facts.csrBytes},
                      {"weight_bytes", row.facts.valueBytes},
                      {"index_bytes", row.facts.indexBytes},
                      {"predicted_ns", row.ns}};
}

/// Largest share's cost over the mean: 1 is perfect.
double balanceOf(const ir::Phase &phase) {
  if (phase.shareCost.empty()) return 1;
  const double sum = std::accumulate(phase.shareCost.begin(), phase.shareCost.end(), 0.0);
  const double most = *std::max_element(phase.shareCost.begin(), phase.shareCost.end());
  return sum == 0 ? 1 : most * static_cast<double>(phase.shareCost.size()) / sum;
}

json::Array describePhases(const ir::Program &program) {
  json::Array phases;
  for (const ir::Section &section : program.sections) {
    for (const ir::Phase &phase : section.phases) {
      json::Array shares;
      for (double ns : phase.shareCost) shares.push_back(ns);
      phases.push_back(json::Object{{"name", phase.name},
                                    {"section", section.name},
                                    {"share_ns", std::move(shares)},
                                    {"balance", balanceOf(phase)}});
    }
  }
  return phases;
}

double predictedStepNs(const ir::Program &program, const passes::Machine &machine) {
  double ns = 0;
  size_t phases = 0;
  for (const ir::Section &section : program.sections) {
    for (const ir::Phase &phase : section.phases) {
      if (!phase.shareCost.empty()) ns += *std::max_element(phase.shareCost.begin(), phase.shareCost.end());
      ++phases;
    }
  }
  return ns + (program.shares > 1 ? static_cast<double>(phases) * machine.barrierNs : 0);
}

std::string textReport(const Session &session, const std::vector<Row> &rows, double stepNs,
                       const passes::Machine &machine) {
  const ir::Program &program = session.program();
  std::string text = fmt::format("{}: {} weights, {} threads, target {}, processor {}, machine '{}' ({})\n\n",
                                 program.name, precisionName(program.precision), program.shares, program.target,
                                 program.cpu, machine.name, machine.source);
  Table table({"matrix", "<scheme", "fill", "rows", "columns", "density", "groups", "tiles", "<lanes", "loads before",
               "loads after", "CSR bytes", "values", "index", "predicted ns"});
  MatrixFacts total;
  double totalNs = 0;
  for (const Row &row : rows) {
    const ir::Weights &w = *row.weights;
    table.add({w.name, schemeText(w.structure), fmt::format("{:.3f}", w.structure.fill), std::to_string(w.rows),
               std::to_string(w.columns),
               fmt::format("{:.2f} %", 100 * ratio(double(w.nonzeros), double(w.rows) * w.columns)),
               std::to_string(row.facts.groups), std::to_string(row.facts.tiles), ir::lanesName(w.schedule.lanes),
               std::to_string(row.facts.loadsBefore), std::to_string(row.facts.loadsAfter),
               std::to_string(row.facts.csrBytes), std::to_string(row.facts.valueBytes),
               std::to_string(row.facts.indexBytes), fmt::format("{:.0f}", row.ns)});
    total += row.facts;
    totalNs += row.ns;
  }
  table.add({"total", "", "", "", "", "", std::to_string(total.groups), std::to_string(total.tiles), "",
             std::to_string(total.loadsBefore), std::to_string(total.loadsAfter), std::to_string(total.csrBytes),
             std::to_string(total.valueBytes), std::to_string(total.indexBytes), fmt::format("{:.0f}", totalNs)});
  text += table.text() + "\n";

  Table phases({"phase", "<section", "<ns per share", "balance"});
  for (const ir::Section &section : program.sections) {
    for (const ir::Phase &phase : section.phases) {
      std::string shares;
      for (double ns : phase.shareCost) shares += fmt::format("{}{:.0f}", shares.empty() ? "" : " ", ns);
      phases.add({phase.name, section.name, shares, fmt::format("{:.3f}", balanceOf(phase))});
    }
  }
  text += phases.text() + "\n";
  const ir::FoldReport &folded = program.folded;
  text += fmt::format("folded: {} constant gate rows ({} whole gates), {} units and {} weights dropped\n",
                      folded.constantGateRows, folded.constantGates, folded.droppedUnits, folded.droppedWeights);
  text +=
      fmt::format("bytes: {} packed (values and indices), {:.3f} of CSR's {}\n", total.valueBytes + total.indexBytes,
                  ratio(double(total.valueBytes + total.indexBytes), double(total.csrBytes)), total.csrBytes);
  return text + fmt::format("predicted: {:.2f} us per step\n", stepNs / 1000);
}

}  // namespace

int inspectCommand(const CommandLine &line) {
  Session session(line);
  if (int status = session.resolve()) return status;
  // Groups are there until pack has made tiles of them.
  if (int status = session.lower("share-loads")) return status;
  std::map<std::string, uint64_t> groups;
  if (session.module().program) {
    for (const ir::Weights &weights : session.program().weights) groups[weights.name] = weights.groups.size();
  }
  if (int status = session.runPipeline("")) return status;
  const ir::Program &program = session.program();
  const uint64_t footprint = passes::estimatedFootprint(program);
  std::vector<Row> rows;
  for (const ir::Weights &weights : program.weights) {
    rows.push_back({&weights, factsOf(weights), predictedNs(weights, footprint, session.context())});
    rows.back().facts.groups = groups[weights.name];
  }
  const passes::Machine &machine = session.context().machine;
  const double stepNs = predictedStepNs(program, machine);
  if (!line.json) return printResult(textReport(session, rows, stepNs, machine));
  json::Object result = describeProgram(session);
  json::Array matrices;
  for (const Row &row : rows) matrices.push_back(describeMatrix(row));
  result["matrices"] = std::move(matrices);
  result["phases"] = describePhases(program);
  result["folded"] = describeFolding(program.folded);
  result["predicted_step_ns"] = stepNs;
  result["machine"] = machine.name;
  result["machine_source"] = machine.source;
  return printJson(std::move(result));
}

}  // namespace rtmc::driver
