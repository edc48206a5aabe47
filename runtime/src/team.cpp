#include "team.h"

#include <signal.h>

#include <cstddef>
#include <new>

#include "platform.h"

namespace rtm {
namespace {

constexpr uint32_t kSleeper = 1;
constexpr uint32_t kDefaultSpinMicroseconds = 50;
// Inside a call the others arrive within a phase, which sleeping would only delay.
constexpr uint32_t kMostWorkSpinMicroseconds = 200, kLeastWorkSpinMicroseconds = 2;
constexpr uint32_t kBareLoads = 64;       // before the first pause
constexpr uint32_t kPausesPerClock = 16;  // between looks at the clock
constexpr size_t kStackBytes = 1u << 20;

bool reached(uint32_t word, uint32_t epoch) {
  return static_cast<int32_t>((word & ~kSleeper) - (epoch << 1)) >= 0;
}

bool startOne(Member &member, void *(*run)(void *)) {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  // A failure leaves the system's default, which is larger.
  static_cast<void>(pthread_attr_setstacksize(&attributes, kStackBytes));
  const bool started = pthread_create(&member.thread, &attributes, run, &member) == 0;
  pthread_attr_destroy(&attributes);
  return started;
}

}  // namespace

uint32_t startWorkers(Team &team, void *(*run)(void *member), void *owner, uint32_t spinMicroseconds) {
  for (uint32_t i = 0; i < team.size; ++i) {
    Member *member = new (&team.members[i]) Member;
    member->owner = owner;
    member->index = i;
  }
  if (team.size == 1) return 1;
  const uint64_t spin = spinMicroseconds ? spinMicroseconds : kDefaultSpinMicroseconds;
  // With more threads than processors whoever spins keeps another from working.
  if (usableProcessors() >= team.size) {
    team.idleSpinTicks = spin * ticksPerMicrosecond();
    team.leastWorkSpinTicks = kLeastWorkSpinMicroseconds * ticksPerMicrosecond();
    team.mostWorkSpinTicks =
        (spin > kMostWorkSpinMicroseconds ? spin : kMostWorkSpinMicroseconds) * ticksPerMicrosecond();
  }
  for (uint32_t i = 0; i < team.size; ++i) team.members[i].spinTicks = team.mostWorkSpinTicks;
  // Workers inherit a mask that leaves all of the program's signals to its own threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  uint32_t running = 1;
  while (running < team.size && startOne(team.members[running], run)) ++running;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return running;
}

void joinWorkers(Team &team, uint32_t count) {
  for (uint32_t i = 1; i < count; ++i) pthread_join(team.members[i].thread, nullptr);
}

void publish(Team &team, uint32_t index, uint32_t epoch) {
  std::atomic<uint32_t> &word = team.members[index].word;
  const uint32_t before = word.exchange(epoch << 1, std::memory_order_acq_rel);
  if (before & kSleeper) wakeAll(word);
}

bool waitFor(Team &team, uint32_t index, uint32_t epoch, uint64_t spinTicks) {
  std::atomic<uint32_t> &word = team.members[index].word;
  for (uint32_t i = 0; i < kBareLoads; ++i) {
    if (reached(word.load(std::memory_order_acquire), epoch)) return true;
  }
  const uint64_t start = ticks();
  do {
    for (uint32_t i = 0; i < kPausesPerClock; ++i) {
      pauseOnce();
      if (reached(word.load(std::memory_order_acquire), epoch)) return true;
    }
  } while (ticks() - start < spinTicks);
  for (;;) {
    uint32_t seen = word.load(std::memory_order_acquire);
    if (reached(seen, epoch)) return false;
    if (!(seen & kSleeper) && !word.compare_exchange_strong(seen, seen | kSleeper, std::memory_order_acq_rel)) continue;
    sleepOn(word, seen | kSleeper);
  }
}

void waitForOthers(Team &team, uint32_t self, uint32_t epoch) {
  uint64_t &spin = team.members[self].spinTicks;
  for (uint32_t i = 0; i < team.size; ++i) {
    if (i == self) continue;
    if (waitFor(team, i, epoch, spin)) {
      const uint64_t more = spin + spin / 8;
      spin = more < team.mostWorkSpinTicks ? more : team.mostWorkSpinTicks;
    } else {
      spin = spin / 2 > team.leastWorkSpinTicks ? spin / 2 : team.leastWorkSpinTicks;
    }
  }
}

}  // namespace rtm
