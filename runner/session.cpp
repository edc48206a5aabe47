#include "session.h"

#include <algorithm>

namespace rtmc::runner {

rtm_model_info describe(const rtm_model *model) {
  rtm_model_info info{};
  info.size = sizeof(info);
  check(rtm_model_describe(model, &info), "the model");
  return info;
}

SessionRequest SessionRequest::of(const Json &request) {
  return {static_cast<uint32_t>(countOf(request, "threads", kMostThreads, 0)), flagOf(request, "arena", false)};
}

Session::Session(const rtm_model *model, const SessionRequest &request, size_t maxSteps) : info_(describe(model)) {
  if (request.arena) {
    rtm_weights *weights = nullptr;
    check(rtm_weights_create(model, &weights), "the weights");
    weights_.reset(weights);
  }
  rtm_options options{};
  options.size = sizeof(options);
  options.threads = request.threads;
  options.max_steps = info_.causal ? 0 : static_cast<uint32_t>(maxSteps);
  options.weights = weights_.get();
  rtm_session *session = nullptr;
  check(rtm_session_create(model, &options, &session), "the session");
  session_.reset(session);
  const uint32_t shares = std::max(info_.threads, 1u);
  threads_ = request.threads ? std::min(request.threads, shares) : shares;
}

void Session::call(const float *in, size_t steps, float *out) {
  if (steps == 1 && info_.causal) {
    check(rtm_step(get(), in, out), "rtm_step");
  } else {
    check(rtm_run(get(), in, steps, out), "rtm_run");
  }
}

}  // namespace rtmc::runner
