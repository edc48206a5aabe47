// Owns the time of each phase by itself: the model's phases are called one by one, on one thread.
// Refuses to own: the time of a step (bench.h), which also has barriers and the entry.
#ifndef RTMC_RUNNER_PHASE_TIMES_H
#define RTMC_RUNNER_PHASE_TIMES_H

#include <rtm/rtm.h>

#include <vector>

namespace rtmc::runner {

// Median microseconds per phase and step, in the order of the model's phases. `in` holds `rows` rows; a sequence of
// `steps` of them, as one call would run it, is one pass; passes go on for `seconds`. The session is reset.
std::vector<double> phaseTimes(rtm_session &session, const float *in, size_t rows, size_t steps, double seconds);

}  // namespace rtmc::runner

#endif
