#include "driver/verifier.h"

#include "driver/progress.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>

namespace rtmc::driver {
namespace {

constexpr size_t kMessages = 8;

/// 1 per value of the saved state that the program computes; the order is the contract's.
std::vector<uint8_t> liveStates(const ir::Program &program) {
  std::vector<uint8_t> live;
  for (const ir::StateSlot &slot : program.states) {
    const ir::Buffer &buffer = program.buffers[slot.buffer];
    const ir::Space *space = buffer.space == ir::kNone ? nullptr : &program.spaces[buffer.space];
    const size_t first = live.size();
    const uint32_t user = space && space->userSize ? space->userSize : buffer.size;
    live.resize(first + user, space && !space->order.empty() ? 0 : 1);
    if (!space) continue;
    for (uint32_t unit : space->order) {
      if (unit != ir::kNone) live[first + unit] = 1;
    }
  }
  return live;
}

std::vector<float> toFloats(const std::vector<double> &values) {
  return {values.begin(), values.end()};
}

}  // namespace

bool VerifyReport::ok() const {
  uint64_t failures = weights.mismatches + waysDifferent;
  for (const InputReport &input : inputs) failures += input.failures;
  return failures == 0;
}

Verifier::Verifier(const Session &session, Execution &execution, uint32_t steps)
    : session_(session), execution_(execution), steps_(steps), reference_(maskedNetwork(*session.parsed())) {
  setting_.arena = usesArena(session);
  liveState_ = liveStates(session.program());
}

ir::InterpreterOptions Verifier::bounds() const {
  ir::InterpreterOptions options;
  options.bounds = true;
  for (const ir::Weights &weights : session_.program().weights) {
    if (weights.schedule.accumulate != ir::Accumulate::F16x4) continue;
    options.halfChains = true;
    options.halfMatrices.insert(weights.name);
  }
  return options;
}

llvm::Error Verifier::run() {
  const Progress progress("verifying", session_.line());
  if (llvm::Error error = checkWeights()) return error;
  const size_t stateFloats = causal() ? ir::stateSize(reference_) : 0;
  if (stateFloats != (causal() ? liveState_.size() : 0)) {
    ++report_.waysDifferent;
    report_.messages.push_back(
        fmt::format("the library saves {} state values; the model has {}", liveState_.size(), stateFloats));
    return llvm::Error::success();
  }
  // Errors of a whole sequence add up, so that long ones prove little: a network that is not causal gets short ones.
  const uint32_t steps = causal() ? steps_ : std::min(steps_, 6u);
  std::vector<TestInput> inputs = testInputs(reference_, steps, session_.line().seed, stateFloats);
  inputs.insert(inputs.end(), own_.begin(), own_.end());
  for (const TestInput &input : inputs) {
    if (llvm::Error error = causal() ? checkSteps(input) : checkSequence(input)) return error;
  }
  const Sequence longer = randomSequence(reference_, steps_ + 3, session_.line().seed + 2);
  if (llvm::Error error = checkBits(longer)) return error;
  return checkDeviation(own_.empty() ? longer : own_.front().sequence);
}

llvm::Error Verifier::runBriefly() {
  if (llvm::Error error = checkWeights()) return error;
  const TestInput input{"random", randomSequence(reference_, 3, session_.line().seed), {}};
  return causal() ? checkSteps(input) : checkSequence(input);
}

llvm::Error Verifier::checkWeights() {
  auto bytes = execution_.weights();
  if (!bytes) return bytes.takeError();
  ir::Program shipped;
  const std::string complaint =
      readBack(session_.program(), {reinterpret_cast<const uint8_t *>(bytes->data()), bytes->size()}, shipped);
  if (!complaint.empty()) {
    ++report_.weights.mismatches;
    report_.messages.push_back(complaint);
    return llvm::Error::success();
  }
  report_.weights = adoptShippedWeights(shipped, reference_);
  report_.messages = report_.weights.messages;
  return llvm::Error::success();
}

void Verifier::compare(InputReport &input, const std::string &what, uint64_t step, size_t index, ir::Bounded expected,
                       float computed) {
  ++input.compared;
  if (ir::accepts(expected, computed)) {
    const double difference = std::fabs(double(computed) - expected.value);
    if (std::isfinite(expected.error) && expected.error > 0 && std::isfinite(difference)) {
      input.worst = std::max(input.worst, difference / expected.error);
    }
    return;
  }
  if (input.failures++ < kMessages) {
    report_.messages.push_back(fmt::format("input '{}', step {}, {} {}: {:.9g}, the reference has {:.9g} within {:.3g}",
                                           input.name, step, what, index, computed, expected.value, expected.error));
  }
}

llvm::Error Verifier::checkSteps(const TestInput &test) {
  const Sequence &sequence = test.sequence;
  InputReport input;
  input.name = test.name;
  input.steps = sequence.steps;
  ir::NetworkInterpreter interpreter(reference_, bounds());
  const size_t width = sequence.width, outputs = interpreter.outputSize(), floats = interpreter.stateSize();
  std::vector<float> states;
  std::vector<ir::Bounded> expectedOut, expectedState;
  std::vector<float> state = test.state;
  state.resize(floats);
  for (uint64_t step = 0; step < sequence.steps; ++step) {
    for (size_t i = 0; i < floats; ++i) {
      if (!liveState_[i]) state[i] = 0;
    }
    states.insert(states.end(), state.begin(), state.end());
    ir::NetworkState now{std::vector<double>(state.begin(), state.end())};
    std::vector<double> errors;
    const auto out = interpreter.step(now, std::span(sequence.values).subspan(step * width, width), &errors);
    expectedOut.insert(expectedOut.end(), out.begin(), out.end());
    for (size_t i = 0; i < floats; ++i) expectedState.push_back({now.values[i], errors[i]});
    state = toFloats(now.values);
  }
  auto computed = execution_.steps(sequence.values, states, sequence.steps, setting_);
  if (!computed) return computed.takeError();
  for (uint64_t step = 0; step < sequence.steps; ++step) {
    for (size_t i = 0; i < outputs; ++i) {
      compare(input, "output", step, i, expectedOut[step * outputs + i], computed->outputs[step * outputs + i]);
    }
    for (size_t i = 0; i < floats; ++i) {
      if (!liveState_[i]) continue;
      compare(input, "state", step, i, expectedState[step * floats + i], computed->states[step * floats + i]);
    }
  }
  report_.inputs.push_back(std::move(input));
  return llvm::Error::success();
}

llvm::Error Verifier::checkSequence(const TestInput &test) {
  const Sequence &sequence = test.sequence;
  InputReport input;
  input.name = test.name;
  input.steps = sequence.steps;
  ir::NetworkInterpreter interpreter(reference_, bounds());
  const std::vector<ir::Bounded> expected = interpreter.run(sequence.values, sequence.steps);
  auto computed = execution_.run(sequence.values, sequence.steps, setting_);
  if (!computed) return computed.takeError();
  const size_t outputs = interpreter.outputSize();
  for (size_t i = 0; i < expected.size(); ++i) {
    compare(input, "output", i / outputs, i % outputs, expected[i], (*computed)[i]);
  }
  report_.inputs.push_back(std::move(input));
  return llvm::Error::success();
}

void Verifier::compareWays(const std::string &what, std::span<const float> a, std::span<const float> b) {
  ++report_.waysCompared;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::bit_cast<uint32_t>(a[i]) == std::bit_cast<uint32_t>(b[i])) continue;
    ++report_.waysDifferent;
    report_.messages.push_back(fmt::format("{}: value {} is {:.9g} instead of {:.9g}", what, i, b[i], a[i]));
    return;
  }
}

