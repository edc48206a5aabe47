// Runs Lyra's GRU cell and its three big matrices on random inputs and prints the time per step of each.
#include "lyra_conv_to_gates.h"
#include "lyra_gru.h"
#include "lyra_gru_layer.h"
#include "lyra_proj.h"

#include <rtm/rtm.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

namespace {

constexpr size_t kSteps = 100;
// The cell's inputs: what the conditioning stack gives, then samples of sound in [-1, 1), whose weights are large.
constexpr size_t kConditioning = 1024, kSamples = 4;
constexpr float kLoudness = 0.005f;

/// False: something went wrong, and was said.
bool runModel(const rtm_model *model) {
  const auto info = rtm::describe(model);
  const auto weights = rtm::Weights::create(model);
  auto session = rtm::Session::create(model, {.weights = weights ? &*weights : nullptr});
  if (!session) {
    std::fprintf(stderr, "no session: %s\n", session.message());
    return false;
  }
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> in(kSteps * info->inputs), out(kSteps * info->outputs);
  for (size_t i = 0; i < in.size(); ++i) {
    in[i] = normal(random);
    if (info->inputs == kConditioning + kSamples && i % info->inputs >= kConditioning) in[i] *= kLoudness;
  }

  double best = 1e30;
  for (int repetition = 0; repetition < 40; ++repetition) {
    session->reset();
    const auto begin = std::chrono::steady_clock::now();
    for (size_t step = 0; step < kSteps; ++step) {
      session->step(std::span(in).subspan(step * info->inputs, info->inputs),
                    std::span(out).subspan(step * info->outputs, info->outputs));
    }
    const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - begin;
    best = std::min(best, time.count() / kSteps);
  }
  std::printf("%-18s %4u -> %4u  %s  %7.1f KB  %7.2f us per step\n", info->name, info->inputs, info->outputs,
              info->precision, double(info->weight_bytes) / 1e3, best);
  const bool finite = std::all_of(out.begin(), out.end(), [](float value) { return std::isfinite(value); });
  if (!finite) std::fprintf(stderr, "%s: outputs are not finite\n", info->name);
  return finite;
}

}  // namespace

int main() {
  bool ok = true;
  for (const rtm_model *model :
       {lyra_gru_model(), lyra_gru_layer_model(), lyra_conv_to_gates_model(), lyra_proj_model()})
    ok = runModel(model) && ok;
  return ok ? 0 : 1;
}
