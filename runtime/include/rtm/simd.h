// Owns: the vector types and helpers that generated C++ is written in, for one instruction set per translation unit.
// Refuses to own: kernels (codegen_templates/cpp), and anything that needs a standard header or <immintrin.h>, which
// would cost more compile time than the rest of a small model.
//
// Before including it, define exactly one of RTM_SIMD_SCALAR, RTM_SIMD_SSE2, RTM_SIMD_AVX2 (with FMA and F16C),
// RTM_SIMD_AVX512 (F, BW, DQ, VL), RTM_SIMD_NEON; and RTM_SIMD_FP16 as well for half-precision arithmetic (AVX512-FP16
// or AArch64 FP16). Instruction sets are function attributes, so no -march is needed; every function that touches a
// vector must carry RTM_TARGET, because GCC splits wide vectors in a function that does not.
//
// Results are the same bits in g++ and clang++: nothing is contracted, every fused multiply-add is written as fma().
#ifndef RTM_SIMD_H
#define RTM_SIMD_H

#include <stddef.h>
#include <stdint.h>

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
// Vectors are returned only by functions that are always inlined: no ABI depends on how.
#pragma GCC diagnostic ignored "-Wpsabi"
// A loop over the rest of a known number of entries, of which there are none, is counted wrongly by GCC 12.
#pragma GCC diagnostic ignored "-Waggressive-loop-optimizations"
#else
#error "rtm/simd.h needs GCC or Clang: it is written in their vector extensions"
#endif

// clang-format off
#if defined(RTM_SIMD_AVX512)
#define RTM_SIMD_LANES 16
#if defined(RTM_SIMD_FP16)
#define RTM_TARGET __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512fp16")))
#else
#define RTM_TARGET __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")))
#endif
#elif defined(RTM_SIMD_AVX2)
#define RTM_SIMD_LANES 8
#define RTM_TARGET __attribute__((target("avx2,fma,f16c")))
#elif defined(RTM_SIMD_SSE2)
#define RTM_SIMD_LANES 4
#define RTM_TARGET
#elif defined(RTM_SIMD_NEON)
#define RTM_SIMD_LANES 4
#if defined(RTM_SIMD_FP16) && defined(__clang__)
#define RTM_TARGET __attribute__((target("fullfp16")))
#elif defined(RTM_SIMD_FP16)
#define RTM_TARGET __attribute__((target("arch=armv8.2-a+fp16")))
#else
#define RTM_TARGET
#endif
#elif defined(RTM_SIMD_SCALAR)
#define RTM_SIMD_LANES 1
#define RTM_TARGET
#else
#error "define one of RTM_SIMD_SCALAR, _SSE2, _AVX2, _AVX512, _NEON before rtm/simd.h"
#endif
// clang-format on

#if defined(RTM_SIMD_AVX2) || defined(RTM_SIMD_AVX512) || defined(RTM_SIMD_NEON)
#define RTM_SIMD_HAS_FMA 1
#else
#define RTM_SIMD_HAS_FMA 0
#endif

/// Helpers; and functions of generated code.
#define RTM_INLINE static inline __attribute__((always_inline)) RTM_TARGET
#define RTM_KERNEL static inline RTM_TARGET

namespace rtm::simd {

// ------------------------------------------------------------------------------------------------ types
// f32x1 is a plain float, so that one text serves every width.

typedef float f32x1;
typedef uint32_t u32x1;

/// What belongs to a vector of floats: the number of its lanes, and unsigned words of the same shape.
template <class V>
struct Of;
template <>
struct Of<float> {
  static constexpr int lanes = 1;
  typedef uint32_t Word;
  typedef uint16_t Half;
};

#define RTM_SIMD_TYPES(n)                                         \
  typedef float f32x##n __attribute__((vector_size(4 * (n))));    \
  typedef int32_t i32x##n __attribute__((vector_size(4 * (n))));  \
  typedef uint32_t u32x##n __attribute__((vector_size(4 * (n)))); \
  typedef uint16_t u16x##n __attribute__((vector_size(2 * (n)))); \
  template <>                                                     \
  struct Of<f32x##n> {                                            \
    static constexpr int lanes = n;                               \
    typedef u32x##n Word;                                         \
    typedef u16x##n Half;                                         \
  };

