// Owns the threads of one session and how they meet: one line per member, a barrier, sleep and wake.
// Refuses to own: what is run between two barriers (execute.cpp).
//
// Every member publishes how far it has come (an epoch) in a word of its own and reads the others' words. Nobody shares
// a word for writing, so two spinning members meet after one transfer of a cache line; a shared counter needs two.
// Word = epoch * 2 + (1 while somebody sleeps on it); epochs wrap, their differences do not.
#ifndef RTM_SRC_TEAM_H
#define RTM_SRC_TEAM_H

#include <pthread.h>
#include <rtm/rtm.h>

#include <atomic>
#include <cstdint>

namespace rtm {

// `word` has a cache line of its own; the rest is this member's alone, or read-only after the start.
struct alignas(64) Member {
  std::atomic<uint32_t> word{0};
  char padding[60];
  void *owner = nullptr;
  uint32_t index = 0;
  uint64_t spinTicks = 0;  // how long it spins inside a call: less after spinning was in vain
  pthread_t thread{};
};

// The members live in the session's memory, behind this struct's owner; member 0 is the caller.
struct Team {
  Member *members = nullptr;
  uint32_t size = 1;
  uint64_t idleSpinTicks = 0;                              // between calls
  uint64_t leastWorkSpinTicks = 0, mostWorkSpinTicks = 0;  // inside a call, where the others are about to arrive
};

// Fills members 0..size-1 and starts a thread in `run(Member *)` for each but the caller's. Returns how many members
// there are then, the caller included; fewer than `size` when a thread could not be started.
uint32_t startWorkers(Team &team, void *(*run)(void *member), void *owner, uint32_t spinMicroseconds);
// Waits for the end of workers 1..count-1, which must have been told to return.
void joinWorkers(Team &team, uint32_t count);

// Tells that `index` has reached `epoch`; everything it wrote before is seen by whoever waits for that.
void publish(Team &team, uint32_t index, uint32_t epoch);
// Waits until `index` has reached `epoch`; false if it had to sleep.
bool waitFor(Team &team, uint32_t index, uint32_t epoch, uint64_t spinTicks);
// Waits until all others have, as one barrier of a call. Spinning is worth it while every member has a processor; when
// another program takes one away, whoever spins keeps the member that it waits for from running. Which of both holds is
// learnt: spinning in vain halves the time, success raises it by an eighth.
void waitForOthers(Team &team, uint32_t self, uint32_t epoch);

}  // namespace rtm

#endif
