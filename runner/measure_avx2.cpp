#include "measure_kernels.h"

#if defined(__x86_64__)
#define RTM_SIMD_AVX2
#include "measure_loops.h"

namespace rtmc::runner {
const MeasureKernels *measureKernelsAvx2() {
  return &kKernels;
}
}  // namespace rtmc::runner
#else
namespace rtmc::runner {
const MeasureKernels *measureKernelsAvx2() {
  return nullptr;
}
}  // namespace rtmc::runner
#endif