#if RTM_SIMD_LANES >= 4
RTM_SIMD_TYPES(4)
#endif
#if RTM_SIMD_LANES >= 8
RTM_SIMD_TYPES(8)
#endif
#if RTM_SIMD_LANES >= 16
RTM_SIMD_TYPES(16)
#endif
#undef RTM_SIMD_TYPES

/// The widest vector of this instruction set.
#if RTM_SIMD_LANES == 16
typedef f32x16 f32xn;
#elif RTM_SIMD_LANES == 8
typedef f32x8 f32xn;
#elif RTM_SIMD_LANES == 4
typedef f32x4 f32xn;
#else
typedef f32x1 f32xn;
#endif

// ------------------------------------------------------------------------------------------------ memory
// Pointers need no alignment beyond their element's.

/// Asks for the cache line of an address, which need not be one that may be read.
RTM_INLINE void prefetch(const void *address) {
  __builtin_prefetch(address);
}

template <class V>
RTM_INLINE V load(const void *from) {
  V value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}

template <class V>
RTM_INLINE void store(void *to, V value) {
  __builtin_memcpy(to, &value, sizeof value);
}

/// The same float in every lane.
template <class V>
RTM_INLINE V splat(float value) {
  return value - V{};  // x - 0 is x for every x, the sign of zero included: compilers see a broadcast
}

#if defined(__clang__)
#define RTM_SIMD_NARROW(V) V  // what masked moves of 4 and 8 lanes point to
#else
#define RTM_SIMD_NARROW(V) float
#endif

/// Lanes 0 .. n-1 from memory, zero in the others; nothing behind lane n-1 is touched. 0 <= n <= lanes.
template <class V>
RTM_INLINE V loadPartial(const float *from, uint32_t n) {
#if RTM_SIMD_LANES >= 16  // a masked move, instead of a way through the stack
  if constexpr (sizeof(V) == 64) return __builtin_ia32_loadups512_mask(from, V{}, static_cast<uint16_t>((1u << n) - 1));
  [[maybe_unused]] const auto *narrow = reinterpret_cast<const RTM_SIMD_NARROW(V) *>(from);
  if constexpr (sizeof(V) == 32)
    return __builtin_ia32_loadups256_mask(narrow, V{}, static_cast<uint8_t>((1u << n) - 1));
  if constexpr (sizeof(V) == 16)
    return __builtin_ia32_loadups128_mask(narrow, V{}, static_cast<uint8_t>((1u << n) - 1));
#endif
  float lanes[Of<V>::lanes] = {};
  for (uint32_t i = 0; i < n; i++) lanes[i] = from[i];
  return load<V>(lanes);
}

template <class V>
RTM_INLINE void storePartial(float *to, V value, uint32_t n) {
#if RTM_SIMD_LANES >= 16
  if constexpr (sizeof(V) >= 16) {
    if constexpr (sizeof(V) == 64) __builtin_ia32_storeups512_mask(to, value, static_cast<uint16_t>((1u << n) - 1));
    [[maybe_unused]] auto *narrow = reinterpret_cast<RTM_SIMD_NARROW(V) *>(to);
    if constexpr (sizeof(V) == 32) __builtin_ia32_storeups256_mask(narrow, value, static_cast<uint8_t>((1u << n) - 1));
    if constexpr (sizeof(V) == 16) __builtin_ia32_storeups128_mask(narrow, value, static_cast<uint8_t>((1u << n) - 1));
    return;
  }
#endif
  float lanes[Of<V>::lanes];
  store(lanes, value);
  for (uint32_t i = 0; i < n; i++) to[i] = lanes[i];
}

// ------------------------------------------------------------------------------------------------ arithmetic
// + - * / are the compilers' own.

/// The same bits as another type of the same size.
template <class To, class From>
RTM_INLINE To bits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  __builtin_memcpy(&to, &from, sizeof to);
  return to;
}

/// mask ? a : b in every lane, where mask is the result of a comparison.
template <class Mask, class V>
RTM_INLINE V select(Mask mask, V a, V b) {
  return mask ? a : b;
}

