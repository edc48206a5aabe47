#define RTM_SIMD_SCALAR
#include "measure_loops.h"

namespace rtmc::runner {

const MeasureKernels *measureKernelsScalar() {
  return &kKernels;
}

}  // namespace rtmc::runner
