// Owns a session and its copy of the weights, as a request asks for them.
#ifndef RTMC_RUNNER_SESSION_H
#define RTMC_RUNNER_SESSION_H

#include <rtm/rtm.h>

#include <memory>

#include "request.h"

namespace rtmc::runner {

struct SessionRequest {
  uint32_t threads = 0;  // 0: as compiled
  bool arena = false;    // weights on huge pages

  static SessionRequest of(const Json &request);
};

class Session {
 public:
  Session(const rtm_model *model, const SessionRequest &request, size_t maxSteps);

  rtm_session *get() const { return session_.get(); }
  uint32_t threads() const { return threads_; }
  const rtm_model_info &info() const { return info_; }

  // One call of `steps` steps; one step of a causal model goes through rtm_step.
  void call(const float *in, size_t steps, float *out);

 private:
  struct EndSession {
    void operator()(rtm_session *session) const { rtm_session_destroy(session); }
  };
  struct EndWeights {
    void operator()(rtm_weights *weights) const { rtm_weights_destroy(weights); }
  };

  rtm_model_info info_{};
  uint32_t threads_ = 1;
  std::unique_ptr<rtm_weights, EndWeights> weights_;  // outlives the session
  std::unique_ptr<rtm_session, EndSession> session_;
};

rtm_model_info describe(const rtm_model *model);

}  // namespace rtmc::runner

#endif
