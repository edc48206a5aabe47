#include "measure_kernels.h"

#if defined(__aarch64__)
#define RTM_SIMD_NEON
#define RTM_SIMD_FP16
#include "measure_loops.h"

namespace rtmc::runner {
const MeasureKernels *measureKernelsNeonFp16() {
  return &kKernels;
}
}  // namespace rtmc::runner
#else
namespace rtmc::runner {
const MeasureKernels *measureKernelsNeonFp16() {
  return nullptr;
}
}  // namespace rtmc::runner
#endif
