// Owns: the machine as rtmc-runner measures it, and the floor below which no step can be on it.
// Refuses to own: measuring (runner/measure_machine.h) and prediction (passes/tiling.h).
#pragma once

#include "driver/runner_client.h"
#include "ir/kernel.h"
#include "passes/machine.h"
#include "support/json.h"

#include <algorithm>
#include <cstdint>

namespace rtmc::driver {

/// Asks the runner and reads its answer. `request` has "cmd": "machine".
llvm::Expected<passes::Machine> measureMachine(RunnerClient &, json::Object request);
json::Object describeMachine(const passes::Machine &);

/// The best of two measurements, figure by figure: what the machine can do, whatever else ran beside.
passes::Machine best(const passes::Machine &, const passes::Machine &);

struct Floor {
  uint64_t footprintBytes = 0;  // nonzeros x element size, of one thread
  uint64_t liveGates = 0;       // recurrent gate rows with a kept weight
  double bandwidthUs = 0, multiplyAddUs = 0, gateUs = 0;
  double us() const { return std::max(bandwidthUs, multiplyAddUs) + gateUs; }
};
/// Bytes of kept weights that one thread of the program reads per step; no padding, no indices.
uint64_t footprintOf(const ir::Program &);
/// Of one step where each call runs `stepsPerCall`. In a chunk of steps, weights that the steps share need to be read
/// but once for it, and the others lie from the second step on where those of their own section fit.
Floor floorOf(const ir::Program &, const passes::Machine &, uint32_t stepsPerCall);

}  // namespace rtmc::driver
