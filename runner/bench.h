// Owns timing of whole steps. Refuses to own: correctness (the caller compares outputs before it times) and rooflines.
//   bench {input, steps, steps_per_call, threads?, arena?, min_seconds?, max_repetitions?, phases?, peers?}
// Replies step_us_min, step_us_median, repetitions, steps_per_call, calls_per_repetition, threads_used, phase_us.
// `steps` rows of `input` are walked in turn, so that the input changes. `peers`: [{library?, symbol?, threads?,
// arena?, steps_per_call?}] are other models, or this one with other options, timed A B A B in the same run; reply
// "peers" has the same keys for each.
#ifndef RTMC_RUNNER_BENCH_H
#define RTMC_RUNNER_BENCH_H

#include <rtm/rtm.h>

#include "request.h"

namespace rtmc::runner {

Json bench(const rtm_model *model, const Json &request);

}  // namespace rtmc::runner

#endif
