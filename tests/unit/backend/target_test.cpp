// Processors and what they mean: LLVM's names, this machine's real features, and messages for what is not known.
#include "backend/target.h"
#include "emitted_model.h"

#include <doctest/doctest.h>
#include <llvm/ADT/StringMap.h>
#include <llvm/TargetParser/Host.h>
#include <rtm/abi.h>

using namespace rtmc;
using backend::Isa;

namespace {

std::optional<backend::Target> resolve(const std::string &triple, const std::string &cpu,
                                       std::string *message = nullptr) {
  Diagnostics diagnostics;
  auto out = backend::resolveTarget(triple, cpu, diagnostics);
  CHECK(out.has_value() != diagnostics.hasErrors());
  if (message) *message = diagnostics.render();
  return out;
}

Isa isaOf(const std::string &triple, const std::string &cpu) {
  const auto target = resolve(triple, cpu);
  REQUIRE(target.has_value());
  return target->isa;
}

constexpr char kX86[] = "x86_64-linux-gnu", kArm[] = "aarch64-linux-gnu";

}  // namespace

TEST_CASE("instruction sets of x86-64 processors") {
  CHECK(isaOf(kX86, "x86-64") == Isa::Sse2);
  CHECK(isaOf(kX86, "x86-64-v2") == Isa::Sse2);
  for (const char *cpu : {"x86-64-v3", "haswell", "skylake", "znver1", "znver3", "alderlake"}) {
    CAPTURE(cpu);
    CHECK(isaOf(kX86, cpu) == Isa::Avx2);
  }
  for (const char *cpu : {"x86-64-v4", "skylake-avx512", "icelake-server", "cascadelake", "znver4"}) {
    CAPTURE(cpu);
    CHECK(isaOf(kX86, cpu) == Isa::Avx512);
  }
  CHECK(isaOf(kX86, "sapphirerapids") == Isa::Avx512Fp16);
  CHECK(isaOf(kX86, "graniterapids") == Isa::Avx512Fp16);
  CHECK(isaOf(kX86, "portable") == Isa::Portable);
}

TEST_CASE("instruction sets of AArch64 processors") {
  for (const char *cpu : {"generic", "cortex-a53", "cortex-a57", "cortex-a72"}) {
    CAPTURE(cpu);
    CHECK(isaOf(kArm, cpu) == Isa::Neon);
  }
  for (const char *cpu : {"cortex-a55", "cortex-a76", "cortex-x1", "neoverse-n1", "neoverse-v2", "apple-m1"}) {
    CAPTURE(cpu);
    CHECK(isaOf(kArm, cpu) == Isa::NeonFp16);
  }
}

TEST_CASE("traits follow the instruction set") {
  const auto spr = resolve(kX86, "sapphirerapids");
  CHECK(spr->traits.lanes == 16);
  CHECK(spr->traits.registers == 32);
  CHECK(spr->traits.halfArithmetic);
  CHECK((spr->cpuFeatures & RTM_CPU_AVX512FP16) != 0);
  const auto v3 = resolve(kX86, "x86-64-v3");
  CHECK(v3->traits.lanes == 8);
  CHECK(v3->cpuFeatures == RTM_CPU_AVX2);
  CHECK_FALSE(v3->traits.halfArithmetic);
  CHECK(resolve(kX86, "x86-64")->cpuFeatures == 0);
  CHECK(resolve("riscv64-linux-gnu", "")->traits.lanes == 1);
  CHECK(resolve("portable", "")->isa == Isa::Portable);
}

TEST_CASE("a foreign triple's default is its baseline, this machine's is what it really has") {
  CHECK(resolve(kArm, "")->cpu == (backend::hostTriple().starts_with("aarch64") ? resolve("", "")->cpu : "generic"));
  const auto host = resolve("", "");
  REQUIRE(host.has_value());
  // Naming the recorded processor again gives the same target.
  const auto again = resolve("", host->cpu);
  REQUIRE(again.has_value());
  CHECK(again->isa == host->isa);
  const auto features = llvm::sys::getHostCPUFeatures();
  const auto has = [&](const char *name) { return features.count(name) != 0 && features.lookup(name); };
  if (host->isa == Isa::Avx512 || host->isa == Isa::Avx512Fp16) CHECK((has("avx512bw") && has("avx512vl")));
  if (host->isa == Isa::Avx512Fp16) CHECK(has("avx512fp16"));
  if (host->isa == Isa::Avx2) CHECK((has("avx2") && has("f16c")));
}

TEST_CASE("unknown names are errors that show the nearest") {
  std::string message;
  CHECK_FALSE(resolve(kX86, "skylak", &message).has_value());
  CHECK(message.find("[cpu-unknown]") != std::string::npos);
  CHECK(message.find("skylake") != std::string::npos);
  CHECK_FALSE(resolve(kArm, "cortex-a5", &message).has_value());
  CHECK(message.find("cortex-a5") != std::string::npos);
  CHECK_FALSE(resolve("kubernetes", "", &message).has_value());
  CHECK(message.find("[target-unknown]") != std::string::npos);
  CHECK_FALSE(resolve("ppc64-linux-gnu", "", &message).has_value());
  CHECK(message.find("big-endian") != std::string::npos);
  CHECK_FALSE(resolve("portable", "skylake", &message).has_value());
}

TEST_CASE("half-precision sums on a target without them are refused") {
  ir::Program program;
  program.name = "m";
  program.target = kX86;
  program.cpu = "x86-64-v3";
  ir::Weights weights;
  weights.name = "gru0.weight_hh.z";
  weights.schedule.accumulate = ir::Accumulate::F16x4;
  program.weights.push_back(weights);
  Diagnostics diagnostics;
  CHECK_FALSE(backend::checkPrecision(*resolve(kX86, "x86-64-v3"), program, diagnostics));
  CHECK(diagnostics.render().find("[precision-unsupported]") != std::string::npos);
  CHECK(diagnostics.render().find("gru0.weight_hh.z") != std::string::npos);
  Diagnostics none;
  CHECK(backend::checkPrecision(*resolve(kX86, "sapphirerapids"), program, none));
}
