// Owns the one way in which a command fails: main() turns a Failure into a reply.
#ifndef RTMC_RUNNER_FAILURE_H
#define RTMC_RUNNER_FAILURE_H

#include <rtm/rtm.h>

#include <stdexcept>
#include <string>

namespace rtmc::runner {

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Throws for everything but RTM_OK; `what` was attempted.
inline void check(rtm_status status, const char *what) {
  if (status != RTM_OK) throw Failure(std::string(what) + ": " + rtm_status_string(status));
}

}  // namespace rtmc::runner

#endif
