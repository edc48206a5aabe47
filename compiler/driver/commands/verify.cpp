// rtmc verify MODEL.yaml: generated code against the network as it was parsed, never against the kernel IR.
//
// First the weights: the bytes that the built library holds are expanded and compared with the model's. Then the
// numbers: with those weights as the reference's, every output and state of a step must lie within the bound of
// ir/network_interpreter.h, each step starting from the same state in both. Then the bits: thread counts, placements,
// and steps alone or in one call must agree exactly.
#include "driver/commands.h"
#include "driver/execution.h"
#include "driver/program_facts.h"
#include "driver/shipped_weights.h"
#include "driver/verifier.h"
#include "driver/weight_corruption.h"

#include <fmt/format.h>

namespace rtmc::driver {
namespace {

constexpr uint32_t kDefaultSteps = 16;

std::string textReport(const Session &session, const VerifyReport &report) {
  std::string text;
  for (const InputReport &input : report.inputs) {
    text += fmt::format("{:<28} {:>5} steps  {:>9} values  worst {:.3f} of the bound{}\n", input.name, input.steps,
                        input.compared, input.worst, input.failures ? fmt::format("  {} WRONG", input.failures) : "");
  }
  text += fmt::format("weights: {} compared, {} of dropped units or constant gates, {} wrong\n", report.weights.kept,
                      report.weights.dropped, report.weights.mismatches);
  text += fmt::format("bits: {} ways to run compared, {} differ\n", report.waysCompared, report.waysDifferent);
  text += fmt::format("deviation from unrounded weights: {:.3g} at most, {:.3g} of the largest output\n",
                      report.deviation, report.relativeDeviation);
  return text + fmt::format("{}: {}\n", session.program().name, report.ok() ? "ok" : "FAILED");
}

json::Object jsonReport(const Session &session, const Execution &execution, const VerifyReport &report) {
  json::Object result = describeProgram(session);
  json::Array inputs, messages;
  for (const InputReport &input : report.inputs) {
    inputs.push_back(json::Object{{"name", input.name},
                                  {"steps", input.steps},
                                  {"compared", input.compared},
                                  {"failures", input.failures},
                                  {"worst_bound_share", input.worst}});
  }
  for (const std::string &message : report.messages) messages.push_back(message);
  result["ok"] = report.ok();
  result["inputs"] = std::move(inputs);
  result["messages"] = std::move(messages);
  result["seed"] = static_cast<int64_t>(session.line().seed);
  result["weights_compared"] = report.weights.kept;
  result["weights_dropped"] = report.weights.dropped;
  result["weights_wrong"] = report.weights.mismatches;
  result["weight_error_ulp"] = report.weights.largestError;
  result["ways_compared"] = report.waysCompared;
  result["ways_different"] = report.waysDifferent;
  result["deviation_from_unrounded"] = report.deviation;
  result["deviation_from_unrounded_relative"] = report.relativeDeviation;
  result["compiler"] = execution.describe();
  return result;
}

int loadAndLower(Session &session) {
  if (int status = session.resolve()) return status;
  if (int status = session.lower("")) return status;
  if (!session.parsed()) {
    session.diagnostics().error("argument", {}, "verify needs the network as it was written: a model.yaml, not IR");
    return session.settle();
  }
  return kDone;
}

}  // namespace

int verifyCommand(const CommandLine &line) {
  Session session(line);
  if (int status = loadAndLower(session)) return status;
  std::optional<Sequence> own;
  if (!line.input.empty()) {
    bool environment = false;
    own = readNpy(line.input, session.parsed()->inputSize(), session.diagnostics(), environment);
    if (!own) {
      session.printMessages();
      return environment ? kEnvironmentError : kUserError;
    }
  }
  if (line.corruptWeight) {
    const std::string what = corruptWeight(session.program(), *line.corruptWeight);
    if (what.empty()) {
      session.diagnostics().error("argument", {}, "the program has no weight that could be corrupted");
      return session.settle();
    }
    std::fprintf(stderr, "rtmc: corrupted %s\n", what.c_str());
  }
  if (int status = session.emitAgain()) return status;
  Execution execution;
  if (int status = execution.start(session)) return status;
  Verifier verifier(session, execution, line.steps ? line.steps : kDefaultSteps);
  if (own) verifier.addInput("-i " + line.input, *own);
  if (llvm::Error error = verifier.run()) return execution.report(std::move(error));
  const VerifyReport &report = verifier.report();
  for (const std::string &message : report.messages) std::fprintf(stderr, "rtmc: wrong: %s\n", message.c_str());
  const int printed =
      line.json ? printJson(jsonReport(session, execution, report)) : printResult(textReport(session, report));
  if (printed) return printed;
  return report.ok() ? kDone : kBug;
}

}  // namespace rtmc::driver
