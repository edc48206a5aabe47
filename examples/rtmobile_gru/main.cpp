// Runs one compiled rate of the reference network: prints its sizes and the time per step of random features.
#include MODEL_HEADER

#include <rtm/rtm.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

int main() {
  const auto info = rtm::describe(MODEL());
  const auto weights = rtm::Weights::create(MODEL());  // one copy on huge pages: read faster than in place
  auto session = rtm::Session::create(MODEL(), {.weights = weights ? &*weights : nullptr});
  if (!session) {
    std::fprintf(stderr, "no session: %s\n", session.message());
    return 1;
  }

  constexpr size_t kSteps = 50;
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> in(kSteps * info->inputs), out(kSteps * info->outputs), stepped(out.size());
  for (float &value : in) value = normal(random);

  double best = 1e30;
  for (int repetition = 0; repetition < 40; ++repetition) {
    session->reset();
    const auto begin = std::chrono::steady_clock::now();
    if (session->run(in, out) != RTM_OK) return 1;
    const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - begin;
    best = std::min(best, time.count() / kSteps);
  }
  std::printf("%s: %u -> %u, %s, %.2f MB of weights, %.2f us per step (%zu steps a call)\n", info->name, info->inputs,
              info->outputs, info->precision, double(info->weight_bytes) / 1e6, best, kSteps);

  // Step by step gives the same bits as a whole run.
  session->reset();
  for (size_t step = 0; step < kSteps; ++step) {
    session->step(std::span(in).subspan(step * info->inputs, info->inputs),
                  std::span(stepped).subspan(step * info->outputs, info->outputs));
  }
  const bool same = stepped == out;
  const bool finite = std::all_of(out.begin(), out.end(), [](float value) { return std::isfinite(value); });
  if (!same) std::fprintf(stderr, "step and run differ\n");
  if (!finite) std::fprintf(stderr, "outputs are not finite\n");
  return same && finite ? 0 : 1;
}
