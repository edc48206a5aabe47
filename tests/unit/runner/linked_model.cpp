// The hook of a runner that cannot load libraries.
#include "../runtime/fake_models.h"

extern "C" const rtm_model *rtm_runner_model(void);

const rtm_model *rtm_runner_model(void) {
  static const rtm_model model = fake::causal();
  return &model;
}
