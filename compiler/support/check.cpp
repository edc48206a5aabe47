#include "support/check.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace rtmc {

CrashContext &crashContext() {
  static CrashContext context;
  return context;
}

void checkFailed(const char *file, int line, const char *condition, std::string_view message) {
  // The folder in which rtmc was built is of no use to a reader; the path from compiler/ on is.
  if (const char *relative = std::strstr(file, "compiler/")) file = relative;
  std::fprintf(stderr, "rtmc: internal error at %s:%d: %.*s (%s)\n", file, line, static_cast<int>(message.size()),
               message.data(), condition);
  const CrashContext &context = crashContext();
  if (!context.pass.empty()) std::fprintf(stderr, "rtmc: in pass '%s'\n", context.pass.c_str());
  if (!context.dump.empty()) std::fprintf(stderr, "rtmc: the last saved IR is '%s'\n", context.dump.c_str());
  std::fprintf(stderr, "rtmc: this is a bug in rtmc, not in your input; please report it with the model\n");
  std::fflush(nullptr);
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  std::abort();  // a fuzzer sees signals only
#else
  std::_Exit(3);  // no destructors: other threads may still run
#endif
}

}  // namespace rtmc