/// a * b + c, rounded once where the instruction set can, else twice; never a call of libm.
RTM_INLINE float fma(float a, float b, float c) {
#if RTM_SIMD_HAS_FMA
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}

#if RTM_SIMD_LANES >= 4
RTM_INLINE f32x4 fma(f32x4 a, f32x4 b, f32x4 c) {
#if !RTM_SIMD_HAS_FMA
  return a * b + c;
#elif __has_builtin(__builtin_elementwise_fma)
  return __builtin_elementwise_fma(a, b, c);
#elif defined(RTM_SIMD_NEON) && !defined(__clang__)
  return __builtin_aarch64_fmav4sf(a, b, c);
#elif defined(RTM_SIMD_NEON)
  return f32x4{__builtin_fmaf(a[0], b[0], c[0]), __builtin_fmaf(a[1], b[1], c[1]), __builtin_fmaf(a[2], b[2], c[2]),
               __builtin_fmaf(a[3], b[3], c[3])};
#else
  return __builtin_ia32_vfmaddps(a, b, c);
#endif
}
#endif

#if RTM_SIMD_LANES >= 8
RTM_INLINE f32x8 fma(f32x8 a, f32x8 b, f32x8 c) {
#if __has_builtin(__builtin_elementwise_fma)
  return __builtin_elementwise_fma(a, b, c);
#else
  return __builtin_ia32_vfmaddps256(a, b, c);
#endif
}
#endif

#if RTM_SIMD_LANES >= 16
RTM_INLINE f32x16 fma(f32x16 a, f32x16 b, f32x16 c) {
#if __has_builtin(__builtin_elementwise_fma)
  return __builtin_elementwise_fma(a, b, c);
#else
  return __builtin_ia32_vfmaddps512_mask(a, b, c, -1, 4 /* the current rounding mode */);
#endif
}
#endif

// x86's instructions are just this, but GCC makes two of the comparison.
#if !defined(__clang__) && RTM_SIMD_LANES >= 4 && !defined(RTM_SIMD_NEON)
#define RTM_SIMD_GCC_X86 1
#endif

/// The smaller one, the larger one; b where a or b is NaN.
template <class V>
RTM_INLINE V minimum(V a, V b) {
#if defined(RTM_SIMD_GCC_X86)
#if RTM_SIMD_LANES >= 16
  if constexpr (sizeof(V) == 64) return __builtin_ia32_minps512_mask(a, b, V{}, -1, 4);
#endif
#if RTM_SIMD_LANES >= 8
  if constexpr (sizeof(V) == 32) return __builtin_ia32_minps256(a, b);
#endif
  if constexpr (sizeof(V) == 16) return __builtin_ia32_minps(a, b);
#endif
  return a < b ? a : b;
}
template <class V>
RTM_INLINE V maximum(V a, V b) {
#if defined(RTM_SIMD_GCC_X86)
#if RTM_SIMD_LANES >= 16
  if constexpr (sizeof(V) == 64) return __builtin_ia32_maxps512_mask(a, b, V{}, -1, 4);
#endif
#if RTM_SIMD_LANES >= 8
  if constexpr (sizeof(V) == 32) return __builtin_ia32_maxps256(a, b);
#endif
  if constexpr (sizeof(V) == 16) return __builtin_ia32_maxps(a, b);
#endif
  return a > b ? a : b;
}
template <class V>
RTM_INLINE V relu(V x) {
  return maximum(V{}, x);  // NaN stays
}
template <class V>
RTM_INLINE V absolute(V x) {
  typedef typename Of<V>::Word Word;
  return bits<V>(bits<Word>(x) & 0x7fffffffu);
}

/// The value of the first argument's lanes with the sign of the second's.
template <class V>
RTM_INLINE V withSign(V magnitude, V sign) {
  typedef typename Of<V>::Word Word;
  return bits<V>(bits<Word>(magnitude) | (bits<Word>(sign) & 0x80000000u));
}

}  // namespace rtm::simd

#include <rtm/simd_convert.h>
#include <rtm/simd_lanes.h>
#include <rtm/simd_math.h>

#endif
