// Owns: the compilers that tests call at run time: which are here, and building and running a small program with each.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace rtmc::test {

struct IsaCase {
  std::string name;     // "avx512"
  std::string defines;  // "RTM_SIMD_AVX512"; several are separated by spaces
  uint32_t lanes = 16, registers = 32;
  bool half = false;  // half-precision arithmetic

  bool arm() const { return defines.find("NEON") != std::string::npos; }
};

/// Every instruction set of rtm/simd.h, by name.
const std::vector<IsaCase> &isaCases();
const IsaCase &isaCase(const std::string &name);

struct Toolchain {
  std::string name, command, run;  // `run` stands before a program's name: an emulator
};

/// Compilers on the path that make programs for `isa`; empty where there is none, or no emulator.
std::vector<Toolchain> toolchains(const IsaCase &isa);
/// Whether such programs run here (in an emulator, for AArch64).
bool runsHere(const IsaCase &isa);

struct TempFolder {
  std::filesystem::path path;
  TempFolder();
  ~TempFolder();
};

struct Outcome {
  std::string toolchain, messages, results;
  bool compiled = false, ran = false;
};

/// One translation unit of a program; an absolute path, or a name inside the folder.
struct Unit {
  std::string source, flags;
};

/// Compiles and links `units` with every toolchain at once, with warnings as errors and without -march, and runs the
/// program with `arguments`; stdout becomes `results`. What is missing is printed as the reason for skipping.
std::vector<Outcome> buildAndRun(const TempFolder &, const IsaCase &, const std::vector<Unit> &units,
                                 const std::string &arguments = "");

/// CHECKs of doctest on all of them: compiled, ran, no line with FAIL, the same stdout from every compiler.
void checkOutcomes(const std::vector<Outcome> &);

}  // namespace rtmc::test
