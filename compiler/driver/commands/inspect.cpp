// rtmc inspect MODEL.yaml: what was found in each matrix, what the code will load and read, and what it should cost.
#include "driver/commands.h"
#include "driver/inspect/inspect_page.h"
#include "driver/inspect/inspection.h"
#include "driver/progress.h"
#include "driver/session.h"
#include "driver/table.h"
#include "support/files.h"

#include <fmt/format.h>

namespace rtmc::driver {
namespace {

json::Object describeMatrix(const InspectedMatrix &matrix) {
  const ir::Weights &w = *matrix.weights;
  return json::Object{{"name", w.name},
                      {"rows", w.rows},
                      {"columns", w.columns},
                      {"nonzeros", w.nonzeros},
                      {"density", densityOf(w)},
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
                      {"groups", matrix.facts.groups},
                      {"tiles", matrix.facts.tiles},
                      {"loads_before", matrix.facts.loadsBefore},
                      {"loads_after", matrix.facts.loadsAfter},
                      {"csr_bytes", matrix.facts.csrBytes},
                      {"weight_bytes", matrix.facts.valueBytes},
                      {"index_bytes", matrix.facts.indexBytes},
                      {"predicted_ns", matrix.predictedNs}};
}

json::Array describePhases(const Inspection &found) {
  json::Array phases;
  for (const InspectedPhase &each : found.phases) {
    json::Array shares;
    for (double ns : each.phase->shareCost) shares.push_back(ns);
    phases.push_back(json::Object{{"name", each.phase->name},
                                  {"section", each.section->name},
                                  {"share_ns", std::move(shares)},
                                  {"balance", each.balance}});
  }
  return phases;
}

std::string textReport(const Inspection &found) {
  const ir::Program &program = *found.program;
  std::string text = fmt::format("{}: {} weights, {} threads, target {}, processor {}, machine '{}' ({})\n\n",
                                 program.name, precisionName(program.precision), program.shares, program.target,
                                 program.cpu, found.machine->name, found.machine->source);
  Table table({"matrix", "<scheme", "fill", "rows", "columns", "density", "groups", "tiles", "<lanes", "loads before",
               "loads after", "CSR bytes", "values", "index", "predicted ns"});
  for (const InspectedMatrix &matrix : found.matrices) {
    const ir::Weights &w = *matrix.weights;
    const MatrixFacts &facts = matrix.facts;
    table.add({w.name, schemeText(w.structure), fmt::format("{:.3f}", w.structure.fill), std::to_string(w.rows),
               std::to_string(w.columns), fmt::format("{:.2f} %", 100 * densityOf(w)), std::to_string(facts.groups),
               std::to_string(facts.tiles), ir::lanesName(w.schedule.lanes), std::to_string(facts.loadsBefore),
               std::to_string(facts.loadsAfter), std::to_string(facts.csrBytes), std::to_string(facts.valueBytes),
               std::to_string(facts.indexBytes), fmt::format("{:.0f}", matrix.predictedNs)});
  }
  const MatrixFacts &total = found.total;
  table.add({"total", "", "", "", "", "", std::to_string(total.groups), std::to_string(total.tiles), "",
             std::to_string(total.loadsBefore), std::to_string(total.loadsAfter), std::to_string(total.csrBytes),
             std::to_string(total.valueBytes), std::to_string(total.indexBytes), fmt::format("{:.0f}", found.totalNs)});
  text += table.text() + "\n";

  Table phases({"phase", "<section", "<ns per share", "balance"});
  for (const InspectedPhase &each : found.phases) {
    std::string shares;
    for (double ns : each.phase->shareCost) shares += fmt::format("{}{:.0f}", shares.empty() ? "" : " ", ns);
    phases.add({each.phase->name, each.section->name, shares, fmt::format("{:.3f}", each.balance)});
  }
  text += phases.text() + "\n";
  const ir::FoldReport &folded = program.folded;
  text += fmt::format("folded: {} constant gate rows ({} whole gates), {} units and {} weights dropped\n",
                      folded.constantGateRows, folded.constantGates, folded.droppedUnits, folded.droppedWeights);
  text +=
      fmt::format("bytes: {} packed (values and indices), {:.3f} of CSR's {}\n", total.valueBytes + total.indexBytes,
                  ratio(double(total.valueBytes + total.indexBytes), double(total.csrBytes)), total.csrBytes);
  return text + fmt::format("predicted: {:.2f} us per step\n", found.stepNs / 1000);
}

/// The page goes out before any result is printed: where it cannot be written there is none.
int writePage(Session &session, const Inspection &found) {
  const std::string &path = session.line().html;
  if (path.empty()) return kDone;
  if (int status = session.checkOutputs({path})) return status;
  std::string page;
  {
    const Progress progress("drawing the page", session.line());
    page = inspectPage(session, found);
  }
  if (llvm::Error error = writeFilesAtomically({{path, std::move(page)}})) return environmentError(std::move(error));
  return kDone;
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
  const Inspection found = inspectProgram(session, groups);
  if (int status = writePage(session, found)) return status;
  if (!line.json) return printResult(textReport(found));
  json::Object result = describeProgram(session);
  json::Array matrices;
  for (const InspectedMatrix &matrix : found.matrices) matrices.push_back(describeMatrix(matrix));
  result["matrices"] = std::move(matrices);
  result["phases"] = describePhases(found);
  result["folded"] = describeFolding(found.program->folded);
  result["predicted_step_ns"] = found.stepNs;
  result["machine"] = found.machine->name;
  result["machine_source"] = found.machine->source;
  if (!line.html.empty()) result["outputs"] = json::Array{line.html};
  return printJson(std::move(result));
}

}  // namespace rtmc::driver
