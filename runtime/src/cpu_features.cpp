#include "cpu_features.h"

#include <rtm/abi.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace rtm {

#if defined(__x86_64__) || defined(__i386__)
namespace {
bool has(uint32_t word, unsigned bit) {
  return (word >> bit & 1) != 0;
}
bool hasAll(uint32_t word, uint32_t mask) {
  return (word & mask) == mask;
}

// Which register files the operating system saves on a task switch (XCR0).
uint32_t savedRegisters() {
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}
}  // namespace

uint32_t cpuFeatures() {
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, 27)) return 0;  // OSXSAVE
  const bool fma = has(c, 12), f16c = has(c, 29), avx = has(c, 28);
  const uint32_t saved = savedRegisters();
  if (!avx || !hasAll(saved, 0x6)) return 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  const uint32_t subleaves = a, leaf7b = b, leaf7d = d;
  uint32_t found = 0;
  if (fma && f16c && has(leaf7b, 5)) found |= RTM_CPU_AVX2;
  const uint32_t foundation = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // F, DQ, BW, VL
  if (!(found & RTM_CPU_AVX2) || !hasAll(saved, 0xe6) || !hasAll(leaf7b, foundation)) return found;
  found |= RTM_CPU_AVX512;
  if (has(leaf7d, 23)) found |= RTM_CPU_AVX512FP16;
  if (subleaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && has(a, 5)) found |= RTM_CPU_AVX512BF16;
  return found;
}
#elif defined(__aarch64__) && defined(__linux__)
uint32_t cpuFeatures() {
  const unsigned long capabilities = getauxval(AT_HWCAP);
  const unsigned long scalarHalf = 1ul << 9, vectorHalf = 1ul << 10;  // HWCAP_FPHP, HWCAP_ASIMDHP
  return (capabilities & scalarHalf) && (capabilities & vectorHalf) ? RTM_CPU_NEON_FP16 : 0;
}
#elif defined(__aarch64__) && defined(__APPLE__)
uint32_t cpuFeatures() {
  return RTM_CPU_NEON_FP16;
}  // every AArch64 processor of this system has it
#else
uint32_t cpuFeatures() {
  return 0;
}
#endif

}  // namespace rtm
