// rtmc bench MODEL.yaml: time per step beside what the machine could do, measured in the same run, after a check.
#include "driver/commands.h"
#include "driver/execution.h"
#include "driver/machine_floor.h"
#include "driver/program_facts.h"
#include "driver/progress.h"
#include "driver/test_inputs.h"
#include "driver/verifier.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>

namespace rtmc::driver {
namespace {

constexpr int kFloorTries = 4;

struct Timing {
  double minUs = 0, medianUs = 0;
  uint64_t repetitions = 0, threads = 0;
};

Timing timingOf(const json::Object &reply) {
  return {reply.getNumber("step_us_min").value_or(0), reply.getNumber("step_us_median").value_or(0),
          static_cast<uint64_t>(reply.getInteger("repetitions").value_or(0)),
          static_cast<uint64_t>(reply.getInteger("threads_used").value_or(0))};
}

/// The same network as if nothing had been pruned: zeros become random weights of the kept ones' size.
ir::Network densified(const ir::Network &parsed, uint64_t seed) {
  ir::Network network = maskedNetwork(parsed);
  Random random(seed);
  const auto fill = [&](ir::Tensor &tensor) {
    double squares = 0;
    size_t kept = 0;
    for (float value : tensor.values) squares += double(value) * value, kept += value != 0;
    const double deviation = kept ? std::sqrt(squares / static_cast<double>(kept)) : 0.1;
    // Kept sums stay near their size, so that gates still work.
    const double scale = std::sqrt(double(kept + 1) / double(tensor.values.size() + 1));
    for (float &value : tensor.values) {
      const double magnitude = (0.5 + random.uniform()) * deviation;
      if (value == 0) value = static_cast<float>(random.uniform() < 0.5 ? -magnitude : magnitude);
      value = static_cast<float>(value * scale);
    }
    tensor.mask.clear();
    tensor.promise = {};
  };
  for (ir::Layer &layer : network.layers) {
    if (auto *linear = std::get_if<ir::Linear>(&layer.op)) {
      fill(linear->weight);
      continue;
    }
    for (ir::Recurrence &r : *ir::recurrences(layer)) {
      for (ir::Tensor *tensor : {&r.weightIh, &r.weightHh, &r.weightHr})
        if (tensor->present()) fill(*tensor);
    }
  }
  return network;
}

struct Result {
  Timing timing;
  std::optional<Timing> oneThread, dense;
  json::Array phaseUs;
  Floor floor;
  passes::Machine machine;
  MatrixFacts facts;
  uint64_t codeBytes = 0;
  double gbps() const { return double(facts.valueBytes + facts.indexBytes) / timing.minUs / 1000; }
  double share() const { return floor.us() / timing.minUs; }
};

int checkFirst(const Session &session, Execution &execution) {
  Verifier verifier(session, execution, 3);
  if (llvm::Error error = verifier.runBriefly()) return execution.report(std::move(error));
  if (verifier.report().ok()) return kDone;
  for (const std::string &message : verifier.report().messages)
    std::fprintf(stderr, "rtmc: wrong: %s\n", message.c_str());
  return bugError("the generated code computes wrong numbers; times of it mean nothing");
}

/// The dense peer: its own passes and code, in the same folder.
int addDense(const Session &session, Execution &execution, json::Array &peers) {
  CommandLine line = session.line();
  line.quiet = true;
  line.schedule.clear();
  line.tuning.clear();
  Session dense(line);
  if (int status = dense.resolve()) return status;
  dense.adopt(densified(*session.parsed(), line.seed));
  if (int status = dense.runPipeline("")) return status;
  if (int status = dense.emit(dense.program(), "dense.cpp")) return status;
  auto library = execution.buildPeer(dense.emitted(), "dense");
  if (!library) return environmentError(library.takeError());
  peers.push_back(
      json::Object{{"library", library->path}, {"symbol", execution.symbol()}, {"arena", usesArena(dense)}});
  return kDone;
}

int measure(const Session &session, Execution &execution, uint32_t stepsPerCall, Result &result) {
  const CommandLine &line = session.line();
  const ir::Program &program = session.program();
  json::Array peers;
  if (program.shares > 1) peers.push_back(json::Object{{"threads", 1}, {"arena", usesArena(session)}});
  if (line.against == "dense") {
    if (int status = addDense(session, execution, peers)) return status;
  }
  const uint32_t rows = std::max(line.steps ? line.steps : 64u, stepsPerCall);
  const Sequence input = randomSequence(*session.parsed(), rows, line.seed);
  if (llvm::Error error = execution.writeFloats("bench.f32", input.values)) return environmentError(std::move(error));
  const auto machine = [&] {
    return measureMachine(execution.runner(),
                          json::Object{{"cmd", "machine"}, {"quick", true}, {"footprint_bytes", footprintOf(program)}});
  };
  auto before = machine();
  if (!before) return execution.report(before.takeError());
  const bool anyPeers = !peers.empty();
  auto reply = execution.ask(json::Object{{"cmd", "bench"},
                                          {"input", execution.file("bench.f32")},
                                          {"steps", rows},
                                          {"steps_per_call", stepsPerCall},
                                          {"arena", usesArena(session)},
                                          {"min_seconds", line.quick ? 0.1 : 1.0},
                                          {"peers", std::move(peers)}});
  if (!reply) return execution.report(reply.takeError());
  auto after = machine();
  if (!after) return execution.report(after.takeError());
  result.machine = best(*before, *after);
  result.floor = floorOf(program, result.machine, stepsPerCall);
  result.timing = timingOf(*reply);
  // No step is faster than its floor: where one is, the machine was disturbed while the floor was measured, for a much
  // shorter time than the step was.
  for (int tries = 0; tries < kFloorTries && result.share() > 1; ++tries) {
    auto again = machine();
    if (!again) return execution.report(again.takeError());
    result.machine = best(result.machine, *again);
    result.floor = floorOf(program, result.machine, stepsPerCall);
  }
  if (const json::Array *phases = reply->getArray("phase_us")) result.phaseUs = *phases;
  const json::Array *timed = reply->getArray("peers");
  if (anyPeers && timed) {
    size_t next = 0;
    const auto take = [&] { return timingOf(*(*timed)[next++].getAsObject()); };
    if (program.shares > 1) result.oneThread = take();
    if (line.against == "dense") result.dense = take();
  }
  if (result.timing.minUs <= 0) return bugError("the runner reports a step of no time");
  return kDone;
}

std::string textReport(const Session &session, const Result &result, uint32_t stepsPerCall) {
  const Timing &timing = result.timing;
  const Floor &floor = result.floor;
  std::string text = fmt::format("{}: {:.3f} us per step at best, {:.3f} us median ({} threads, {} steps per call)\n",
                                 session.program().name, timing.minUs, timing.medianUs, timing.threads, stepsPerCall);
  text += fmt::format("bytes: {} weights, {} indices, {} code; {:.1f} GB/s\n", result.facts.valueBytes,
                      result.facts.indexBytes, result.codeBytes, result.gbps());
  text += fmt::format("roofline share: {:.3f} (floor {:.3f} us: reading {:.3f} or multiplying {:.3f}, gates {:.3f})\n",
                      result.share(), floor.us(), floor.bandwidthUs, floor.multiplyAddUs, floor.gateUs);
  text += fmt::format("loads: {} before, {} after\n", result.facts.loadsBefore, result.facts.loadsAfter);
  if (result.oneThread) {
    text += fmt::format("one thread: {:.2f} us; {} threads are {:.2f} x as fast\n", result.oneThread->minUs,
                        timing.threads, result.oneThread->minUs / timing.minUs);
  }
  if (result.dense) {
    text += fmt::format("dense: {:.2f} us; pruned is {:.2f} x as fast\n", result.dense->minUs,
                        result.dense->minUs / timing.minUs);
  }
  if (result.share() > 1) text += "a share above 1 is an error of the measurement: the machine was disturbed\n";
  return text;
}

json::Object describeTiming(const Timing &timing) {
  return json::Object{{"step_us_min", timing.minUs},
                      {"step_us_median", timing.medianUs},
                      {"repetitions", timing.repetitions},
                      {"threads_used", timing.threads}};
}

json::Object jsonReport(const Session &session, const Execution &execution, const Result &result,
                        uint32_t stepsPerCall) {
  json::Object object = describeProgram(session);
  for (auto &[key, value] : describeTiming(result.timing)) object[key] = value;
  object["steps_per_call"] = stepsPerCall;
  object["code_bytes"] = result.codeBytes;
  object["gbps"] = result.gbps();
  object["roofline_share"] = result.share();
  object["floor_us"] = result.floor.us();
  object["floor_bandwidth_us"] = result.floor.bandwidthUs;
  object["floor_multiply_add_us"] = result.floor.multiplyAddUs;
  object["floor_gates_us"] = result.floor.gateUs;
  object["live_gates"] = result.floor.liveGates;
  object["footprint_bytes"] = result.floor.footprintBytes;
  object["footprint_gbps"] = result.machine.readGbps(std::max<uint64_t>(result.floor.footprintBytes, 64));
  object["placement"] = usesArena(session) ? "arena" : "in-place";
  object["phase_us"] = json::Array(result.phaseUs);
  object["compiler"] = execution.describe();
  object["machine"] = describeMachine(result.machine);
  if (result.oneThread) {
    object["one_thread"] = describeTiming(*result.oneThread);
    object["speedup_over_one_thread"] = result.oneThread->minUs / result.timing.minUs;
  }
  if (result.dense) {
    object["dense"] = describeTiming(*result.dense);
    object["speedup_over_dense"] = result.dense->minUs / result.timing.minUs;
  }
  return object;
}

}  // namespace

int benchCommand(const CommandLine &line) {
  Session session(line);
  if (int status = session.generate()) return status;
  if (!session.parsed()) {
    session.diagnostics().error("argument", {}, "bench needs the network as it was written: a model.yaml, not IR");
    return session.settle();
  }
  Execution execution;
  if (int status = execution.start(session)) return status;
  const Progress progress("measuring", line);
  if (int status = checkFirst(session, execution)) return status;
  Result result;
  result.facts = factsOf(session.program());
  result.codeBytes = execution.library().codeBytes;
  // A network that is not causal runs whole sequences only.
  const uint32_t stepsPerCall = line.stepsPerCall ? line.stepsPerCall : session.program().causal ? 1 : 50;
  if (int status = measure(session, execution, stepsPerCall, result)) return status;
  if (line.json) return printJson(jsonReport(session, execution, result, stepsPerCall));
  return printResult(textReport(session, result, stepsPerCall));
}

}  // namespace rtmc::driver
