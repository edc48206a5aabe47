// Owns the list of inner loops that measure_machine.cpp times, one set per instruction set (measure_<isa>.cpp).
#ifndef RTMC_RUNNER_MEASURE_KERNELS_H
#define RTMC_RUNNER_MEASURE_KERNELS_H

#include <cstddef>
#include <cstdint>

namespace rtmc::runner {

/// Each loop returns something computed from all it did, so that no compiler can leave it out.
struct MeasureKernels {
  uint32_t lanes;                 // floats per vector
  uint32_t multiplyAddsPerRound;  // of one round of fma32
  uint32_t halvesPerRound;        // of one round of fmaHalf; 0: no half-precision arithmetic
  /// Read `bytes`, a multiple of kReadGrain, from front to back, or both halves at once.
  uint32_t (*read)(const void *from, size_t bytes);
  uint32_t (*readTwo)(const void *from, size_t bytes);
  float (*fma32)(uint32_t rounds, float a, float b);
  float (*fmaHalf)(uint32_t rounds, float a, float b);
  /// `count` weights (a multiple of 512) widened and multiplied.
  float (*convertF16)(const uint16_t *weights, size_t count, float x);
  float (*convertBf16)(const uint32_t *pairs, size_t count, float x);
  /// `count` values, a multiple of 16.
  void (*sigmoid)(const float *x, float *y, size_t count);
  void (*tanh)(const float *x, float *y, size_t count);
  /// Tiles of 4 vectors of rows; tile t over the first entries[t] columns of the table. Row table null: rows in order.
  void (*tiles)(const float *weights, const float *x, const uint16_t *columns, const uint16_t *entries, uint32_t tiles,
                const uint16_t *rows, float *y);
};

inline constexpr size_t kReadGrain = 1024;
inline constexpr uint32_t kTileVectors = 4;

/// Null where this program was built for another architecture, or without the instruction set.
const MeasureKernels *measureKernelsScalar();
const MeasureKernels *measureKernelsSse2();
const MeasureKernels *measureKernelsAvx2();
const MeasureKernels *measureKernelsAvx512();
const MeasureKernels *measureKernelsAvx512Fp16();
const MeasureKernels *measureKernelsNeon();
const MeasureKernels *measureKernelsNeonFp16();

}  // namespace rtmc::runner

#endif
