// Owns: the command line as data: every option of every command, and reading it.
// Refuses to own: what the values mean (session.h resolves targets, schedules and machines).
//
// The table is our own: the contract has `-MD FILE` (which no option library that we looked at reads) and wants
// messages in the project's wording with the nearest name.
#pragma once

#include "pruning/projection.h"
#include "support/diagnostics.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rtmc::driver {

enum class Command : uint8_t { Compile, Inspect, Run, Verify, Bench, Machine, Opt, Dump, Tune, Prune, Import };

std::string_view commandName(Command);

/// A value for the matrices that a pattern names; no pattern: for all.
template <typename T>
struct ForMatrices {
  std::string pattern;
  T value;
};

/// `rtmc prune`: of several values for a matrix the last counts.
struct PruneOptions {
  std::vector<ForMatrices<pruning::Scheme>> schemes;
  std::vector<ForMatrices<pruning::Block>> blocks;
  std::vector<ForMatrices<pruning::Rate>> rates, columnRates, rowRates, bounds;
  std::vector<std::string> layers;  // patterns of what is pruned; none: all recurrent layers
  bool linear = false;
  std::string budget = "gate";  // or "model"
};

/// Values as the user gave them; defaults are those of the contract.
struct CommandLine {
  Command command = Command::Compile;
  bool help = false, helpDeveloper = false, version = false;
  std::string file;    // MODEL.yaml, or an IR file
  std::string output;  // -o

  std::string backend = "cpp", precision = "f32", target, cpu, machine, tuning, schedule;
  std::string unroll = "auto", weights = "inline";
  uint32_t threads = 1;
  uint32_t chunk = 0;  // 0: not given
  bool json = false, quiet = false;
  uint32_t verbose = 0;

  std::string depfile;  // -MD
  std::string html;     // of inspect: a page
  std::string emit, dumpDir, stopAfter;
  std::vector<std::string> passes;
  bool fold = true, permute = true, reorder = true, shareLoads = true, compact = true;
  std::string placement;

  std::string input;  // -i
  std::string cxx, cxxflags, runner;
  uint64_t seed = 1;
  uint32_t steps = 0;  // 0: the command's default
  uint32_t stepsPerCall = 0;
  std::string against;
  bool quick = false;
  uint32_t timeoutSeconds = 300;
  std::optional<uint64_t> corruptWeight;

  PruneOptions prune;

  std::vector<std::string> given;  // the options that were there, by their long names
};

/// Reads argv[1..]. nullopt: `diagnostics` tells why.
std::optional<CommandLine> parseCommandLine(const std::vector<std::string> &arguments, Diagnostics &diagnostics);

/// Help of one command, or of rtmc where `line` names none. `developer` adds the options that users do not need.
std::string helpText(const CommandLine &line, bool developer);

}  // namespace rtmc::driver
