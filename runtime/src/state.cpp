// Saved states: a header, then f32 values in the model's slot order and, within a slot, the user's order of units.
#include <cstring>

#include "check.h"
#include "session.h"

namespace {

struct StateHeader {
  uint32_t magic;
  uint32_t version;
  uint64_t shapeHash;
  uint64_t bytes;  // header included
};
static_assert(sizeof(StateHeader) == 24, "saved states have no padding");

constexpr uint32_t kMagic = 0x534d5452;  // "RTMS"
constexpr uint32_t kVersion = 1;

StateHeader headerOf(const rtm_model &model) {
  return {kMagic, kVersion, model.shape_hash, rtm_state_bytes(&model)};
}

// The copy of a slot that the next step reads.
unsigned char *currentCopy(const rtm_session &session, const rtm_state_slot &slot) {
  return session.buffers + slot.offset + (session.job.parity ? slot.parity_stride : 0);
}

uint32_t userUnit(const rtm_state_slot &slot, uint32_t position) {
  return slot.order ? slot.order[position] : position;
}

}  // namespace

extern "C" size_t rtm_state_bytes(const rtm_model *model) {
  if (rtm::checkModel(model) != RTM_OK || !model->causal) return 0;
  return sizeof(StateHeader) + rtm::stateFloats(*model) * sizeof(float);
}

extern "C" rtm_status rtm_state_save(const rtm_session *session, void *buffer, size_t bytes) {
  if (!session || !buffer) return RTM_ERROR_ARGUMENT;
  const rtm_model &model = *session->model;
  if (!model.causal) return RTM_ERROR_NOT_CAUSAL;
  const StateHeader header = headerOf(model);
  if (bytes < header.bytes) return RTM_ERROR_BUFFER;
  unsigned char *to = static_cast<unsigned char *>(buffer);
  memcpy(to, &header, sizeof(header));
  to += sizeof(header);
  for (uint32_t i = 0; i < model.state_count; ++i) {
    const rtm_state_slot &slot = model.states[i];
    const unsigned char *from = currentCopy(*session, slot);
    const size_t slotBytes = size_t{slot.user_count} * sizeof(float);
    memset(to, 0, slotBytes);
    for (uint32_t position = 0; position < slot.count; ++position) {
      const uint32_t unit = userUnit(slot, position);
      // Positions beyond the user's units are padding.
      if (unit < slot.user_count) memcpy(to + size_t{unit} * 4, from + size_t{position} * 4, 4);
    }
    to += slotBytes;
  }
  return RTM_OK;
}

extern "C" rtm_status rtm_state_load(rtm_session *session, const void *buffer, size_t bytes) {
  if (!session || !buffer) return RTM_ERROR_ARGUMENT;
  const rtm_model &model = *session->model;
  if (!model.causal) return RTM_ERROR_NOT_CAUSAL;
  const StateHeader expected = headerOf(model);
  if (bytes < expected.bytes || memcmp(buffer, &expected, sizeof(expected)) != 0) return RTM_ERROR_STATE;
  const unsigned char *from = static_cast<const unsigned char *>(buffer) + sizeof(expected);
  for (uint32_t i = 0; i < model.state_count; ++i) {
    const rtm_state_slot &slot = model.states[i];
    unsigned char *to = currentCopy(*session, slot);
    for (uint32_t position = 0; position < slot.count; ++position) {
      const uint32_t unit = userUnit(slot, position);
      if (unit < slot.user_count) memcpy(to + size_t{position} * 4, from + size_t{unit} * 4, 4);
    }
    from += size_t{slot.user_count} * sizeof(float);
  }
  return RTM_OK;
}
