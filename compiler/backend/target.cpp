#include "backend/target.h"

#include "support/names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <llvm/ADT/SmallVector.h>
#include <llvm/ADT/StringMap.h>
#include <llvm/TargetParser/AArch64TargetParser.h>
#include <llvm/TargetParser/Host.h>
#include <llvm/TargetParser/Triple.h>
#include <llvm/TargetParser/X86TargetParser.h>

#include <rtm/abi.h>

#include <algorithm>
#include <functional>
#include <iterator>

namespace rtmc::backend {
namespace {

/// What an instruction set offers. `needs` are LLVM's feature names; the richest entry whose needs are met is taken.
struct IsaInfo {
  Isa isa;
  std::string_view name, title;
  uint32_t lanes, registers;
  bool halfArithmetic, halfConversion;
  uint32_t features;
  std::vector<std::string_view> needs;
};

const std::vector<IsaInfo> &isas() {
  static const std::vector<IsaInfo> list = {
      {Isa::Portable, "portable", "portable C++, no vector types", 1, 16, false, false, 0, {}},
      {Isa::Sse2, "sse2", "SSE2", 4, 16, false, false, 0, {"sse"}},  // the architecture itself has SSE2
      {Isa::Avx2, "avx2", "AVX2, FMA and F16C", 8, 16, false, true, RTM_CPU_AVX2, {"avx2", "fma", "f16c"}},
      {Isa::Avx512,
       "avx512",
       "AVX-512",
       16,
       32,
       false,
       true,
       RTM_CPU_AVX2 | RTM_CPU_AVX512,
       {"avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512dq", "avx512vl"}},
      {Isa::Avx512Fp16,
       "avx512fp16",
       "AVX-512 with FP16",
       16,
       32,
       true,
       true,
       RTM_CPU_AVX2 | RTM_CPU_AVX512 | RTM_CPU_AVX512FP16,
       {"avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512fp16"}},
      {Isa::Neon, "neon", "NEON", 4, 32, false, true, 0, {"neon"}},
      {Isa::NeonFp16, "neonfp16", "NEON with FP16", 4, 32, true, true, RTM_CPU_NEON_FP16, {"neon", "fullfp16"}},
  };
  return list;
}

const IsaInfo &infoOf(Isa isa) {
  return isas()[static_cast<size_t>(isa)];
}

using HasFeature = std::function<bool(std::string_view)>;

/// The last entry of the table whose needs are met: within one architecture the table goes from poor to rich.
const IsaInfo &richest(const HasFeature &has) {
  const IsaInfo *best = &infoOf(Isa::Portable);
  for (const IsaInfo &info : isas()) {
    if (std::all_of(info.needs.begin(), info.needs.end(), has)) best = &info;
  }
  return *best;
}

enum class Family { X86, AArch64, Other };

Family familyOf(const llvm::Triple &triple) {
  if (triple.getArch() == llvm::Triple::x86_64) return Family::X86;
  if (triple.getArch() == llvm::Triple::aarch64) return Family::AArch64;
  return Family::Other;
}

/// Features that a named processor has, by LLVM's tables; nullopt: no such processor.
std::optional<HasFeature> featuresOf(Family family, const std::string &cpu) {
  if (family == Family::X86) {
    if (llvm::X86::parseArchX86(cpu, /*Only64Bit=*/true) == llvm::X86::CK_None) return std::nullopt;
    llvm::SmallVector<llvm::StringRef, 64> features;
    llvm::X86::getFeaturesForCPU(cpu, features);
    llvm::StringMap<bool> all;  // the table leaves out what other features imply
    for (const llvm::StringRef feature : features) {
      all[feature] = true;
      llvm::X86::updateImpliedFeatures(feature, true, all);
    }
    return [all](std::string_view need) {
      const auto it = all.find(llvm::StringRef(need.data(), need.size()));
      return it != all.end() && it->second;
    };
  }
  if (family == Family::AArch64) {
    const auto info = llvm::AArch64::parseCpu(cpu);
    if (!info) return std::nullopt;
    llvm::AArch64::ExtensionSet extensions;
    extensions.addCPUDefaults(*info);
    const bool half = extensions.Enabled.test(llvm::AArch64::AEK_FP16);
    return [half](std::string_view need) { return need == "neon" || (need == "fullfp16" && half); };
  }
  return std::nullopt;
}

/// This machine's processor under a name whose features, by LLVM's tables, this machine really has.
std::string hostCpu(Family family) {
  const auto features = llvm::sys::getHostCPUFeatures();
  const HasFeature present = [&](std::string_view need) {
    const auto it = features.find(llvm::StringRef(need.data(), need.size()));
    return it != features.end() && it->second;
  };
  const IsaInfo &served = richest(present);
  std::vector<std::string> names = {llvm::sys::getHostCPUName().str()};
  if (family == Family::X86) names.insert(names.end(), {"x86-64-v4", "x86-64-v3", "x86-64"});
  if (family == Family::AArch64) names.push_back("generic");
  for (const std::string &name : names) {
    const auto named = featuresOf(family, name);
    if (!named) continue;
    const IsaInfo &info = richest(*named);
    if (info.isa <= served.isa) return name;
  }
  return "portable";
}

std::string baselineOf(Family family) {
  switch (family) {
    case Family::X86:
      return "x86-64";
    case Family::AArch64:
      return "generic";
    case Family::Other:
      return "portable";
  }
  return "portable";
}

Target makeTarget(std::string triple, std::string cpu, const IsaInfo &info) {
  Target out;
  out.isa = info.isa;
  out.cpuFeatures = info.features;
  out.traits.triple = triple;
  out.traits.cpu = cpu;
  out.traits.lanes = info.lanes;
  out.traits.registers = info.registers;
  out.traits.halfArithmetic = info.halfArithmetic;
  out.traits.halfConversion = info.halfConversion;
  out.triple = std::move(triple);
  out.cpu = std::move(cpu);
  return out;
}

void unknownCpu(const std::string &cpu, const std::string &triple, Diagnostics &diagnostics) {
  const auto near = nearestNames(cpu, cpuNames(triple), 3);
  diagnostics.error("cpu-unknown", {},
                    fmt::format("no processor {} is known for {}; the nearest names are {}", quoted(cpu),
                                quoted(triple), fmt::join(near, ", ")));
}

}  // namespace

std::string_view isaName(Isa isa) {
  return infoOf(isa).name;
}
std::string_view isaTitle(Isa isa) {
  return infoOf(isa).title;
}

std::string hostTriple() {
  return llvm::Triple::normalize(llvm::sys::getDefaultTargetTriple());
}

std::vector<std::string> cpuNames(const std::string &triple) {
  llvm::SmallVector<llvm::StringRef, 128> names;
  const Family family = familyOf(llvm::Triple(llvm::Triple::normalize(triple)));
  if (family == Family::X86) llvm::X86::fillValidCPUArchList(names, /*Only64Bit=*/true);
  if (family == Family::AArch64) llvm::AArch64::fillValidCPUArchList(names);
  std::vector<std::string> out(names.begin(), names.end());
  if (family == Family::AArch64) out.push_back("generic");
  out.push_back("portable");
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::optional<Target> resolveTarget(const std::string &triple, const std::string &cpu, Diagnostics &diagnostics) {
  if (triple == "portable") {
    if (cpu.empty() || cpu == "portable" || cpu == "generic") {
      return makeTarget(triple, "portable", infoOf(Isa::Portable));
    }
    unknownCpu(cpu, triple, diagnostics);
    return std::nullopt;
  }
  const std::string name = triple.empty() ? hostTriple() : llvm::Triple::normalize(triple);
  const llvm::Triple parsed(name);
  if (parsed.getArch() == llvm::Triple::UnknownArch) {
    diagnostics.error("target-unknown", {},
                      fmt::format("target {} names no architecture that is known; needed is a triple such as "
                                  "x86_64-linux-gnu or aarch64-linux-gnu, or 'portable'",
                                  quoted(triple)));
    return std::nullopt;
  }
  if (!parsed.isLittleEndian()) {
    diagnostics.error(
        "target-unknown", {},
        fmt::format("target {} is big-endian; packed weights need a little-endian machine", quoted(triple)));
    return std::nullopt;
  }
  const Family family = familyOf(parsed);
  const bool host =
      parsed.getArch() == llvm::Triple(hostTriple()).getArch() && parsed.getOS() == llvm::Triple(hostTriple()).getOS();
  std::string processor = cpu;
  if (processor.empty()) processor = host ? hostCpu(family) : baselineOf(family);
  if (processor == "portable" || (family == Family::Other && processor == "generic")) {
    return makeTarget(name, "portable", infoOf(Isa::Portable));
  }
  const auto has = featuresOf(family, processor);
  if (!has) {
    unknownCpu(processor, name, diagnostics);
    return std::nullopt;
  }
  return makeTarget(name, processor, richest(*has));
}

bool checkPrecision(const Target &target, const ir::Program &program, Diagnostics &diagnostics) {
  if (target.traits.halfArithmetic) return true;
  for (const ir::Weights &weights : program.weights) {
    if (weights.schedule.accumulate != ir::Accumulate::F16x4) continue;
    diagnostics.error("precision-unsupported", {},
                      fmt::format("the schedule of {} sums in half precision (f16x4), which {} ({}) has no "
                                  "instructions for; needed is f32",
                                  quoted(weights.name), quoted(target.cpu), isaTitle(target.isa)));
    return false;
  }
  return true;
}

}  // namespace rtmc::backend
