// Owns what this processor and operating system can execute, in the bits of abi.h (RTM_CPU_*).
#ifndef RTM_SRC_CPU_FEATURES_H
#define RTM_SRC_CPU_FEATURES_H

#include <cstdint>

namespace rtm {

uint32_t cpuFeatures();

}  // namespace rtm

#endif
