#include "platform.h"

#include <time.h>
#include <unistd.h>

#if defined(__linux__)
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#else
#include <pthread.h>
#endif

namespace rtm {

static_assert(std::atomic<uint32_t>::is_always_lock_free && sizeof(std::atomic<uint32_t>) == 4,
              "a futex word is a plain 32-bit integer");

#if defined(__linux__) && (defined(SYS_futex) || defined(SYS_futex_time64))
#if defined(SYS_futex)
static constexpr long kFutex = SYS_futex;
#else
static constexpr long kFutex = SYS_futex_time64;
#endif

void sleepOn(std::atomic<uint32_t> &word, uint32_t expected) {
  syscall(kFutex, &word, FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}

void wakeAll(std::atomic<uint32_t> &word) {
  syscall(kFutex, &word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}
#else
// One lock for the process. It is only taken by threads that have given up spinning, and held for a few instructions.
static pthread_mutex_t sleepMutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t sleepCondition = PTHREAD_COND_INITIALIZER;

void sleepOn(std::atomic<uint32_t> &word, uint32_t expected) {
  pthread_mutex_lock(&sleepMutex);
  if (word.load(std::memory_order_acquire) == expected) pthread_cond_wait(&sleepCondition, &sleepMutex);
  pthread_mutex_unlock(&sleepMutex);
}

void wakeAll(std::atomic<uint32_t> &) {
  pthread_mutex_lock(&sleepMutex);
  pthread_cond_broadcast(&sleepCondition);
  pthread_mutex_unlock(&sleepMutex);
}
#endif

uint32_t usableProcessors() {
#if defined(__linux__) && defined(CPU_COUNT)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
    return static_cast<uint32_t>(CPU_COUNT(&set));
#endif
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? static_cast<uint32_t>(online) : 1;
}

#if !defined(__aarch64__)
static uint64_t nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}
#endif

#if defined(__x86_64__) || defined(__i386__)
uint64_t ticks() {
  return __builtin_ia32_rdtsc();
}

uint64_t ticksPerMicrosecond() {
  static std::atomic<uint64_t> rate{0};
  uint64_t known = rate.load(std::memory_order_relaxed);
  if (known != 0) return known;
  const uint64_t firstTime = nanoseconds(), firstTick = ticks();
  uint64_t elapsed = 0;
  while (elapsed < 200000) elapsed = nanoseconds() - firstTime;
  known = (ticks() - firstTick) * 1000 / elapsed;
  if (known == 0) known = 1;
  rate.store(known, std::memory_order_relaxed);
  return known;
}
#elif defined(__aarch64__)
uint64_t ticks() {
  uint64_t value;
  asm volatile("mrs %0, cntvct_el0" : "=r"(value));
  return value;
}

uint64_t ticksPerMicrosecond() {
  uint64_t hertz;
  asm volatile("mrs %0, cntfrq_el0" : "=r"(hertz));
  return hertz < 1000000 ? 1 : hertz / 1000000;
}
#else
uint64_t ticks() {
  return nanoseconds();
}
uint64_t ticksPerMicrosecond() {
  return 1000;
}
#endif

}  // namespace rtm
