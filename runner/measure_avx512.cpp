#include "measure_kernels.h"

#if defined(__x86_64__)
#define RTM_SIMD_AVX512
#include "measure_loops.h"

namespace rtmc::runner {
const MeasureKernels *measureKernelsAvx512() {
  return &kKernels;
}
}  // namespace rtmc::runner
#else
namespace rtmc::runner {
const MeasureKernels *measureKernelsAvx512() {
  return nullptr;
}
}  // namespace rtmc::runner
#endif
