// Owns every refusal that does not depend on a session: the model's ABI, and structs whose size the caller states.
#ifndef RTM_SRC_CHECK_H
#define RTM_SRC_CHECK_H

#include <rtm/abi.h>

namespace rtm {

// RTM_ERROR_ARGUMENT for NULL, RTM_ERROR_ABI for another ABI, of which only `abi` is read.
rtm_status checkModel(const rtm_model *model);

// Checks a struct that starts with its size. A smaller one is an older version; a larger one is a newer version and
// accepted while what is unknown here is zero. *known = how many bytes both sides know.
rtm_status checkSized(const void *object, uint32_t knownSize, const uint32_t *fieldEnds, uint32_t fieldCount,
                      uint32_t *known);

// The caller's options with defaults for what is missing. NULL or all zeroes: defaults.
rtm_status readOptions(const rtm_options *options, rtm_options *out);

// floats in a saved state, in the user's count.
size_t stateFloats(const rtm_model &model);

}  // namespace rtm

#endif
