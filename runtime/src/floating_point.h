// Owns the floating-point mode inside a call: round to nearest, denormals flushed, no traps. Header only, so that the
// runner times phases under the same mode. Refuses to own: contraction, which is the generated code's matter.
#ifndef RTM_SRC_FLOATING_POINT_H
#define RTM_SRC_FLOATING_POINT_H

#include <cstdint>

namespace rtm {

// Sets the mode for its lifetime and restores the caller's, flags included.
class FloatingPointMode {
 public:
#if defined(__x86_64__) || (defined(__i386__) && defined(__SSE__))
  FloatingPointMode() : saved_(__builtin_ia32_stmxcsr()) {
    // Flush to zero (15), denormals are zero (6), every exception masked (7 to 12), round to nearest (13, 14 clear).
    __builtin_ia32_ldmxcsr((1u << 15) | (1u << 6) | (0x3fu << 7));
  }
  ~FloatingPointMode() { __builtin_ia32_ldmxcsr(static_cast<unsigned>(saved_)); }
#elif defined(__aarch64__)
  FloatingPointMode() {
    asm volatile("mrs %0, fpcr" : "=r"(saved_)::"memory");
    asm volatile("mrs %0, fpsr" : "=r"(flags_)::"memory");
    // FZ (24) alone: round to nearest, no traps, IEEE halves. FZ16 stays clear: stored half weights keep denormals.
    const uint64_t mode = uint64_t{1} << 24;
    asm volatile("msr fpcr, %0" ::"r"(mode) : "memory");
  }
  ~FloatingPointMode() {
    asm volatile("msr fpcr, %0" ::"r"(saved_) : "memory");
    asm volatile("msr fpsr, %0" ::"r"(flags_) : "memory");
  }
#else
  FloatingPointMode() : saved_(0) {}
  ~FloatingPointMode() { static_cast<void>(saved_); }
#endif
  FloatingPointMode(const FloatingPointMode &) = delete;
  FloatingPointMode &operator=(const FloatingPointMode &) = delete;

 private:
  uint64_t saved_;
#if defined(__aarch64__)
  uint64_t flags_;
#endif
};

}  // namespace rtm

#endif
