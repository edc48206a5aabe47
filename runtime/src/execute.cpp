// Runs a call on all threads. Thread t of T executes shares t, t + T, ...: which thread computes a share never
// changes what the share computes, so the bits do not depend on T.
#include <cstring>

#include "floating_point.h"
#include "session.h"
#include "walk.h"

namespace rtm {
namespace {

struct Position {
  uint32_t thread;
  uint32_t epoch;
  bool first;  // nothing was executed yet in this call
};

void runPhase(rtm_session &session, rtm_phase phase, const rtm_args &args, Position &at) {
  Team &team = session.team;
  if (team.size > 1 && !at.first) {
    publish(team, at.thread, ++at.epoch);
    waitForOthers(team, at.thread, at.epoch);
  }
  at.first = false;
  const uint32_t shares = session.model->shares;
  for (uint32_t share = at.thread; share < shares; share += team.size) phase(&args, share);
}

// One thread's part of a call.
void runPart(rtm_session &session, Position &at) {
  const rtm_phase *phases = session.model->phases;
  walk(session, session.job, [&session, &at, phases](const rtm_args &args, const rtm_section &, uint32_t phase) {
    runPhase(session, phases[phase], args, at);
  });
}

}  // namespace

void runJob(rtm_session &session) {
  const FloatingPointMode mode;
  Team &team = session.team;
  Position at{0, session.epoch, true};
  if (team.size > 1) publish(team, 0, ++at.epoch);  // the one wake of a call
  runPart(session, at);
  if (team.size > 1) waitForOthers(team, 0, ++at.epoch);
  session.epoch = at.epoch;
}

void *workerMain(void *opaque) {
  Member &self = *static_cast<Member *>(opaque);
  rtm_session &session = *static_cast<rtm_session *>(self.owner);
  const FloatingPointMode mode;  // of this thread, for its whole life
  uint32_t epoch = 0;
  for (;;) {
    ++epoch;
    waitFor(session.team, 0, epoch, session.team.idleSpinTicks);
    if (session.job.quit) return nullptr;
    Position at{self.index, epoch, true};
    runPart(session, at);
    epoch = at.epoch + 1;
    publish(session.team, self.index, epoch);
  }
}

void zeroStates(rtm_session &session) {
  const rtm_model &model = *session.model;
  for (uint32_t i = 0; i < model.state_count; ++i) {
    const rtm_state_slot &slot = model.states[i];
    const size_t bytes = size_t{slot.count} * sizeof(float);
    memset(session.buffers + slot.offset, 0, bytes);
    if (slot.parity_stride) memset(session.buffers + slot.offset + slot.parity_stride, 0, bytes);
  }
}

}  // namespace rtm

static rtm_status runSteps(rtm_session &session, const float *in, size_t steps, float *out) {
  if (!in || !out) return RTM_ERROR_ARGUMENT;
  rtm_session::Job &job = session.job;
  job.in = in;
  job.out = out;
  job.steps = steps;
  rtm::runJob(session);
  return RTM_OK;
}

extern "C" rtm_status rtm_step(rtm_session *session, const float *in, float *out) {
  if (!session) return RTM_ERROR_ARGUMENT;
  if (!session->model->causal) return RTM_ERROR_NOT_CAUSAL;
  const rtm_status status = runSteps(*session, in, 1, out);
  if (status == RTM_OK) session->job.parity ^= 1;
  return status;
}

extern "C" rtm_status rtm_run(rtm_session *session, const float *in, size_t steps, float *out) {
  if (!session) return RTM_ERROR_ARGUMENT;
  const bool causal = session->model->causal != 0;
  if (!causal && steps > session->maxSteps) return RTM_ERROR_TOO_LONG;
  if (steps == 0) return RTM_OK;
  if (!in || !out) return RTM_ERROR_ARGUMENT;
  if (!causal) rtm::zeroStates(*session);
  const rtm_status status = runSteps(*session, in, steps, out);
  if (causal && status == RTM_OK) session->job.parity ^= static_cast<uint32_t>(steps & 1);
  return status;
}

extern "C" rtm_status rtm_reset(rtm_session *session) {
  if (!session) return RTM_ERROR_ARGUMENT;
  rtm::zeroStates(*session);
  session->job.parity = 0;
  return RTM_OK;
}
