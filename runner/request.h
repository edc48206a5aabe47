// Owns how requests are read: typed fields with clear errors.
#ifndef RTMC_RUNNER_REQUEST_H
#define RTMC_RUNNER_REQUEST_H

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "failure.h"

namespace rtmc::runner {

using Json = nlohmann::json;

// Field readers; the second form of each has a default for a field that is missing or null.
std::string textOf(const Json &request, const char *key);
std::string textOf(const Json &request, const char *key, const std::string &missing);
uint64_t countOf(const Json &request, const char *key, uint64_t largest);
uint64_t countOf(const Json &request, const char *key, uint64_t largest, uint64_t missing);
double numberOf(const Json &request, const char *key, double missing);
bool flagOf(const Json &request, const char *key, bool missing);

inline constexpr uint64_t kMostSteps = uint64_t{1} << 31;
inline constexpr uint64_t kMostThreads = 4096;

}  // namespace rtmc::runner

#endif
