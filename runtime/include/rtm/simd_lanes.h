// Owns: what crosses lanes: broadcasts of a few consecutive values, gathers, and sums of neighbouring lanes into rows.
// Included by simd.h.
#ifndef RTM_SIMD_LANES_H
#define RTM_SIMD_LANES_H

namespace rtm::simd {

// Lanes i... of the concatenation (a, b). GCC 11 has only the older builtin.
#if __has_builtin(__builtin_shufflevector)
#define RTM_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define RTM_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, typename rtm::simd::Of<__typeof__(a)>::Word{__VA_ARGS__})
#endif

// Halves of a vector.
#if RTM_SIMD_LANES >= 8
RTM_INLINE f32x8 join(f32x4 low, f32x4 high) {
#if __has_builtin(__builtin_shufflevector)
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7);
#else
  f32x4 both[2] = {low, high};
  return load<f32x8>(both);
#endif
}
RTM_INLINE f32x4 lowHalf(f32x8 v) {
#if __has_builtin(__builtin_shufflevector)
  return __builtin_shufflevector(v, v, 0, 1, 2, 3);
#else
  return load<f32x4>(&v);
#endif
}
RTM_INLINE f32x4 highHalf(f32x8 v) {
#if __has_builtin(__builtin_shufflevector)
  return __builtin_shufflevector(v, v, 4, 5, 6, 7);
#else
  return load<f32x4>(reinterpret_cast<const float *>(&v) + 4);
#endif
}
#endif
#if RTM_SIMD_LANES >= 16
RTM_INLINE f32x16 join(f32x8 low, f32x8 high) {
#if __has_builtin(__builtin_shufflevector)
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#else
  f32x8 both[2] = {low, high};
  return load<f32x16>(both);
#endif
}
RTM_INLINE f32x8 lowHalf(f32x16 v) {
#if __has_builtin(__builtin_shufflevector)
  return __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7);
#else
  return load<f32x8>(&v);
#endif
}
RTM_INLINE f32x8 highHalf(f32x16 v) {
#if __has_builtin(__builtin_shufflevector)
  return __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
#else
  return load<f32x8>(reinterpret_cast<const float *>(&v) + 8);
#endif
}
#endif

// ------------------------------------------------------------------------------------------------ broadcasts

/// x[0 .. width) repeated across the vector.
template <class V, int width>
RTM_INLINE V broadcast(const float *x) {
  constexpr int lanes = Of<V>::lanes;
  if constexpr (width == 1) {
    return splat<V>(*x);
  } else if constexpr (width == lanes) {
    return load<V>(x);
  } else if constexpr (width == 2) {
    typedef long long Pairs __attribute__((vector_size(sizeof(V))));
    return bits<V>(load<long long>(x) +
                   Pairs{});  // one broadcast; as integers, because a pair may look like a denormal
  }
#if RTM_SIMD_LANES >= 8
  else if constexpr (width == 4 && lanes == 8) {
    const f32x4 v = load<f32x4>(x);
    return join(v, v);
  }
#endif
#if RTM_SIMD_LANES >= 16
  else if constexpr (width == 4) {
#if defined(__clang__)
    const f32x4 v = load<f32x4>(x);
    return __builtin_shufflevector(v, v, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
#else
    return __builtin_ia32_broadcastf32x4_512(load<f32x4>(x), f32x16{},
                                             -1);  // GCC makes a store and a load of a shuffle
#endif
  } else if constexpr (width == 8) {
#if defined(__clang__)
    const f32x8 v = load<f32x8>(x);
    return __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7);
#else
    return __builtin_ia32_broadcastf32x8_512_mask(load<f32x8>(x), f32x16{}, -1);
#endif
  }
#endif
}

// ------------------------------------------------------------------------------------------------ gathers

#if RTM_SIMD_LANES >= 4
/// Four lanes of a gather. 16-bit indices are read as one word.
template <class Index>
RTM_INLINE f32x4 gatherFour(const float *x, const Index *index) {
  if constexpr (sizeof(Index) == 2) {
    const uint64_t i = load<uint64_t>(index);
    return f32x4{x[static_cast<uint16_t>(i)], x[static_cast<uint16_t>(i >> 16)], x[static_cast<uint16_t>(i >> 32)],
                 x[i >> 48]};
  } else {
    return f32x4{x[index[0]], x[index[1]], x[index[2]], x[index[3]]};
  }
}
#endif

/// Lane i: x[index[i]]. In scalar loads: the gather instructions of many processors are slower, or made slow by
/// mitigations.
template <class V, class Index>
RTM_INLINE V gather(const float *x, const Index *index) {
  constexpr int lanes = Of<V>::lanes;
  if constexpr (lanes == 1) {
    return x[index[0]];
  }
#if RTM_SIMD_LANES >= 4
  else if constexpr (lanes == 4) {
    return gatherFour(x, index);
  }
#endif
#if RTM_SIMD_LANES >= 8
  else if constexpr (lanes == 8) {
    return join(gatherFour(x, index), gatherFour(x, index + 4));
  }
#endif
#if RTM_SIMD_LANES >= 16
  else {
    return join(gather<f32x8>(x, index), gather<f32x8>(x, index + 8));
  }
#endif
}

// ------------------------------------------------------------------------------------------------ sums into rows
// A vector holds lanes / width rows of `width` partial sums each. fold<c> halves the number of partial sums of two
// vectors at once and keeps both in one: of every c lanes, the first half becomes a's, the second b's. After
// log2(width) folds a vector holds `width` vectors' rows.

