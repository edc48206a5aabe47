// Owns the layout of a session. Memory: rtm_session, the team's members, the model's buffers; each at 64 bytes.
#ifndef RTM_SRC_SESSION_H
#define RTM_SRC_SESSION_H

#include <rtm/abi.h>

#include "team.h"

struct alignas(64) rtm_session {
  // Set when the session is made, then only read.
  const rtm_model *model = nullptr;
  unsigned char *buffers = nullptr;
  const unsigned char *weights = nullptr;
  uint32_t maxSteps = 0;  // rows of what is kept for all steps; causal: of a chunk
  bool owned = false;     // by rtm_session_create
  rtm::Team team;

  // The caller's own.
  uint32_t epoch = 0;

  // What the workers read in a call; written by the caller between calls.
  struct alignas(64) Job {
    const float *in = nullptr;
    float *out = nullptr;
    size_t steps = 0;
    uint32_t parity = 0;  // of a causal model's state
    bool quit = false;
  } job;
};

namespace rtm {

/// Steps that a causal model runs together at most.
inline uint32_t chunkOf(const rtm_model &model) {
  return model.chunk ? model.chunk : 1;
}

// Runs job.steps steps on all threads.
void runJob(rtm_session &session);
// A worker's life; `member` is its rtm::Member.
void *workerMain(void *member);
// All copies of all states.
void zeroStates(rtm_session &session);

}  // namespace rtm

#endif