/// The same bits for every thread count and placement, and for steps one by one, in pieces and in one call.
llvm::Error Verifier::checkBits(const Sequence &sequence) {
  auto base = execution_.run(sequence.values, sequence.steps, setting_);
  if (!base) return base.takeError();
  std::vector<std::pair<std::string, RunSetting>> ways;
  for (uint32_t threads = 1; threads <= session_.program().shares; ++threads) {
    for (bool arena : {false, true}) {
      ways.push_back(
          {fmt::format("{} threads, weights {}", threads, arena ? "in an arena" : "in place"), {threads, arena, 0}});
      if (causal()) ways.push_back({ways.back().first + ", step by step", {threads, arena, 1}});
    }
  }
  if (causal()) ways.push_back({"five steps a call", {0, setting_.arena, 5}});
  for (const auto &[name, setting] : ways) {
    auto other = execution_.run(sequence.values, sequence.steps, setting);
    if (!other) return other.takeError();
    compareWays(name, *base, *other);
  }
  return llvm::Error::success();
}

/// How far rounded weights carry the outputs away over a whole sequence: reported, not judged.
llvm::Error Verifier::checkDeviation(const Sequence &sequence) {
  const uint64_t steps = std::min<uint64_t>(sequence.steps, 200);
  const std::span<const float> in = std::span(sequence.values).first(steps * sequence.width);
  auto computed = execution_.run(in, steps, setting_);
  if (!computed) return computed.takeError();
  ir::NetworkInterpreter exact(maskedNetwork(*session_.parsed()));
  const std::vector<ir::Bounded> expected = exact.run(in, steps);
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (!std::isfinite(expected[i].value) || !std::isfinite((*computed)[i])) continue;
    report_.deviation = std::max(report_.deviation, std::fabs(expected[i].value - (*computed)[i]));
    largest = std::max(largest, std::fabs(expected[i].value));
  }
  report_.relativeDeviation = largest > 0 ? report_.deviation / largest : 0;
  return llvm::Error::success();
}

}  // namespace rtmc::driver
