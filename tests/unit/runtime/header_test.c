/* The headers are C11, and a model written in C runs. */
#include <rtm/abi.h>
#include <rtm/rtm.h>

typedef struct {
  float sum[16];
} Buffers;

static void add(const rtm_args *args, uint32_t share) {
  Buffers *buffers = (Buffers *)args->buffers;
  (void)share;
  buffers->sum[0] += args->in[args->step];
  args->out[args->step] = buffers->sum[0];
}

static const rtm_phase phases[] = {add};
static const rtm_section sections[] = {{0, 1, 0, 0}};
static const rtm_state_slot states[] = {{0, 0, 1, 1, NULL}};
static const rtm_model model = {
    .abi = RTM_ABI_VERSION,
    .size = sizeof(rtm_model),
    .name = "sum",
    .precision = "f32",
    .cpu = "any",
    .inputs = 1,
    .outputs = 1,
    .shares = 1,
    .causal = 1,
    .buffer_bytes = sizeof(Buffers),
    .phases = phases,
    .phase_count = 1,
    .section_count = 1,
    .sections = sections,
    .states = states,
    .state_count = 1,
};

/* 0: all is well; else the number of what failed. */
int runFromC(void);

int runFromC(void) {
  rtm_options options = {.size = sizeof(rtm_options)};
  rtm_session *session = NULL;
  float in[3] = {1, 2, 3}, out[3] = {0, 0, 0};
  if (rtm_session_create(&model, &options, &session) != RTM_OK) return 1;
  if (rtm_run(session, in, 3, out) != RTM_OK) return 2;
  if (out[0] != 1 || out[1] != 3 || out[2] != 6) return 3;
  if (rtm_step(session, in, out) != RTM_OK || out[0] != 7) return 4;
  rtm_session_destroy(session);
  return 0;
}
