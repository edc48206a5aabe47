// Making and ending sessions.
#include "session.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "check.h"
#include "cpu_features.h"
#include "weights.h"

namespace {

constexpr size_t kAlign = 64;

uint32_t threadCount(const rtm_model &model, const rtm_options &options) {
  const uint32_t shares = model.shares ? model.shares : 1;
  return options.threads && options.threads < shares ? options.threads : shares;
}

// 0 when it does not fit a size_t.
size_t bufferBytes(const rtm_model &model, const rtm_options &options) {
  uint64_t bytes = model.buffer_bytes, perSteps;
  const uint64_t rows = model.causal ? rtm::chunkOf(model) : options.max_steps;
  if (__builtin_mul_overflow(model.step_bytes, rows, &perSteps)) return 0;
  if (__builtin_add_overflow(bytes, perSteps, &bytes)) return 0;
  if (bytes > SIZE_MAX / 2) return 0;
  const size_t rounded = (static_cast<size_t>(bytes) + kAlign - 1) / kAlign * kAlign;
  return rounded ? rounded : kAlign;
}

size_t sessionBytes(const rtm_model &model, const rtm_options &options) {
  const size_t buffers = bufferBytes(model, options);
  if (buffers == 0) return 0;
  return sizeof(rtm_session) + size_t{threadCount(model, options)} * sizeof(rtm::Member) + buffers;
}

// Everything that may refuse a session, before its memory is looked at.
rtm_status checkRequest(const rtm_model *model, const rtm_options *options, rtm_options *known) {
  rtm_status status = rtm::checkModel(model);
  if (status != RTM_OK) return status;
  status = rtm::readOptions(options, known);
  if (status != RTM_OK) return status;
  if (known->weights && !rtm::belongsTo(*known->weights, *model)) return RTM_ERROR_ARGUMENT;
  return RTM_OK;
}

rtm_status checkProcessor(const rtm_model &model) {
  // A processor is only asked when something is needed: cpuid traps in virtual machines.
  if (model.cpu_features == 0) return RTM_OK;
  return (model.cpu_features & ~rtm::cpuFeatures()) == 0 ? RTM_OK : RTM_ERROR_CPU;
}

void fillBuffers(rtm_session &session, size_t bytes) {
  memset(session.buffers, 0, bytes);
  const rtm_model &model = *session.model;
  for (uint32_t i = 0; i < model.init_count; ++i) {
    const rtm_init_slot &slot = model.inits[i];
    memcpy(session.buffers + slot.offset, slot.values, size_t{slot.count} * sizeof(float));
  }
}

void endWorkers(rtm_session &session, uint32_t count) {
  if (count <= 1) return;
  session.job.quit = true;
  rtm::publish(session.team, 0, ++session.epoch);
  rtm::joinWorkers(session.team, count);
}

rtm_status initSession(const rtm_model &model, void *memory, const rtm_options &options, rtm_session **out) {
  rtm_session *session = new (memory) rtm_session;
  unsigned char *bytes = static_cast<unsigned char *>(memory);
  session->model = &model;
  session->maxSteps = model.causal ? rtm::chunkOf(model) : options.max_steps;
  session->weights = options.weights ? rtm::arenaData(*options.weights) : model.weights;
  session->team.size = threadCount(model, options);
  session->team.members = reinterpret_cast<rtm::Member *>(bytes + sizeof(rtm_session));
  session->buffers = bytes + sizeof(rtm_session) + session->team.size * sizeof(rtm::Member);
  fillBuffers(*session, bufferBytes(model, options));
  const uint32_t running = rtm::startWorkers(session->team, rtm::workerMain, session, options.spin_us);
  if (running < session->team.size) {
    endWorkers(*session, running);
    return RTM_ERROR_THREADS;
  }
  *out = session;
  return RTM_OK;
}

}  // namespace

extern "C" size_t rtm_session_bytes(const rtm_model *model, const rtm_options *options) {
  rtm_options known;
  return checkRequest(model, options, &known) == RTM_OK ? sessionBytes(*model, known) : 0;
}

extern "C" rtm_status rtm_session_init(const rtm_model *model, void *memory, size_t bytes, const rtm_options *options,
                                       rtm_session **session) {
  if (session) *session = nullptr;
  rtm_options known;
  rtm_status status = checkRequest(model, options, &known);
  if (status != RTM_OK) return status;
  if (!memory || !session) return RTM_ERROR_ARGUMENT;
  status = checkProcessor(*model);
  if (status != RTM_OK) return status;
  const size_t needed = sessionBytes(*model, known);
  if (needed == 0) return RTM_ERROR_MEMORY;
  if (bytes < needed || reinterpret_cast<uintptr_t>(memory) % kAlign != 0) return RTM_ERROR_BUFFER;
  return initSession(*model, memory, known, session);
}

extern "C" rtm_status rtm_session_create(const rtm_model *model, const rtm_options *options, rtm_session **session) {
  if (session) *session = nullptr;
  rtm_options known;
  rtm_status status = checkRequest(model, options, &known);
  if (status != RTM_OK) return status;
  if (!session) return RTM_ERROR_ARGUMENT;
  status = checkProcessor(*model);
  if (status != RTM_OK) return status;
  const size_t needed = sessionBytes(*model, known);
  void *memory = needed ? aligned_alloc(kAlign, needed) : nullptr;
  if (!memory) return RTM_ERROR_MEMORY;
  status = initSession(*model, memory, known, session);
  if (status == RTM_OK) {
    (*session)->owned = true;
  } else {
    free(memory);
  }
  return status;
}

extern "C" void rtm_session_destroy(rtm_session *session) {
  if (!session) return;
  endWorkers(*session, session->team.size);
  if (session->owned) free(session);
}
