/* The C interface of a compiled model. C11; no exceptions, no hidden allocation.
   A model is constant data and code; a session is one stream with its state. One session is used by one caller at a
   time; different sessions may run on different threads. */
#ifndef RTM_RTM_H
#define RTM_RTM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rtm_model rtm_model;
typedef struct rtm_session rtm_session;
typedef struct rtm_weights rtm_weights;

typedef enum rtm_status {
  RTM_OK = 0,
  RTM_ERROR_ARGUMENT = 1,   /* a null pointer, a struct whose size is unknown, weights of another model */
  RTM_ERROR_MEMORY = 2,     /* allocation failed */
  RTM_ERROR_BUFFER = 3,     /* the caller's memory is too small or not aligned to 64 bytes */
  RTM_ERROR_ABI = 4,        /* the model was built against another runtime ABI */
  RTM_ERROR_CPU = 5,        /* this processor lacks instructions that the model needs */
  RTM_ERROR_NOT_CAUSAL = 6, /* the model reads the future: whole sequences only */
  RTM_ERROR_TOO_LONG = 7,   /* more steps than rtm_options.max_steps */
  RTM_ERROR_STATE = 8,      /* a saved state of another model, or damaged */
  RTM_ERROR_THREADS = 9     /* a worker thread could not be started */
} rtm_status;

typedef struct {
  uint32_t size;              /* of this struct: how later versions stay compatible */
  uint32_t threads;           /* 0: as compiled */
  uint32_t max_steps;         /* longest rtm_run of a model that is not causal; 0 otherwise */
  uint32_t spin_us;           /* how long workers spin before they sleep; 0: the default */
  const rtm_weights *weights; /* NULL: read in place */
} rtm_options;

typedef struct {
  uint32_t size; /* set by the caller to sizeof(rtm_model_info) */
  uint32_t abi;
  const char *name;
  const char *precision; /* "f32", "f16", "bf16": how weights are stored */
  const char *cpu;       /* processor it was compiled for */
  uint32_t inputs;       /* floats per step */
  uint32_t outputs;
  uint32_t threads;        /* shares that it was cut into */
  uint32_t causal;         /* 1: rtm_step works */
  uint64_t weights_hash;   /* of the packed bytes */
  uint64_t shape_hash;     /* of layers and sizes: what a saved state must match */
  uint64_t weight_bytes;   /* packed, index tables included */
  uint64_t state_bytes;    /* of a saved state, as rtm_state_bytes says */
  const void *weight_data; /* the packed bytes, read in place */
} rtm_model_info;

rtm_status rtm_model_describe(const rtm_model *model, rtm_model_info *info);

/* One copy of the packed bytes on huge pages, shared by any number of sessions. It must outlive them all. */
rtm_status rtm_weights_create(const rtm_model *model, rtm_weights **weights);
void rtm_weights_destroy(rtm_weights *weights);

/* Sessions. rtm_session_bytes is 0 where rtm_session_init would refuse the model or the options. The memory is 64-byte
   aligned and is the caller's again after rtm_session_destroy, which also ends the workers. */
size_t rtm_session_bytes(const rtm_model *model, const rtm_options *options);
rtm_status rtm_session_init(const rtm_model *model, void *memory, size_t bytes, const rtm_options *options,
                            rtm_session **session);
rtm_status rtm_session_create(const rtm_model *model, const rtm_options *options, rtm_session **session);
void rtm_session_destroy(rtm_session *session);

/* in [steps, inputs], out [steps, outputs]; they must not overlap. A model that is not causal starts each rtm_run from
   the zero state. rtm_reset returns to the zero state. */
rtm_status rtm_step(rtm_session *session, const float *in, float *out);
rtm_status rtm_run(rtm_session *session, const float *in, size_t steps, float *out);
rtm_status rtm_reset(rtm_session *session);

/* Saved states: a header, then f32 values in the order of the model file. Causal models only (0 bytes otherwise).
   A refused load changes nothing. */
size_t rtm_state_bytes(const rtm_model *model);
rtm_status rtm_state_save(const rtm_session *session, void *buffer, size_t bytes);
rtm_status rtm_state_load(rtm_session *session, const void *buffer, size_t bytes);
const char *rtm_status_string(rtm_status status);

#ifdef __cplusplus
}
#endif
#endif