#if RTM_SIMD_LANES >= 4
template <int c, class V>
RTM_INLINE V fold(V a, V b) {
  constexpr int lanes = Of<V>::lanes;
  static_assert(c == 2 || c == 4 || c == 8 || c == 16);
#if RTM_SIMD_LANES >= 4
  if constexpr (lanes == 4 && c == 2) return RTM_SHUFFLE(a, b, 0, 4, 2, 6) + RTM_SHUFFLE(a, b, 1, 5, 3, 7);
  if constexpr (lanes == 4 && c == 4) return RTM_SHUFFLE(a, b, 0, 1, 4, 5) + RTM_SHUFFLE(a, b, 2, 3, 6, 7);
#endif
#if RTM_SIMD_LANES >= 8
  if constexpr (lanes == 8 && c == 2)
    return RTM_SHUFFLE(a, b, 0, 8, 2, 10, 4, 12, 6, 14) + RTM_SHUFFLE(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
  if constexpr (lanes == 8 && c == 4)
    return RTM_SHUFFLE(a, b, 0, 1, 8, 9, 4, 5, 12, 13) + RTM_SHUFFLE(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
  if constexpr (lanes == 8 && c == 8)
    return RTM_SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11) + RTM_SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
#endif
#if RTM_SIMD_LANES >= 16
  if constexpr (lanes == 16 && c == 2)
    return RTM_SHUFFLE(a, b, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30) +
           RTM_SHUFFLE(a, b, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
  if constexpr (lanes == 16 && c == 4)
    return RTM_SHUFFLE(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29) +
           RTM_SHUFFLE(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
  if constexpr (lanes == 16 && c == 8)
    return RTM_SHUFFLE(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27) +
           RTM_SHUFFLE(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
  if constexpr (lanes == 16 && c == 16)
    return RTM_SHUFFLE(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
           RTM_SHUFFLE(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
#endif
}

/// From lane r * width + j = row r of vector j to lane j * (lanes / width) + r.
template <int width, class V>
RTM_INLINE V inRowOrder(V a) {
  constexpr int lanes = Of<V>::lanes;
  if constexpr (width == lanes) return a;
#if RTM_SIMD_LANES >= 4
  if constexpr (lanes == 4 && width == 2) return RTM_SHUFFLE(a, a, 0, 2, 1, 3);
#endif
#if RTM_SIMD_LANES >= 8
  if constexpr (lanes == 8 && width == 2) return RTM_SHUFFLE(a, a, 0, 2, 4, 6, 1, 3, 5, 7);
  if constexpr (lanes == 8 && width == 4) return RTM_SHUFFLE(a, a, 0, 4, 1, 5, 2, 6, 3, 7);
#endif
#if RTM_SIMD_LANES >= 16
  if constexpr (lanes == 16 && width == 2)
    return RTM_SHUFFLE(a, a, 0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
  if constexpr (lanes == 16 && width == 4)
    return RTM_SHUFFLE(a, a, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  if constexpr (lanes == 16 && width == 8)
    return RTM_SHUFFLE(a, a, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
#endif
}

/// y[0 .. n) += the first n lanes of v.
template <int n, class V>
RTM_INLINE void addFirst(float *y, V v) {
  constexpr int lanes = Of<V>::lanes;
  static_assert(n >= 1 && n <= lanes);
  if constexpr (n == lanes) {
    store(y, load<V>(y) + v);
  }
#if RTM_SIMD_LANES >= 16
  else if constexpr (lanes == 16 && n >= 8) {
    store(y, load<f32x8>(y) + lowHalf(v));
    if constexpr (n > 8) addFirst<n - 8>(y + 8, highHalf(v));
  } else if constexpr (lanes == 16) {  // NOLINT(bugprone-branch-clone): one of them is compiled
    addFirst<n>(y, lowHalf(v));
  }
#endif
#if RTM_SIMD_LANES >= 8
  else if constexpr (lanes == 8 && n >= 4) {
    store(y, load<f32x4>(y) + lowHalf(v));
    if constexpr (n > 4) addFirst<n - 4>(y + 4, highHalf(v));
  } else if constexpr (lanes == 8) {
    addFirst<n>(y, lowHalf(v));
  }
#endif
  else {
    for (int i = 0; i < n; i++) y[i] += v[i];
  }
}
#endif

#if RTM_SIMD_LANES == 4 || RTM_SIMD_LANES == 8
/// y[0 .. n) += the first n lanes of v, n below their number: by halves, for units without masks. A loop over lanes
/// costs a tile with few rows a tenth of its time (ADR 0022).
RTM_INLINE void addBelow(int n, float *y, f32x4 v) {
  if (n & 2) {
    y[0] += v[0];
    y[1] += v[1];
    y += 2;
    v = RTM_SHUFFLE(v, v, 2, 3, 2, 3);
  }
  if (n & 1) y[0] += v[0];
}
#if RTM_SIMD_LANES == 8
RTM_INLINE void addBelow(int n, float *y, f32x8 v) {
  f32x4 part = lowHalf(v);
  if (n & 4) {
    store(y, load<f32x4>(y) + part);
    y += 4;
    part = highHalf(v);
  }
  addBelow(n & 3, y, part);
}
#endif
#endif

/// y[0 .. n) += the first n lanes of v, but at most `rows` of them, and none where n is not positive.
template <int rows, class V>
RTM_INLINE void addUpTo(int n, float *y, V v) {
  constexpr int lanes = Of<V>::lanes;
  if (n > rows) n = rows;
  if (n >= lanes) {
    store(y, load<V>(y) + v);
  } else if (n > 0) {
    if constexpr (lanes >= 4) {
#if RTM_SIMD_LANES >= 16
      storePartial(y, loadPartial<V>(y, static_cast<uint32_t>(n)) + v, static_cast<uint32_t>(n));
#else
      addBelow(n, y, v);
#endif
    }
  }
}

}  // namespace rtm::simd
#undef RTM_SHUFFLE
#endif
