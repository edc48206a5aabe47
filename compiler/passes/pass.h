// Owns: what a pass is, what it works on, and the pipeline as one list.
#pragma once

#include "ir/kernel.h"
#include "ir/network.h"
#include "passes/machine.h"
#include "support/diagnostics.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rtmc::passes {

/// A network until lower-cells has run, a program afterwards.
struct Module {
  std::optional<ir::Network> network;
  std::optional<ir::Program> program;
};

/// What the target's vector unit offers to the choice of schedules. Filled by the backend (backend/target.h).
struct TargetTraits {
  std::string triple;
  std::string cpu;
  uint32_t lanes = 16;          // floats per vector; 1: no vector types
  uint32_t registers = 32;      // vector registers
  bool halfArithmetic = false;  // native half-precision multiply-adds
  bool halfConversion = true;   // f16 <-> f32 in hardware
};

/// Schedules by name: exact weights name, else pattern hash, else "*". From --schedule or a tuning database.
using ScheduleTable = std::map<std::string, ir::Schedule>;

/// What the user asked for; each optimisation can be switched off.
struct Options {
  ir::Unroll unroll = ir::Unroll::Auto;
  Precision precision = Precision::F32;
  uint32_t threads = 1;  // a maximum
  uint32_t chunk = 0;    // steps whose input products are computed at once (input_chunk.h); 0: what is predicted faster
  bool fold = true;      // fold-constants
  bool permute = true;   // reorder-rows may permute units
  bool reorder = true;
  bool shareLoads = true;
  bool compact = true;
  std::optional<ir::Placement> placement;
};

struct Context {
  Options options;
  TargetTraits target;
  Machine machine;
  ScheduleTable schedules;
  Diagnostics *diagnostics = nullptr;  // notes and errors of passes: never null in a run
};

/// `run` returns false when it reported an error to the context's diagnostics.
struct Pass {
  std::string name;
  std::string summary;
  std::function<bool(Module &, Context &)> run;
};

/// In order. Each pass's header says what it requires and establishes.
const std::vector<Pass> &pipeline();

struct RunOptions {
  std::string dumpDir;            // one numbered file per pass
  std::vector<std::string> only;  // names, in the order to run; empty: the pipeline from where the module stands
  std::string stopAfter;          // empty: run all
};

/// Runs passes, verifying the IR after each; a verifier's complaint is a bug of ours (RTMC_CHECK). A module that says
/// that a pass has run (`passes`) resumes after it.
/// Where partition finds one thread to be faster than several, the network is lowered once more for one
/// (input_chunk.h).
bool runPasses(Module &, Context &, const RunOptions &);

}  // namespace rtmc::passes
