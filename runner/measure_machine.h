// Owns the measurement of this machine: the fields of passes/machine.h's struct Machine, which the cost model and the
// roof in reports read. Refuses to own what is concluded from them.
//
// Request: {} measures everything (some 7 s); {"quick": true} with fewer footprints and shorter (about 1 s);
// {"footprint_bytes": N} only the read bandwidth at N, and with quick the quick set and N. Costs that cannot be
// measured here (a barrier on one processor) are left out. Each figure is the best of many short repetitions: what the
// machine can do, whatever else ran beside.
#ifndef RTMC_RUNNER_MEASURE_MACHINE_H
#define RTMC_RUNNER_MEASURE_MACHINE_H

#include <nlohmann/json.hpp>

namespace rtmc::runner {

nlohmann::json measureMachine(const nlohmann::json &request);

}  // namespace rtmc::runner

#endif
