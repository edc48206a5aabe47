// The loops of measure_kernels.h, in the vectors of rtm/simd.h. Included once by each measure_<isa>.cpp, which chooses
// the instruction set first.
#ifndef RTMC_RUNNER_MEASURE_LOOPS_H
#define RTMC_RUNNER_MEASURE_LOOPS_H

#include <rtm/simd.h>

#include "measure_kernels.h"

// Arrays of accumulators live in registers only if their loops are unrolled whole.
#if defined(__clang__)
#define RTM_UNROLL _Pragma("clang loop unroll(full)")
#else
#define RTM_UNROLL _Pragma("GCC unroll 32")
#endif

namespace rtmc::runner {
namespace {

namespace simd = rtm::simd;
using V = simd::f32xn;
using Word = simd::Of<V>::Word;
constexpr size_t kLanes = simd::Of<V>::lanes;

#if defined(RTM_SIMD_AVX512) || defined(RTM_SIMD_NEON)
constexpr bool kManyRegisters = true;
#else
constexpr bool kManyRegisters = false;
#endif
constexpr int kChains = kManyRegisters ? 20 : 12;  // latency times units is 8 to 16

template <class T>
RTM_KERNEL float firstLane(const T &value) {
  float lane;
  __builtin_memcpy(&lane, &value, sizeof lane);
  return lane;
}

/// `streams` places of the memory at once, 8 loads per round in all.
template <int streams>
RTM_KERNEL uint32_t readAll(const void *from, size_t bytes) {
  constexpr int kLoads = 8;
  const auto *at = static_cast<const unsigned char *>(from);
  const size_t part = bytes / streams;
  Word sums[kLoads] = {};
  for (size_t i = 0; i < part; i += kLoads / streams * sizeof(Word)) {
    RTM_UNROLL for (int l = 0; l < kLoads; ++l) {
      const size_t place = static_cast<size_t>(l % streams) * part + static_cast<size_t>(l / streams) * sizeof(Word);
      sums[l] ^= simd::load<Word>(at + i + place);
    }
  }
  Word all{};
  RTM_UNROLL for (int l = 0; l < kLoads; ++l) all ^= sums[l];
  uint32_t result;
  __builtin_memcpy(&result, &all, sizeof result);
  return result;
}

RTM_KERNEL float fmaChains(uint32_t rounds, float a, float b) {
  const V va = simd::splat<V>(a), vb = simd::splat<V>(b);
  V sums[kChains];
  RTM_UNROLL for (int c = 0; c < kChains; ++c) sums[c] = simd::splat<V>(b + a * c);  // equal chains would become one
  for (uint32_t i = 0; i < rounds; ++i) {
    RTM_UNROLL for (int c = 0; c < kChains; ++c) sums[c] = simd::fma(sums[c], va, vb);
  }
  V all{};
  RTM_UNROLL for (int c = 0; c < kChains; ++c) all = all + sums[c];
  return firstLane(all);
}

RTM_KERNEL float widenF16(const uint16_t *weights, size_t count, float x) {
  constexpr int kStreams = kManyRegisters ? 16 : 8;
  const V vx = simd::splat<V>(x);
  V sums[kStreams] = {};
  for (size_t i = 0; i < count; i += kStreams * kLanes) {
    RTM_UNROLL for (int s = 0; s < kStreams; ++s) sums[s] =
        simd::fma(simd::loadHalf<V>(weights + i + s * kLanes), vx, sums[s]);
  }
  V all{};
  RTM_UNROLL for (int s = 0; s < kStreams; ++s) all = all + sums[s];
  return firstLane(all);
}

RTM_KERNEL float widenBf16(const uint32_t *pairs, size_t count, float x) {
  constexpr int kStreams = kManyRegisters ? 8 : 4;
  const V vx = simd::splat<V>(x);
  V low[kStreams] = {}, high[kStreams] = {};
  for (size_t i = 0; i < count / 2; i += kStreams * kLanes) {
    RTM_UNROLL for (int s = 0; s < kStreams; ++s) {
      const Word pair = simd::load<Word>(pairs + i + s * kLanes);
      low[s] = simd::fma(simd::lowBf16<V>(pair), vx, low[s]);
      high[s] = simd::fma(simd::highBf16<V>(pair), vx, high[s]);
    }
  }
  V all{};
  RTM_UNROLL for (int s = 0; s < kStreams; ++s) all = all + low[s] + high[s];
  return firstLane(all);
}

RTM_KERNEL void sigmoids(const float *x, float *y, size_t count) {
  for (size_t i = 0; i < count; i += kLanes) simd::store(y + i, simd::sigmoid(simd::load<V>(x + i)));
}

RTM_KERNEL void tanhs(const float *x, float *y, size_t count) {
  for (size_t i = 0; i < count; i += kLanes) simd::store(y + i, simd::tanh(simd::load<V>(x + i)));
}

/// The shape of a generated kernel whose tiles differ in length.
__attribute__((noinline)) RTM_TARGET void tileLoop(const float *weights, const float *x, const uint16_t *columns,
                                                   const uint16_t *entries, uint32_t tiles, const uint16_t *rows,
                                                   float *y) {
  constexpr size_t kRows = kTileVectors * kLanes;
  for (uint32_t t = 0; t < tiles; ++t) {
    V sums[kTileVectors];
    RTM_UNROLL for (uint32_t v = 0; v < kTileVectors; ++v) sums[v] = V{};
    for (uint32_t e = 0; e < entries[t]; ++e) {
      const V xs = simd::splat<V>(x[columns[e]]);
      RTM_UNROLL for (uint32_t v = 0; v < kTileVectors; ++v) sums[v] =
          simd::fma(simd::load<V>(weights + e * kRows + v * kLanes), xs, sums[v]);
    }
    if (!rows) {
      RTM_UNROLL for (uint32_t v = 0; v < kTileVectors; ++v) simd::store(y + t * kRows + v * kLanes, sums[v]);
    } else {
      float values[kRows];
      RTM_UNROLL for (uint32_t v = 0; v < kTileVectors; ++v) simd::store(values + v * kLanes, sums[v]);
      for (size_t r = 0; r < kRows; ++r) y[rows[t * kRows + r]] = values[r];
    }
  }
}

#if defined(RTM_SIMD_FP16)
#if defined(RTM_SIMD_AVX512)
using Half = simd::f16x32;
#else
using Half = simd::f16x8;
#endif
RTM_KERNEL float halfChains(uint32_t rounds, float a, float b) {
  Half va, vb;
  for (size_t i = 0; i < sizeof(Half) / 2; ++i) va[i] = static_cast<simd::f16>(a), vb[i] = static_cast<simd::f16>(b);
  Half sums[kChains];
  RTM_UNROLL for (int c = 0; c < kChains; ++c) {
    sums[c] = vb;
    sums[c][0] = static_cast<simd::f16>(c);
  }
  for (uint32_t i = 0; i < rounds; ++i) {
    RTM_UNROLL for (int c = 0; c < kChains; ++c) sums[c] = simd::fma(sums[c], va, vb);
  }
  Half all{};
  RTM_UNROLL for (int c = 0; c < kChains; ++c) all = all + sums[c];
  return firstLane(all);
}
#endif

const MeasureKernels kKernels = {
    .lanes = kLanes,
    .multiplyAddsPerRound = kChains * kLanes,
#if defined(RTM_SIMD_FP16)
    .halvesPerRound = kChains * sizeof(Half) / 2,
#else
    .halvesPerRound = 0,
#endif
    .read = readAll<1>,
    .readTwo = readAll<2>,
    .fma32 = fmaChains,
#if defined(RTM_SIMD_FP16)
    .fmaHalf = halfChains,
#else
    .fmaHalf = nullptr,
#endif
    .convertF16 = widenF16,
    .convertBf16 = widenBf16,
    .sigmoid = sigmoids,
    .tanh = tanhs,
    .tiles = tileLoop,
};

}  // namespace
}  // namespace rtmc::runner

#endif
