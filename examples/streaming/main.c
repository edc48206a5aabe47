/* Many streams of one model, in C11 and without a hidden allocation: sessions live in one block of our own memory and
   share one copy of the weights. A stream is suspended to a buffer and resumed in another session, bit for bit. */
#include "streaming_lstm.h"

#include <rtm/rtm.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kStreams = 64, kFrames = 40, kInputs = 40, kOutputs = 16 };

static int check(rtm_status status, const char *what) {
  if (status == RTM_OK) return 1;
  fprintf(stderr, "%s: %s\n", what, rtm_status_string(status));
  return 0;
}

/* A frame of stream number `stream`: any numbers in [-1, 1) will do. */
static void makeFrame(uint32_t stream, uint32_t frame, float *values) {
  uint32_t state = stream * 7919u + frame * 104729u + 1u;
  for (int i = 0; i < kInputs; ++i) {
    state = state * 1664525u + 1013904223u;
    values[i] = (float)(state >> 8) / 8388608.0f - 1.0f;
  }
}

/* Feeds frames [begin, end) of a stream; `out` holds the last answer. */
static int feed(rtm_session *session, uint32_t stream, uint32_t begin, uint32_t end, float *out) {
  float in[kInputs];
  for (uint32_t frame = begin; frame < end; ++frame) {
    makeFrame(stream, frame, in);
    if (!check(rtm_step(session, in, out), "rtm_step")) return 0;
  }
  return 1;
}

/* Suspends `from` half-way, resumes in `to`, and compares with a stream that was never interrupted. */
static int moveStream(rtm_session *from, rtm_session *to) {
  const rtm_model *model = streaming_lstm_model();
  float whole[kOutputs], moved[kOutputs];
  const size_t bytes = rtm_state_bytes(model);
  void *state = malloc(bytes);
  if (!state) return 0;
  int ok = check(rtm_reset(from), "rtm_reset") && feed(from, 7, 0, kFrames / 2, moved) &&
           check(rtm_state_save(from, state, bytes), "rtm_state_save") && feed(from, 7, kFrames / 2, kFrames, whole) &&
           check(rtm_state_load(to, state, bytes), "rtm_state_load") && feed(to, 7, kFrames / 2, kFrames, moved);
  if (ok && memcmp(whole, moved, sizeof whole) != 0) {
    fprintf(stderr, "the resumed stream differs\n");
    ok = 0;
  }
  free(state);
  if (ok) printf("a stream was suspended to %zu bytes and resumed elsewhere: the same bits\n", bytes);
  return ok;
}

/* Frames arrive stream after stream, as in a server; equal streams must answer alike whatever ran between. */
static int runStreams(rtm_session **sessions) {
  float first[kOutputs], out[kOutputs];
  for (uint32_t frame = 0; frame < kFrames; ++frame) {
    for (uint32_t i = 0; i < kStreams; ++i) {
      if (!feed(sessions[i], i / 2, frame, frame + 1, i % 2 ? out : first)) return 0;
      if (i % 2 && memcmp(first, out, sizeof out) != 0) {
        fprintf(stderr, "streams %u and %u were fed alike and differ\n", i - 1, i);
        return 0;
      }
    }
  }
  return 1;
}

int main(void) {
  const rtm_model *model = streaming_lstm_model();
  rtm_model_info info = {.size = sizeof info};
  if (!check(rtm_model_describe(model, &info), "rtm_model_describe")) return 1;
  if (info.inputs != kInputs || info.outputs != kOutputs) return 1;

  rtm_weights *weights = NULL;
  if (!check(rtm_weights_create(model, &weights), "rtm_weights_create")) return 1;
  const rtm_options options = {.size = sizeof options, .threads = 1, .weights = weights};
  const size_t bytes = (rtm_session_bytes(model, &options) + 63) / 64 * 64;
  unsigned char *memory = aligned_alloc(64, bytes * kStreams);
  rtm_session *sessions[kStreams] = {NULL};
  int ok = memory != NULL;
  for (size_t i = 0; ok && i < kStreams; ++i)
    ok = check(rtm_session_init(model, memory + i * bytes, bytes, &options, &sessions[i]), "rtm_session_init");

  ok = ok && runStreams(sessions) && moveStream(sessions[0], sessions[1]);
  for (size_t i = 0; i < kStreams; ++i)
    if (sessions[i]) rtm_session_destroy(sessions[i]);
  free(memory);
  rtm_weights_destroy(weights);
  if (!ok) return 1;
  printf("%d streams of %s: %zu bytes each, %llu bytes of weights for all\n", kStreams, info.name, bytes,
         (unsigned long long)info.weight_bytes);
  return 0;
}
