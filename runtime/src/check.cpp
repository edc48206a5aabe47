#include "check.h"

#include <cstddef>
#include <cstring>

namespace rtm {

// No later version needs more; a larger size is an uninitialised struct, whose bytes must not be read.
static constexpr uint32_t kLargestStruct = 1024;

rtm_status checkModel(const rtm_model *model) {
  if (!model) return RTM_ERROR_ARGUMENT;
  if (model->abi != RTM_ABI_VERSION) return RTM_ERROR_ABI;
  // Of this ABI by its number, but not as this library knows it.
  return model->size == sizeof(rtm_model) ? RTM_OK : RTM_ERROR_ABI;
}

rtm_status checkSized(const void *object, uint32_t knownSize, const uint32_t *fieldEnds, uint32_t fieldCount,
                      uint32_t *known) {
  uint32_t size;
  memcpy(&size, object, sizeof(size));
  if (size > kLargestStruct) return RTM_ERROR_ARGUMENT;
  const unsigned char *bytes = static_cast<const unsigned char *>(object);
  for (uint32_t i = knownSize; i < size; ++i) {
    if (bytes[i] != 0) return RTM_ERROR_ARGUMENT;
  }
  if (size >= knownSize) {
    *known = knownSize;
    return RTM_OK;
  }
  // An older struct ends where one of today's fields ended; half a field is not a version.
  for (uint32_t i = 0; i < fieldCount; ++i) {
    if (fieldEnds[i] == size) {
      *known = size;
      return RTM_OK;
    }
  }
  return RTM_ERROR_ARGUMENT;
}

rtm_status readOptions(const rtm_options *options, rtm_options *out) {
  memset(out, 0, sizeof(*out));
  if (!options) return RTM_OK;
  if (options->size == 0) {
    // A zeroed struct means defaults; one that was filled in without its size is a mistake that would go unseen.
    rtm_options zero;
    memset(&zero, 0, sizeof(zero));
    return memcmp(options, &zero, sizeof(zero)) == 0 ? RTM_OK : RTM_ERROR_ARGUMENT;
  }
  static const uint32_t fieldEnds[] = {offsetof(rtm_options, threads), offsetof(rtm_options, max_steps),
                                       offsetof(rtm_options, spin_us), offsetof(rtm_options, spin_us) + 4,
                                       offsetof(rtm_options, weights)};
  uint32_t known = 0;
  const rtm_status status =
      checkSized(options, sizeof(*options), fieldEnds, sizeof(fieldEnds) / sizeof(fieldEnds[0]), &known);
  if (status != RTM_OK) return status;
  memcpy(out, options, known);
  out->size = sizeof(*out);
  return RTM_OK;
}

size_t stateFloats(const rtm_model &model) {
  size_t floats = 0;
  for (uint32_t i = 0; i < model.state_count; ++i) floats += model.states[i].user_count;
  return floats;
}

}  // namespace rtm
