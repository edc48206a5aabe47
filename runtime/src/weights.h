// Owns one copy of a model's packed bytes on huge pages. Refuses to own: who uses it; it must outlive its sessions.
#ifndef RTM_SRC_WEIGHTS_H
#define RTM_SRC_WEIGHTS_H

#include <rtm/abi.h>

namespace rtm {

// Same packed bytes; the same model loaded twice counts as one.
bool belongsTo(const rtm_weights &weights, const rtm_model &model);
const unsigned char *arenaData(const rtm_weights &weights);

}  // namespace rtm

#endif
