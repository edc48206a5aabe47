#include "measure_kernels.h"

#if defined(__aarch64__)
#define RTM_SIMD_NEON
#include "measure_loops.h"

namespace rtmc::runner {
const MeasureKernels *measureKernelsNeon() {
  return &kKernels;
}
}  // namespace rtmc::runner
#else
namespace rtmc::runner {
const MeasureKernels *measureKernelsNeon() {
  return nullptr;
}
}  // namespace rtmc::runner
#endif
