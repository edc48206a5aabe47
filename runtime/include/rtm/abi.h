/* What generated code and the runtime know of each other. Not for users: it changes with RTM_ABI_VERSION. */
#ifndef RTM_ABI_H
#define RTM_ABI_H

#include <rtm/rtm.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RTM_ABI_VERSION 2u

/* Instructions a model needs; checked when a session is made. */
enum {
  RTM_CPU_AVX2 = 1u << 0,   /* AVX2, FMA and F16C */
  RTM_CPU_AVX512 = 1u << 1, /* F, BW, DQ, VL */
  RTM_CPU_AVX512FP16 = 1u << 2,
  RTM_CPU_AVX512BF16 = 1u << 3,
  RTM_CPU_NEON_FP16 = 1u << 4 /* AArch64 half-precision arithmetic */
};

/* What a phase sees. `buffers` is the model's own struct of arrays; values that are kept for all steps of a chunk lie
   behind it, each with room for max_steps rows. A model that is not causal has one chunk: the sequence. */
typedef struct {
  void *buffers;
  const unsigned char *weights; /* the packed bytes, in place or in an arena */
  const float *in;              /* [steps, inputs] */
  float *out;                   /* [steps, outputs] */
  size_t steps;                 /* of this chunk */
  size_t step;                  /* the row that this step reads and writes; 0 where a section runs per chunk */
  size_t max_steps;
  uint32_t parity; /* which copy of a double-buffered state is current: 0 or 1 */
} rtm_args;

typedef void (*rtm_phase)(const rtm_args *args, uint32_t share);

/* Phases that are repeated for every step of a chunk, in time's order or against it; or run once and do all its steps.
 */
typedef struct {
  uint32_t first_phase, phase_count;
  uint32_t backward;
  uint32_t per_chunk;
} rtm_section;

/* A state vector inside `buffers`: floats at `offset` (bytes); the other copy, if any, `parity_stride` bytes further
   (0: one copy). order[position] = the user's unit, NULL = identity. Units of the user without a position (dropped by
   the compiler) save as zero. */
typedef struct {
  uint64_t offset, parity_stride;
  uint32_t count, user_count;
  const uint32_t *order;
} rtm_state_slot;

/* Start values of a vector inside `buffers`; everything else starts as zero. rtm_reset zeroes the states only. */
typedef struct {
  uint64_t offset;
  uint32_t count;
  const float *values;
} rtm_init_slot;

struct rtm_model {
  uint32_t abi;  /* RTM_ABI_VERSION; first, so that any version can read it */
  uint32_t size; /* sizeof(rtm_model) */
  const char *name, *precision, *cpu;
  uint32_t inputs, outputs;
  uint32_t shares;
  uint32_t causal;
  uint32_t chunk; /* causal: at most so many steps run together, section after section; 0 counts as 1 */
  uint32_t cpu_features;
  uint32_t flags; /* 0 */
  uint64_t shape_hash, weights_hash;
  const unsigned char *weights;
  uint64_t weight_bytes;
  uint64_t buffer_bytes; /* the struct of arrays, a multiple of 64 */
  uint64_t step_bytes;   /* more for each step of a chunk (not causal: of max_steps), a multiple of 64 */
  const rtm_phase *phases;
  uint32_t phase_count;
  uint32_t section_count;
  const rtm_section *sections; /* causal: forward */
  const rtm_state_slot *states;
  uint32_t state_count;
  uint32_t init_count;
  const rtm_init_slot *inits;
};

#ifdef __cplusplus
}
#endif
#endif
