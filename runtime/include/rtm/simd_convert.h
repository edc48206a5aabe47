// Owns: 16-bit weights and values: bf16 pairs, f16 to float and back, arithmetic in half precision. Included by simd.h.
#ifndef RTM_SIMD_CONVERT_H
#define RTM_SIMD_CONVERT_H

namespace rtm::simd {

// ------------------------------------------------------------------------------------------------ bf16 pairs
// A 32-bit word holds two weights. The upper one is the float that the whole word is: it was rounded with the lower
// one's bits behind it, so no mask is needed.

/// Words of which both halves are used: GCC would read them twice, as operands of two instructions.
template <class W>
RTM_INLINE W loadOnce(const void *from) {
  W words = load<W>(from);
#if defined(RTM_SIMD_GCC_X86)
#if RTM_SIMD_LANES >= 16
  __asm__("" : "+v"(words));
#else
  __asm__("" : "+x"(words));
#endif
#endif
  return words;
}
template <class V>
RTM_INLINE V lowBf16(typename Of<V>::Word pair) {
  return bits<V>(pair << 16);
}
template <class V>
RTM_INLINE V highBf16(typename Of<V>::Word pair) {
  return bits<V>(pair);
}

// ------------------------------------------------------------------------------------------------ f16 and float

/// Half to float, exact; in integers, for units without the instruction. Denormal halves do not pass through denormal
/// floats, which the caller may have switched to flush.
template <class V>
RTM_INLINE V halfToFloat(typename Of<V>::Word half) {
  typedef typename Of<V>::Word Word;
  const Word magnitude = (half & 0x7fffu) << 13;
  const Word exponent = magnitude & (0x7c00u << 13);
  const Word normal = magnitude + ((127u - 15u) << 23);
  const Word denormal = bits<Word>(bits<V>(normal + (1u << 23)) - splat<V>(0x1p-14f));
  const Word special = normal + ((128u - 16u) << 23);  // infinity and NaN keep the largest exponent
  const Word none = Word{}, top = Word{} + (0x7c00u << 13);
  const Word value = select(exponent == none, denormal, select(exponent == top, special, normal));
  return bits<V>(value | ((half & 0x8000u) << 16));
}

/// Float to half in the low 16 bits, to nearest even; overflow becomes infinity.
template <class V>
RTM_INLINE typename Of<V>::Word floatToHalf(V value) {
  typedef typename Of<V>::Word Word;
  const Word all = bits<Word>(value);
  const Word magnitude = all & 0x7fffffffu;
  // Below 2^-14: adding 0.5 leaves the halves' last place in the float's last place, correctly rounded.
  const Word small = bits<Word>(bits<V>(magnitude) + splat<V>(0.5f)) - 0x3f000000u;
  const Word normal = (magnitude + (0xfffu - (112u << 23)) + ((magnitude >> 13) & 1u)) >> 13;
  const Word none = Word{};
  const Word infinite = none + 0x7c00u, nan = none + 0x7e00u;
  const Word large = select(magnitude > none + 0x7f800000u, nan, infinite);
  const Word half =
      select(magnitude < none + (113u << 23), small, select(magnitude >= none + (143u << 23), large, normal));
  return half | ((all >> 16) & 0x8000u);
}

/// The vector of floats that `lanes` halves in memory are.
template <class V>
RTM_INLINE V loadHalf(const void *from) {
  typedef typename Of<V>::Half Half;
#if defined(RTM_SIMD_SCALAR) || defined(RTM_SIMD_SSE2)
  typedef typename Of<V>::Word Word;
  const Half half = load<Half>(from);
#if defined(RTM_SIMD_SCALAR)
  return halfToFloat<V>(static_cast<Word>(half));
#else
  if constexpr (Of<V>::lanes == 1)
    return halfToFloat<V>(static_cast<Word>(half));
  else
    return halfToFloat<V>(__builtin_convertvector(half, Word));
#endif
#else
  if constexpr (Of<V>::lanes == 1) {
    return halfToFloat<V>(load<Half>(from));
  } else if constexpr (Of<V>::lanes == 4) {
#if defined(RTM_SIMD_NEON)
    typedef __fp16 F16 __attribute__((vector_size(8)));
#if defined(__clang__)
    return __builtin_convertvector(load<F16>(from), f32x4);
#else
    return __builtin_aarch64_float_extend_lo_v4sf(load<F16>(from));  // GCC would convert lane by lane
#endif
#else
    typedef short I16x8 __attribute__((vector_size(16)));
    typedef long long I64x2 __attribute__((vector_size(16)));
    return __builtin_ia32_vcvtph2ps(bits<I16x8>(I64x2{load<long long>(from), 0}));
#endif
  }
#if RTM_SIMD_LANES >= 8
  else if constexpr (Of<V>::lanes == 8) {
    typedef short I16x8 __attribute__((vector_size(16)));
    return __builtin_ia32_vcvtph2ps256(load<I16x8>(from));
  }
#endif
#if RTM_SIMD_LANES >= 16
  else {
    typedef short I16x16 __attribute__((vector_size(32)));
    return __builtin_ia32_vcvtph2ps512_mask(load<I16x16>(from), f32x16{}, -1, 4);
  }
#endif
#endif
}

/// Halves of all lanes to memory, to nearest even.
template <class V>
RTM_INLINE void storeHalf(void *to, V value) {
#if defined(RTM_SIMD_NEON)
  if constexpr (Of<V>::lanes == 4) {
    typedef __fp16 F16 __attribute__((vector_size(8)));
#if defined(__clang__)
    store(to, __builtin_convertvector(value, F16));
#else
    store(to, bits<F16>(__builtin_aarch64_float_truncate_lo_v4hf(value)));
#endif
    return;
  }
#elif RTM_SIMD_LANES >= 8
  // 4: round as MXCSR says, which is to nearest even
  if constexpr (Of<V>::lanes == 4) {
    typedef long long I64x2 __attribute__((vector_size(16)));
    store(to, bits<I64x2>(__builtin_ia32_vcvtps2ph(value, 4))[0]);
    return;
  } else if constexpr (Of<V>::lanes == 8) {
    store(to, __builtin_ia32_vcvtps2ph256(value, 4));
    return;
  }
#endif
#if RTM_SIMD_LANES >= 16
  if constexpr (Of<V>::lanes == 16) {
    typedef short I16x16 __attribute__((vector_size(32)));
    store(to, __builtin_ia32_vcvtps2ph512_mask(value, 4, I16x16{}, -1));
    return;
  }
#endif
  const auto half = floatToHalf<V>(value);
  if constexpr (Of<V>::lanes == 1) store(to, static_cast<uint16_t>(half));
#if RTM_SIMD_LANES == 4
  else
    store(to, __builtin_convertvector(half, typename Of<V>::Half));
#endif
}

template <class V>
RTM_INLINE void storeHalfPartial(void *to, V value, uint32_t n) {
  uint16_t lanes[Of<V>::lanes];
  storeHalf(lanes, value);
  for (uint32_t i = 0; i < n; i++) __builtin_memcpy(static_cast<unsigned char *>(to) + 2 * i, lanes + i, 2);
}

// ------------------------------------------------------------------------------------------------ half precision
#if defined(RTM_SIMD_FP16)

#if defined(__aarch64__) && !defined(__clang__) && __GNUC__ < 13
typedef __fp16 f16;  // C++ has no _Float16 there yet; the vectors' arithmetic is the same
#else
typedef _Float16 f16;
#endif
typedef f16 f16x8 __attribute__((vector_size(16)));
#if RTM_SIMD_LANES >= 16
typedef f16 f16x16 __attribute__((vector_size(32)));
typedef f16 f16x32 __attribute__((vector_size(64)));
#endif
#if defined(RTM_SIMD_NEON)
typedef f16 f16x4 __attribute__((vector_size(8)));
#else
// x86 has no shorter unit: the lower four lanes of f16x8.
struct f16x4 {
  f16x8 lanes;
};
#endif

/// The type of n halves.
template <int n>
struct Halves;
template <>
struct Halves<4> {
  typedef f16x4 Type;
};
template <>
struct Halves<8> {
  typedef f16x8 Type;
};
#if RTM_SIMD_LANES >= 16
template <>
struct Halves<16> {
  typedef f16x16 Type;
};
template <>
struct Halves<32> {
  typedef f16x32 Type;
};
#endif

RTM_INLINE f16x8 fma(f16x8 a, f16x8 b, f16x8 c) {
#if __has_builtin(__builtin_elementwise_fma)
  return __builtin_elementwise_fma(a, b, c);
#elif defined(RTM_SIMD_NEON) && !defined(__clang__)
  return __builtin_aarch64_fmav8hf(a, b, c);
#elif defined(RTM_SIMD_NEON)
  f16x8 r;
  for (int i = 0; i < 8; i++) r[i] = __builtin_fmaf16(a[i], b[i], c[i]);
  return r;
#elif defined(__clang__)
  return __builtin_ia32_vfmaddph(a, b, c);
#else
  return __builtin_ia32_vfmaddph128_mask(a, b, c, -1);
#endif
}
#if defined(RTM_SIMD_NEON)
RTM_INLINE f16x4 fma(f16x4 a, f16x4 b, f16x4 c) {
#if __has_builtin(__builtin_elementwise_fma)
  return __builtin_elementwise_fma(a, b, c);
#elif !defined(__clang__)
  return __builtin_aarch64_fmav4hf(a, b, c);
#else
  f16x4 r;
  for (int i = 0; i < 4; i++) r[i] = __builtin_fmaf16(a[i], b[i], c[i]);
  return r;
#endif
}
#else
RTM_INLINE f16x4 fma(f16x4 a, f16x4 b, f16x4 c) {
  return {fma(a.lanes, b.lanes, c.lanes)};
}
RTM_INLINE f16x4 operator*(f16x4 a, f16x4 b) {
  return {a.lanes * b.lanes};
}
RTM_INLINE f16x16 fma(f16x16 a, f16x16 b, f16x16 c) {
#if __has_builtin(__builtin_elementwise_fma)
  return __builtin_elementwise_fma(a, b, c);
#elif defined(__clang__)
  return __builtin_ia32_vfmaddph256(a, b, c);
#else
  return __builtin_ia32_vfmaddph256_mask(a, b, c, -1);
#endif
}
RTM_INLINE f16x32 fma(f16x32 a, f16x32 b, f16x32 c) {
#if __has_builtin(__builtin_elementwise_fma)
  return __builtin_elementwise_fma(a, b, c);
#else
  return __builtin_ia32_vfmaddph512_mask(a, b, c, -1, 4);
#endif
}
#endif

template <class H>
RTM_INLINE H splatHalf(f16 value) {
  typedef uint16_t Words __attribute__((vector_size(sizeof(H))));
  return bits<H>(bits<uint16_t>(value) + Words{});
}

template <class H>
RTM_INLINE H loadHalves(const void *from) {
#if !defined(RTM_SIMD_NEON)
  if constexpr (__is_same(H, f16x4)) {
    typedef long long I64x2 __attribute__((vector_size(16)));
    return {bits<f16x8>(I64x2{load<long long>(from), 0})};
  } else
#endif
    return load<H>(from);
}

/// Lanes part * n .. part * n + n - 1 of `halves` as floats, where V has n lanes.
template <class V, int part, class H>
RTM_INLINE V widen(H halves) {
#if defined(RTM_SIMD_NEON)
#if !defined(__clang__)  // GCC converts lane by lane
  if constexpr (sizeof(H) == 8)
    return __builtin_aarch64_float_extend_lo_v4sf(halves);
  else if constexpr (part == 0)
    return __builtin_aarch64_float_extend_lo_v4sf(load<f16x4>(&halves));
  else
    return __builtin_aarch64_vec_unpacks_hi_v8hf(halves);
#else
  if constexpr (sizeof(H) == 8)
    return __builtin_convertvector(halves, f32x4);
  else
    return __builtin_convertvector(
        __builtin_shufflevector(halves, halves, 4 * part, 4 * part + 1, 4 * part + 2, 4 * part + 3), f32x4);
#endif
#else
  typedef short I16x8 __attribute__((vector_size(16)));
  typedef short I16x16 __attribute__((vector_size(32)));
  typedef long long I64x2 __attribute__((vector_size(16)));
  typedef long long I64x4 __attribute__((vector_size(32)));
  typedef long long I64x8 __attribute__((vector_size(64)));
  if constexpr (__is_same(H, f16x4)) {
    return __builtin_ia32_vcvtph2ps(bits<I16x8>(halves.lanes));
  } else if constexpr (Of<V>::lanes == 4) {
    const I64x2 v = bits<I64x2>(halves);
    return __builtin_ia32_vcvtph2ps(bits<I16x8>(I64x2{v[part], 0}));
  } else if constexpr (sizeof(H) == 16) {
    return __builtin_ia32_vcvtph2ps256(bits<I16x8>(halves));
  } else if constexpr (Of<V>::lanes == 8) {
    const I64x4 v = bits<I64x4>(halves);
    return __builtin_ia32_vcvtph2ps256(bits<I16x8>(__builtin_shufflevector(v, v, 2 * part, 2 * part + 1)));
  } else if constexpr (sizeof(H) == 32) {
    return __builtin_ia32_vcvtph2ps512_mask(bits<I16x16>(halves), f32x16{}, -1, 4);
  } else {
    const I64x8 v = bits<I64x8>(halves);
    return __builtin_ia32_vcvtph2ps512_mask(
        bits<I16x16>(__builtin_shufflevector(v, v, 4 * part, 4 * part + 1, 4 * part + 2, 4 * part + 3)), f32x16{}, -1,
        4);
  }
#endif
}
#endif  // RTM_SIMD_FP16

}  // namespace rtm::simd
#endif
