// Owns: RTMC_CHECK, for what can only be false if rtmc itself is wrong. On in release builds. Ends with exit status 3.
#pragma once

#include <string>
#include <string_view>

namespace rtmc {

/// Where the compiler is: the pass that runs and the last dump, printed when a check fails.
struct CrashContext {
  std::string pass;
  std::string dump;
};
CrashContext &crashContext();

[[noreturn]] void checkFailed(const char *file, int line, const char *condition, std::string_view message);

}  // namespace rtmc

#define RTMC_CHECK(condition, message) \
  ((condition) ? (void)0 : ::rtmc::checkFailed(__FILE__, __LINE__, #condition, (message)))
