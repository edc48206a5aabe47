// The hand-written models, exported as generated code exports its model.
#include <cstdio>

#include "../runtime/fake_models.h"

extern "C" {

const rtm_model *fake_model(void) {
  static const rtm_model model = fake::causal();
  // A library that writes to stdout must not get between the replies.
  std::printf("noise from the library\n");
  std::fflush(stdout);
  return &model;
}

const rtm_model *fake_both_model(void) {
  static const rtm_model model = fake::notCausal();
  return &model;
}

const rtm_model *fake_old_model(void) {
  static const rtm_model model = [] {
    rtm_model old = fake::causal();
    old.abi = RTM_ABI_VERSION + 1;
    return old;
  }();
  return &model;
}
}
