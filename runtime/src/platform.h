// Owns what differs between operating systems and processors: sleeping on a word, pausing, ticks, online processors.
// Refuses to own: when to sleep (team.h).
#ifndef RTM_SRC_PLATFORM_H
#define RTM_SRC_PLATFORM_H

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace rtm {

// Sleeps until wakeAll(word) if the word still has `expected`; may return early for no reason.
void sleepOn(std::atomic<uint32_t> &word, uint32_t expected);
void wakeAll(std::atomic<uint32_t> &word);

// Processors that this process may run on.
uint32_t usableProcessors();

// A counter that is read without a system call where the processor has one, and its rate. The rate is measured on the
// first call (0.2 ms on x86), so call it while a session is made, never in a step.
uint64_t ticks();
uint64_t ticksPerMicrosecond();

inline void pauseOnce() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  // `yield` is a no-op on most cores; `isb` really waits some tens of cycles.
  asm volatile("isb" ::: "memory");
#elif defined(__arm__)
  asm volatile("yield" ::: "memory");
#else
  asm volatile("" ::: "memory");
#endif
}

}  // namespace rtm

#endif
