#include "measure_barrier.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "platform.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace rtmc::runner {
namespace {

using Clock = std::chrono::steady_clock;

/// Keeps the calling thread on the first or the second of its processors, and gives it back all of them at the end.
class Pinned {
 public:
  explicit Pinned(int which) {
#if defined(__linux__)
    saved_ = sched_getaffinity(0, sizeof all_, &all_) == 0;
    if (!saved_) return;
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &all_) && which-- == 0) CPU_SET(cpu, &one);
    if (CPU_COUNT(&one) == 1) sched_setaffinity(0, sizeof one, &one);
#else
    (void)which;
#endif
  }
  Pinned(const Pinned &) = delete;
  Pinned &operator=(const Pinned &) = delete;
  ~Pinned() {
#if defined(__linux__)
    if (saved_) sched_setaffinity(0, sizeof all_, &all_);
#endif
  }

 private:
#if defined(__linux__)
  cpu_set_t all_;
  bool saved_ = false;
#endif
};

/// As in the runtime: each publishes how often it has arrived and spins until the other has, too.
class Meeting {
 public:
  /// False: ended.
  bool meet(int self, uint32_t round) {
    words_[self].arrived.store(round, std::memory_order_release);
    uint32_t spins = 0;
    while (static_cast<int32_t>(words_[1 - self].arrived.load(std::memory_order_acquire) - round) < 0) {
      if (ends_.load(std::memory_order_relaxed)) return false;
      if (++spins > 64) rtm::pauseOnce();
    }
    return true;
  }
  void end() { ends_.store(true, std::memory_order_relaxed); }

 private:
  struct alignas(128) Word {
    std::atomic<uint32_t> arrived{0};
  };
  Word words_[2];
  alignas(128) std::atomic<bool> ends_{false};
};

/// Best time of one round in ns, in which both threads run `work(self, round)` and then meet.
template <class Work>
double roundNs(double budget, const Work &work) {
  constexpr uint32_t kBatch = 32;
  Meeting meeting;
  std::thread other([&] {
    const Pinned pinned(1);
    uint32_t round = 0;
    do work(1, ++round);
    while (meeting.meet(1, round));
  });
  double best = 1e18;
  {
    const Pinned pinned(0);
    uint32_t round = 0;
    double seconds = 0;
    for (const auto start = Clock::now(); seconds < budget || (best > kBusyBarrierNs && seconds < 10 * budget);) {
      const auto begin = Clock::now();
      for (uint32_t i = 0; i < kBatch; ++i) {
        work(0, ++round);
        meeting.meet(0, round);
      }
      const auto end = Clock::now();
      best = std::min(best, std::chrono::duration<double, std::nano>(end - begin).count() / kBatch);
      seconds = std::chrono::duration<double>(end - start).count();
    }
  }
  meeting.end();
  other.join();
  return best;
}

constexpr uint32_t kFloatsPerLine = 16, kLines = 32;

/// Two halves, and what they become in the next round.
struct Halves {
  alignas(128) float values[2][2][kLines * kFloatsPerLine] = {};

  void step(int self, uint32_t round) {
    const float *theirs = values[round & 1][1 - self], *mine = values[round & 1][self];
    float *next = values[~round & 1][self];
    float sums[kFloatsPerLine] = {};
    for (uint32_t i = 0; i < kLines * kFloatsPerLine; ++i) sums[i % kFloatsPerLine] += theirs[i];
    for (uint32_t i = 0; i < kLines * kFloatsPerLine; ++i) next[i] = mine[i] + sums[i % kFloatsPerLine];
  }
};

}  // namespace

double barrierNs(double budget) {
  return roundNs(budget, [](int, uint32_t) {});
}

double handoverNs(double budget) {
  Halves shared, own[2];
  const double alone = roundNs(budget / 2, [&](int self, uint32_t round) { own[self].step(0, round); });
  const double together = roundNs(budget / 2, [&](int self, uint32_t round) { shared.step(self, round); });
  return (together - alone) / kLines;
}

}  // namespace rtmc::runner
