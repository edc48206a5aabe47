// Owns: numbers about a packed program that several commands report, under the contract's keys.
#pragma once

#include "driver/session.h"
#include "ir/kernel.h"
#include "support/json.h"

#include <cstdint>

namespace rtmc::driver {

struct MatrixFacts {
  uint64_t nonzeros = 0;
  uint64_t valueBytes = 0, indexBytes = 0;
  uint64_t csrBytes = 0;  // same precision, one 32-bit column per value, 32-bit row pointers
  uint64_t groups = 0, tiles = 0;
  uint64_t loadsBefore = 0, loadsAfter = 0;
  MatrixFacts &operator+=(const MatrixFacts &);
};
MatrixFacts factsOf(const ir::Weights &);
MatrixFacts factsOf(const ir::Program &);

/// name, target, cpu, precision, threads_used, shape of the interface, bytes and loads.
json::Object describeProgram(const Session &);
/// constant_gate_rows, constant_gates, dropped_units, dropped_weights.
json::Object describeFolding(const ir::FoldReport &);

}  // namespace rtmc::driver
