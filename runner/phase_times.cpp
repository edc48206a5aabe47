#include "phase_times.h"

#include <algorithm>
#include <chrono>

#include "floating_point.h"
#include "walk.h"

namespace rtmc::runner {
namespace {

using Clock = std::chrono::steady_clock;

double microseconds(Clock::duration span) {
  return std::chrono::duration<double, std::micro>(span).count();
}

// What two looks at the clock take.
double clockCost() {
  double least = 1;
  for (int i = 0; i < 1000; ++i) {
    const Clock::time_point start = Clock::now();
    least = std::min(least, microseconds(Clock::now() - start));
  }
  return least;
}

using Samples = std::vector<std::vector<double>>;  // microseconds, per phase

constexpr size_t kMostSamples = 20000;  // per phase

// One pass over `job` on this thread; appends a time per phase and step.
void timedPass(const rtm_session &session, const rtm_session::Job &job, double cost, Samples &samples) {
  const rtm_model &model = *session.model;
  rtm::walk(session, job, [&](const rtm_args &args, const rtm_section &section, uint32_t phase) {
    const Clock::time_point start = Clock::now();
    for (uint32_t share = 0; share < model.shares; ++share) model.phases[phase](&args, share);
    const double span = (microseconds(Clock::now() - start) - cost) / (section.per_chunk ? double(args.steps) : 1);
    if (samples[phase].size() < kMostSamples) samples[phase].push_back(std::max(0.0, span));
  });
}

double median(std::vector<double> &values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

std::vector<double> phaseTimes(rtm_session &session, const float *in, size_t rows, size_t steps, double seconds) {
  const rtm_model &model = *session.model;
  std::vector<float> out(std::max<size_t>(1, steps * model.outputs));
  rtm_session::Job job;
  job.out = out.data();
  job.steps = steps;
  Samples samples(model.phase_count), warmUp(model.phase_count);
  const rtm::FloatingPointMode mode;
  const double cost = clockCost();
  const size_t sequences = std::max<size_t>(1, rows / steps);
  const Clock::time_point start = Clock::now();
  for (size_t pass = 0;; ++pass) {
    // Each pass starts from the zero state in copy 0, so any number of steps may be a pass.
    rtm::zeroStates(session);
    job.in = in + (pass % sequences) * steps * model.inputs;
    timedPass(session, job, cost, pass == 0 ? warmUp : samples);
    if (pass > 0 && microseconds(Clock::now() - start) >= seconds * 1e6) break;
  }
  rtm_reset(&session);
  std::vector<double> medians;
  for (std::vector<double> &phase : samples) medians.push_back(median(phase));
  return medians;
}

}  // namespace rtmc::runner
