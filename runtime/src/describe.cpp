// What a model is, and what a status means.
#include <cstddef>
#include <cstring>

#include "check.h"

extern "C" rtm_status rtm_model_describe(const rtm_model *model, rtm_model_info *info) {
  if (!info) return RTM_ERROR_ARGUMENT;
  const rtm_status modelStatus = rtm::checkModel(model);
  if (modelStatus != RTM_OK) return modelStatus;
  static const uint32_t fieldEnds[] = {offsetof(rtm_model_info, abi),          offsetof(rtm_model_info, abi) + 4,
                                       offsetof(rtm_model_info, name),         offsetof(rtm_model_info, precision),
                                       offsetof(rtm_model_info, cpu),          offsetof(rtm_model_info, inputs),
                                       offsetof(rtm_model_info, outputs),      offsetof(rtm_model_info, threads),
                                       offsetof(rtm_model_info, causal),       offsetof(rtm_model_info, causal) + 4,
                                       offsetof(rtm_model_info, weights_hash), offsetof(rtm_model_info, shape_hash),
                                       offsetof(rtm_model_info, weight_bytes), offsetof(rtm_model_info, state_bytes),
                                       offsetof(rtm_model_info, weight_data)};
  uint32_t known = 0;
  const rtm_status status =
      rtm::checkSized(info, sizeof(*info), fieldEnds, sizeof(fieldEnds) / sizeof(fieldEnds[0]), &known);
  if (status != RTM_OK) return status;
  rtm_model_info full;
  memset(&full, 0, sizeof(full));
  full.size = info->size;
  full.abi = model->abi;
  full.name = model->name;
  full.precision = model->precision;
  full.cpu = model->cpu;
  full.inputs = model->inputs;
  full.outputs = model->outputs;
  full.threads = model->shares;
  full.causal = model->causal ? 1 : 0;
  full.weights_hash = model->weights_hash;
  full.shape_hash = model->shape_hash;
  full.weight_bytes = model->weight_bytes;
  full.state_bytes = rtm_state_bytes(model);
  full.weight_data = model->weights;
  memcpy(info, &full, known);
  return RTM_OK;
}

extern "C" const char *rtm_status_string(rtm_status status) {
  switch (status) {
    case RTM_OK:
      return "ok";
    case RTM_ERROR_ARGUMENT:
      return "a null pointer, a struct whose size is unknown, or weights of another model";
    case RTM_ERROR_MEMORY:
      return "out of memory";
    case RTM_ERROR_BUFFER:
      return "the caller's memory is too small or not aligned to 64 bytes";
    case RTM_ERROR_ABI:
      return "the model was built against another version of the runtime";
    case RTM_ERROR_CPU:
      return "this processor lacks instructions that the model needs";
    case RTM_ERROR_NOT_CAUSAL:
      return "the model reads the future: it runs whole sequences only";
    case RTM_ERROR_TOO_LONG:
      return "more steps than the session's max_steps";
    case RTM_ERROR_STATE:
      return "the saved state belongs to another model or is damaged";
    case RTM_ERROR_THREADS:
      return "a worker thread could not be started";
  }
  return "unknown status";
}
