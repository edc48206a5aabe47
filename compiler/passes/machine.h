// Owns: what a machine can do, as data: the cost model, the roof in reports and the tests' expectations read it.
// Refuses to own: how it is measured (driver/machine_command.cpp asks rtmc-runner).
#pragma once

#include <llvm/Support/Error.h>

#include <cstdint>
#include <string>
#include <vector>

namespace rtmc::passes {

struct Machine {
  std::string name;    // "generic-x86-64", "sapphirerapids", "znver5", or the measured machine's processor
  std::string source;  // "shipped" or "measured"
  uint32_t cores = 1;
  /// Read bandwidth of one core against footprint, ascending bytes; between the points it is interpolated.
  struct Level {
    uint64_t bytes = 0;
    double gbps = 0;    // 2 MB pages
    double gbps4k = 0;  // 4 KB pages
  };
  std::vector<Level> bandwidth;
  double fmaGops32 = 0;       // f32 multiply-adds per ns, one core
  double fmaGopsHalf = 0;     // native half precision; 0: none
  double convertGopsF16 = 0;  // f16 weights widened and multiplied, per ns
  double convertGopsBf16 = 0;
  double barrierNs = 300;  // between two spinning threads
  double handoverNs = 15;  // one 64-byte line of a vector that another core has written, read in order
  double gateNs = 0.27;    // one sigmoid or tanh, vectorised
  double loadsPerNs = 0;   // vector or broadcast loads per ns from L1
  double tileNs = 4;       // start and end of one tile: loop, stores
  double scatterNs = 0.5;  // one row written through a row table

  double readGbps(uint64_t footprintBytes, bool hugePages = true) const;
};

/// The shipped description of a processor, or of the nearest that we have (`name` tells which).
Machine shippedMachine(const std::string &cpu, const std::string &triple);
llvm::Expected<Machine> readMachine(const std::string &path);
/// The same from a text: YAML, or the JSON of rtmc-runner. Errors start with `path` and the line.
llvm::Expected<Machine> parseMachine(const std::string &text, const std::string &path);
std::string printMachine(const Machine &);

}  // namespace rtmc::passes
