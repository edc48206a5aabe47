// Owns: exp, sigmoid and tanh in every lane at float accuracy, without tables, branches or libm. Included by simd.h.
//
// All three share expm1 of a reduced argument: x = k ln 2 + r with |r| <= ln 2 / 2 (Cody and Waite: ln 2 in two parts,
// the first short enough that k times it is exact), and exp(r) = 1 + r + r^2 p(r), p a minimax polynomial of degree 4
// whose error relative to exp(r) - 1 is 0.23 * 2^-24. Adding the 1 only where it is needed keeps small results exact.
// Bounds over all floats, measured against double (tests/unit/simd): exp 1.1 ulp, sigmoid 2.5, tanh 2.6. The
// instruction set decides about fused multiply-adds, so bits differ between instruction sets, never between compilers,
// lanes or vector widths.
#ifndef RTM_SIMD_MATH_H
#define RTM_SIMD_MATH_H

namespace rtm::simd {

/// Rounds to the nearest integer when added (|x| < 2^22), and leaves that integer in the low bits of the sum.
inline constexpr float kRound = 0x1.8p23f;
inline constexpr float kLog2E = 0x1.715476p0f;
inline constexpr float kLn2 = 0x1.62e43p-1f;
inline constexpr float kLn2High = 0.693359375f;  // 10 bits: k * kLn2High is exact
inline constexpr float kLn2Low = -0x1.bd0106p-13f;

/// (exp(r) - 1 - r) / r^2 for |r| <= ln 2 / 2.
template <class V>
RTM_INLINE V expTail(V r) {
  V p = splat<V>(0x1.6b9a02p-10f);
  p = fma(p, r, splat<V>(0x1.12253cp-7f));
  p = fma(p, r, splat<V>(0x1.5556f4p-5f));
  p = fma(p, r, splat<V>(0x1.5554b4p-3f));
  return fma(p, r, splat<V>(0x1.fffffep-2f));
}

/// 2^(k + offset) for the integer k that was rounded into the low bits of `rounded`; 0 for an exponent of -127.
template <class V>
RTM_INLINE V powerOfTwo(V rounded, uint32_t offset = 0) {
  typedef typename Of<V>::Word Word;
  return bits<V>((bits<Word>(rounded) << 23) + ((127u + offset) << 23));
}

/// e^x. 0 below -104, +inf above 88.73, NaN for NaN.
template <class V>
RTM_INLINE V exp(V x) {
  x = maximum(splat<V>(-104.0f), minimum(splat<V>(89.0f), x));
  const V rounded = fma(x, splat<V>(kLog2E), splat<V>(kRound));
  const V k = rounded - splat<V>(kRound);
  const V r = fma(k, splat<V>(-kLn2Low), fma(k, splat<V>(-kLn2High), x));
  const V q = fma(r * r, expTail(r), r);
  // 2^k in two factors: k may be 128 (just below the overflow) or less than -126 (a denormal result).
  const V halfRounded = fma(k, splat<V>(0.5f), splat<V>(kRound));
  const V halfK = halfRounded - splat<V>(kRound);
  const V first = powerOfTwo(halfRounded), second = powerOfTwo(k - halfK + splat<V>(kRound));
  return fma(first, q, first) * second;
}

/// 1 / (1 + e^-x), relative accuracy also where it is tiny; 0 at -inf, 1 at +inf, NaN for NaN.
template <class V>
RTM_INLINE V sigmoid(V x) {
  // e^-x is made 2^-24 times too small, and so is the 1 that it is added to: the sum then does not overflow before the
  // quotient underflows, and one clamp serves -inf.
  x = maximum(splat<V>(-104.5f), minimum(splat<V>(64.0f), x));
  const V rounded = fma(x, splat<V>(-kLog2E), splat<V>(kRound));
  const V k = rounded - splat<V>(kRound);
  const V r = fma(k, splat<V>(-kLn2Low), fma(k, splat<V>(-kLn2High), -x));
  const V power = fma(fma(expTail(r), r, splat<V>(1.0f)), r, splat<V>(1.0f));  // e^r
  const V one = splat<V>(0x1p-24f);
  return one / fma(powerOfTwo(rounded, static_cast<uint32_t>(-24)), power, one);
}

/// (e^2x - 1) / (e^2x + 1); odd, -1 and 1 at the infinities, NaN for NaN.
template <class V>
RTM_INLINE V tanh(V x) {
  // For a = min(|x|, 10): m = (e^2a - 1) / 2, tanh = m / (m + 1). From 9.02 on the result is 1.
  const V a = minimum(splat<V>(10.0f), absolute(x));
  const V twice = a + a;
  const V rounded = fma(twice, splat<V>(kLog2E), splat<V>(kRound));
  const V k = rounded - splat<V>(kRound);
  const V r = fma(k, splat<V>(-kLn2), twice);  // ln 2 in one part: where k is large, tanh does not feel r
  const V q = fma(r * r, expTail(r), r);       // e^r - 1
  const V half = powerOfTwo(rounded, static_cast<uint32_t>(-1));
  const V m = fma(half, q, half - splat<V>(0.5f));
  return withSign(m / (m + splat<V>(1.0f)), x);
}

}  // namespace rtm::simd
#endif
