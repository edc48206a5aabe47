// Owns: which instruction set a triple and a processor name mean, and what it offers. Names and features are LLVM's
// own. Refuses to own: how kernels use the instructions (backend/kernels.h, rtm/simd.h).
#pragma once

#include "ir/kernel.h"
#include "passes/pass.h"
#include "support/diagnostics.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rtmc::backend {

enum class Isa : uint8_t { Portable, Sse2, Avx2, Avx512, Avx512Fp16, Neon, NeonFp16 };

/// "portable", "sse2", "avx2", "avx512", "avx512fp16", "neon", "neonfp16".
std::string_view isaName(Isa);
/// For readers of the generated source: "AVX-512 with FP16".
std::string_view isaTitle(Isa);

struct Target {
  std::string triple;  // normalised
  std::string cpu;     // never empty; naming it again gives the same target on any machine
  Isa isa = Isa::Portable;
  passes::TargetTraits traits;
  uint32_t cpuFeatures = 0;  // RTM_CPU_* bits (rtm/abi.h) that the instruction set needs
};

/// `triple` "" is this machine's, "portable" is plain C++ for any machine. `cpu` "" is this machine's processor for
/// this machine's triple (features that a virtual machine hides are not used; where that matters the nearest level,
/// "x86-64-v3" say, is recorded instead of the processor's name), the triple's baseline for another; "portable" uses no
/// vector types. Errors: target-unknown, cpu-unknown.
std::optional<Target> resolveTarget(const std::string &triple, const std::string &cpu, Diagnostics &diagnostics);

/// False, with an error [precision-unsupported], where a schedule asks for arithmetic that the target does not have.
/// Every target serves every storage precision: 16-bit weights are widened in software where hardware cannot.
bool checkPrecision(const Target &, const ir::Program &, Diagnostics &diagnostics);

/// Every processor name that the triple's architecture knows, sorted.
std::vector<std::string> cpuNames(const std::string &triple);

/// Normalised triple of this machine.
std::string hostTriple();

}  // namespace rtmc::backend
