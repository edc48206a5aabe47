#include "phase_times.h"

#include <rtm/abi.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "failure.h"
#include "floating_point.h"
#include "weights.h"

namespace rtmc::runner {
namespace {

using Clock = std::chrono::steady_clock;

double microseconds(Clock::duration span) {
  return std::chrono::duration<double, std::micro>(span).count();
}

struct Free {
  void operator()(void *memory) const { std::free(memory); }
};

// What two looks at the clock take.
double clockCost() {
  double least = 1;
  for (int i = 0; i < 1000; ++i) {
    const Clock::time_point start = Clock::now();
    least = std::min(least, microseconds(Clock::now() - start));
  }
  return least;
}

// The model's buffers as a session has them.
class Buffers {
 public:
  Buffers(const rtm_model &model, size_t steps) : model_(model) {
    const size_t bytes = static_cast<size_t>(model.buffer_bytes + model.step_bytes * steps);
    const size_t rounded = std::max<size_t>(64, (bytes + 63) / 64 * 64);
    memory_.reset(static_cast<unsigned char *>(std::aligned_alloc(64, rounded)));
    if (!memory_) throw Failure("out of memory");
    std::memset(memory_.get(), 0, rounded);
    for (uint32_t i = 0; i < model.init_count; ++i) {
      const rtm_init_slot &slot = model.inits[i];
      std::memcpy(memory_.get() + slot.offset, slot.values, size_t{slot.count} * sizeof(float));
    }
  }

  void zeroStates() {
    for (uint32_t i = 0; i < model_.state_count; ++i) {
      const rtm_state_slot &slot = model_.states[i];
      std::memset(memory_.get() + slot.offset, 0, size_t{slot.count} * sizeof(float));
      std::memset(memory_.get() + slot.offset + slot.parity_stride, 0, size_t{slot.count} * sizeof(float));
    }
  }
  unsigned char *get() const { return memory_.get(); }

 private:
  const rtm_model &model_;
  std::unique_ptr<unsigned char, Free> memory_;
};

constexpr size_t kMostSamples = 20000;  // per phase

// One pass over `args.in`; appends a time per phase and step.
void timedPass(const rtm_model &model, rtm_args args, size_t steps, double cost,
               std::vector<std::vector<double>> &samples) {
  const size_t chunk = model.causal ? std::max<size_t>(1, model.chunk) : steps;
  const float *const in = args.in;
  float *const out = args.out;
  for (size_t begin = 0; begin < steps; begin += chunk) {
    args.in = in + begin * model.inputs;
    args.out = out + begin * model.outputs;
    args.steps = std::min(chunk, steps - begin);
    for (uint32_t s = 0; s < model.section_count; ++s) {
      const rtm_section &section = model.sections[s];
      args.parity = static_cast<uint32_t>(begin & 1);
      const size_t times = section.per_chunk ? 1 : args.steps;
      for (size_t i = 0; i < times; ++i) {
        args.step = section.backward ? times - 1 - i : i;
        for (uint32_t p = section.first_phase; p < section.first_phase + section.phase_count; ++p) {
          const Clock::time_point start = Clock::now();
          for (uint32_t share = 0; share < model.shares; ++share) model.phases[p](&args, share);
          const double span =
              (microseconds(Clock::now() - start) - cost) / (section.per_chunk ? double(args.steps) : 1);
          if (samples[p].size() < kMostSamples) samples[p].push_back(std::max(0.0, span));
        }
        args.parity ^= 1;
      }
    }
  }
}

double median(std::vector<double> &values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

std::vector<double> phaseTimes(const rtm_model *model, const rtm_weights *weights, const float *in, size_t rows,
                               size_t steps, double seconds) {
  Buffers buffers(*model, steps);
  std::vector<float> out(std::max<size_t>(1, steps * model->outputs));
  rtm_args args{};
  args.buffers = buffers.get();
  args.weights = weights ? rtm::arenaData(*weights) : model->weights;
  args.out = out.data();
  args.max_steps = steps;
  std::vector<std::vector<double>> samples(model->phase_count), warmUp(model->phase_count);
  const rtm::FloatingPointMode mode;
  const double cost = clockCost();
  const size_t sequences = std::max<size_t>(1, rows / steps);
  const Clock::time_point start = Clock::now();
  for (size_t pass = 0;; ++pass) {
    // Each pass starts from the zero state in copy 0, so any number of steps may be a pass.
    buffers.zeroStates();
    args.in = in + (pass % sequences) * steps * model->inputs;
    timedPass(*model, args, steps, cost, pass == 0 ? warmUp : samples);
    if (pass > 0 && microseconds(Clock::now() - start) >= seconds * 1e6) break;
  }
  std::vector<double> medians;
  for (std::vector<double> &phase : samples) medians.push_back(median(phase));
  return medians;
}

}  // namespace rtmc::runner
