#include "bench.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "library.h"
#include "phase_times.h"
#include "raw_floats.h"
#include "session.h"

namespace rtmc::runner {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kShortestRepetition = 20e-6;  // seconds; below, the clock itself would be measured
constexpr double kWarmUpSeconds = 0.02;
constexpr double kQuietSeconds = 150e-6;  // after which another session's workers have stopped spinning
constexpr uint64_t kMostRepetitions = 10000000;
constexpr uint64_t kLeastRepetitions = 5;
constexpr double kPhaseSeconds = 0.1;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// One model with one set of options, and where it is in the input.
class Contestant {
 public:
  Contestant(const rtm_model *model, const Json &request, const std::vector<float> &in, size_t rows, size_t perCall)
      : in_(in), rows_(rows), perCall_(perCall), session_(model, SessionRequest::of(request), perCall) {
    if (perCall == 0) throw Failure("'steps_per_call' is 0");
    if (rows < perCall) throw Failure("'steps' is less than 'steps_per_call': the input has too few rows");
    out_.resize(perCall * session_.info().outputs);
  }

  uint32_t threads() const { return session_.threads(); }

  // Warms caches up and chooses how many calls make a repetition.
  void warmUp() {
    const Clock::time_point start = Clock::now();
    double best = 1e9;
    do {
      best = std::min(best, repetition());
    } while (secondsSince(start) < kWarmUpSeconds);
    calls_ = best >= kShortestRepetition ? 1 : static_cast<size_t>(kShortestRepetition / std::max(best, 1e-8)) + 1;
  }

  // One step, untimed, after another contestant had the caches; also wakes the workers.
  void refresh() {
    if (session_.info().causal) {
      session_.call(row(), 1, out_.data());
    } else {
      session_.call(row(), perCall_, out_.data());
    }
  }

  void measure() { times_.push_back(repetition() / static_cast<double>(calls_ * perCall_)); }

  Json result() {
    std::sort(times_.begin(), times_.end());
    return {{"step_us_min", times_.front() * 1e6}, {"step_us_median", times_[times_.size() / 2] * 1e6},
            {"repetitions", times_.size()},        {"steps_per_call", perCall_},
            {"calls_per_repetition", calls_},      {"threads_used", threads()}};
  }

  std::vector<double> phases() { return phaseTimes(*session_.get(), in_.data(), rows_, perCall_, kPhaseSeconds); }

 private:
  const float *row() const { return in_.data() + position_ * perCall_ * session_.info().inputs; }

  // Seconds. The input starts again from the zero state, outside the time.
  double repetition() {
    const size_t sequences = rows_ / perCall_;
    if (position_ + calls_ > sequences) {
      position_ = 0;
      check(rtm_reset(session_.get()), "rtm_reset");
    }
    const Clock::time_point start = Clock::now();
    for (size_t i = 0; i < calls_; ++i) {
      session_.call(row(), perCall_, out_.data());
      position_ = position_ + 1 < sequences ? position_ + 1 : 0;
    }
    return secondsSince(start);
  }

  const std::vector<float> &in_;
  size_t rows_, perCall_;
  size_t calls_ = 1, position_ = 0;
  Session session_;
  std::vector<float> out_;
  std::vector<double> times_;
};

using Contestants = std::vector<std::unique_ptr<Contestant>>;

void waitUntilQuiet() {
  // Not a sleep: the processor would leave its clock and its caches.
  const Clock::time_point start = Clock::now();
  while (secondsSince(start) < kQuietSeconds) {
  }
}

void measureAll(const Contestants &contestants, double seconds, uint64_t mostRepetitions) {
  for (const auto &contestant : contestants) contestant->warmUp();
  const bool several = contestants.size() > 1;
  const bool workers =
      std::any_of(contestants.begin(), contestants.end(), [](const auto &c) { return c->threads() > 1; });
  const Clock::time_point start = Clock::now();
  const double budget = seconds * static_cast<double>(contestants.size());
  for (uint64_t i = 0; i < mostRepetitions; ++i) {
    if (i >= kLeastRepetitions && secondsSince(start) >= budget) break;
    for (const auto &contestant : contestants) {
      if (several && workers) waitUntilQuiet();
      if (several) contestant->refresh();
      contestant->measure();
    }
  }
}

const rtm_model *peerModel(const rtm_model *model, const Json &peer) {
  if (!peer.is_object()) throw Failure("a peer is a JSON object");
  const std::string library = textOf(peer, "library", "");
  return library.empty() ? model : loadModel(library, textOf(peer, "symbol"));
}

}  // namespace

Json bench(const rtm_model *model, const Json &request) {
  const rtm_model_info info = describe(model);
  const size_t rows = countOf(request, "steps", kMostSteps);
  const size_t perCall = countOf(request, "steps_per_call", kMostSteps, 1);
  const std::vector<float> in = readFloats(textOf(request, "input"), rows * info.inputs);
  const double seconds = numberOf(request, "min_seconds", 0.5);
  if (!(seconds >= 0 && seconds <= 3600)) throw Failure("'min_seconds' is not between 0 and 3600");
  const uint64_t most = std::max<uint64_t>(1, countOf(request, "max_repetitions", kMostRepetitions, kMostRepetitions));

  Contestants contestants;
  contestants.push_back(std::make_unique<Contestant>(model, request, in, rows, perCall));
  const Json peers = request.value("peers", Json::array());
  if (!peers.is_array()) throw Failure("'peers' is not a list");
  for (const Json &peer : peers) {
    const rtm_model *other = peerModel(model, peer);
    if (describe(other).inputs != info.inputs) throw Failure("a peer has another number of inputs");
    const size_t peerPerCall = countOf(peer, "steps_per_call", kMostSteps, perCall);
    contestants.push_back(std::make_unique<Contestant>(other, peer, in, rows, peerPerCall));
  }
  measureAll(contestants, seconds, most);

  const bool phases = flagOf(request, "phases", true);
  Json reply = contestants[0]->result();
  reply["ok"] = true;
  if (phases) reply["phase_us"] = contestants[0]->phases();
  if (!peers.empty()) {
    reply["peers"] = Json::array();
    for (size_t i = 1; i < contestants.size(); ++i) {
      Json result = contestants[i]->result();
      if (phases) result["phase_us"] = contestants[i]->phases();
      reply["peers"].push_back(result);
    }
  }
  return reply;
}

}  // namespace rtmc::runner
