#include "passes/machine.h"

#include "ir/yaml_reader.h"
#include "support/check.h"
#include "support/files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

namespace rtmc::passes {

namespace {

constexpr uint64_t kFileLimit = 1 << 20;

struct Shipped {
  std::string_view name;
  const char *text;
};
constexpr Shipped kShipped[] = {
#include "machines.inc"
};

/// Processors whose description is another's: the same cores, or the nearest that we have.
constexpr std::pair<std::string_view, std::string_view> kNearest[] = {
    {"x86-64-v3", "haswell"},
    {"broadwell", "haswell"},
    {"skylake", "haswell"},
    {"alderlake", "haswell"},
    {"raptorlake", "haswell"},
    {"meteorlake", "haswell"},
    {"arrowlake", "haswell"},
    {"x86-64-v4", "skylake-avx512"},
    {"cascadelake", "skylake-avx512"},
    {"cooperlake", "skylake-avx512"},
    {"cannonlake", "icelake-server"},
    {"icelake-client", "icelake-server"},
    {"tigerlake", "icelake-server"},
    {"rocketlake", "icelake-server"},
    {"emeraldrapids", "sapphirerapids"},
    {"graniterapids", "sapphirerapids"},
    {"graniterapids-d", "sapphirerapids"},
    {"diamondrapids", "sapphirerapids"},
    {"znver1", "znver3"},
    {"znver2", "znver3"},
    {"cortex-a34", "cortex-a53"},
    {"cortex-a35", "cortex-a53"},
    {"cortex-a55", "cortex-a53"},
    {"cortex-a510", "cortex-a53"},
    {"cortex-a72", "generic-aarch64"},
    {"cortex-a73", "generic-aarch64"},
    {"cortex-a75", "cortex-a76"},
    {"cortex-a77", "cortex-a76"},
    {"cortex-a78", "cortex-a76"},
    {"cortex-a78c", "cortex-a76"},
    {"cortex-a710", "cortex-a76"},
    {"cortex-a715", "cortex-a76"},
    {"cortex-x1c", "cortex-x1"},
    {"cortex-x2", "cortex-x1"},
    {"cortex-x3", "cortex-x1"},
    {"cortex-x4", "cortex-x1"},
    {"neoverse-e1", "cortex-a53"},
    {"neoverse-n2", "neoverse-n1"},
    {"neoverse-v1", "cortex-x1"},
    {"neoverse-v2", "cortex-x1"},
    {"apple-m2", "apple-m1"},
    {"apple-m3", "apple-m1"},
    {"apple-m4", "apple-m1"},
    {"apple-a14", "apple-m1"},
    {"apple-a15", "apple-m1"},
    {"apple-a16", "apple-m1"},
};

const Shipped *findShipped(std::string_view name) {
  const auto *found =
      std::find_if(std::begin(kShipped), std::end(kShipped), [&](const Shipped &s) { return s.name == name; });
  return found == std::end(kShipped) ? nullptr : found;
}

const Shipped &nearestShipped(const std::string &cpu, const std::string &triple) {
  if (const Shipped *exact = findShipped(cpu)) return *exact;
  for (const auto &[name, nearest] : kNearest)
    if (cpu == name) return *findShipped(nearest);
  const std::string_view architecture = std::string_view(triple).substr(0, triple.find('-'));
  const bool arm = architecture.starts_with("aarch64") || architecture.starts_with("arm");
  return *findShipped(arm ? "generic-aarch64" : "generic-x86-64");
}

using Field = double Machine::*;
constexpr std::pair<const char *, Field> kFields[] = {
    {"fmaGops32", &Machine::fmaGops32},
    {"fmaGopsHalf", &Machine::fmaGopsHalf},
    {"convertGopsF16", &Machine::convertGopsF16},
    {"convertGopsBf16", &Machine::convertGopsBf16},
    {"barrierNs", &Machine::barrierNs},
    {"handoverNs", &Machine::handoverNs},
    {"gateNs", &Machine::gateNs},
    {"loadsPerNs", &Machine::loadsPerNs},
    {"tileNs", &Machine::tileNs},
    {"scatterNs", &Machine::scatterNs},
};

/// Rates may be 0 (the machine has none); costs and bandwidths must be more.
double amount(ir::YamlErrors &errors, ir::YamlMap &map, const char *key, double absent, bool zeroAllowed) {
  const YAML::Node *node = map.node(key);
  if (!node) return absent;
  double value = -1;
  const bool number = node->IsScalar() && ir::parseNumber(node->Scalar(), value);
  if (!number || !std::isfinite(value) || value < 0 || (value == 0 && !zeroAllowed))
    errors.fail(*node, fmt::format("'{}' must be a finite number{}", key, zeroAllowed ? " from 0" : " above 0"));
  return value;
}

Machine readDescription(ir::YamlErrors &errors, const YAML::Node &root) {
  Machine machine;
  ir::YamlMap map(errors, root, "machine");
  map.node("ok");  // a reply of rtmc-runner may stand here as it came
  machine.name = map.text("name", true);
  machine.source = map.has("source") ? map.text("source") : "measured";
  machine.cores = map.number<uint32_t>("cores", 1);
  if (machine.cores == 0) map.fail("'cores' is 0; at least 1 is needed");
  for (const YAML::Node &node : map.list("bandwidth")) {
    ir::YamlMap entry(errors, node, "bandwidth");
    Machine::Level level;
    level.bytes = entry.requiredNumber<uint64_t>("bytes");
    level.gbps = amount(errors, entry, "gbps", 0, false);
    level.gbps4k = amount(errors, entry, "gbps4k", level.gbps, false);
    if (!entry.has("gbps")) entry.fail("the key 'gbps' is missing");
    entry.done();
    if (level.bytes <= (machine.bandwidth.empty() ? 0 : machine.bandwidth.back().bytes))
      entry.fail("'bytes' must be above 0 and ascend from entry to entry");
    machine.bandwidth.push_back(level);
  }
  if (machine.bandwidth.empty()) map.fail("'bandwidth' must list at least one footprint");
  for (const auto &[key, field] : kFields) {
    const std::string_view name = key;
    machine.*field = amount(errors, map, key, machine.*field, name != "fmaGops32" && name != "gateNs");
  }
  if (!map.has("fmaGops32")) map.fail("the key 'fmaGops32' is missing");
  map.done();
  return machine;
}

}  // namespace

double Machine::readGbps(uint64_t footprintBytes, bool hugePages) const {
  if (bandwidth.empty()) return 0;
  const auto of = [&](const Level &level) { return hugePages ? level.gbps : level.gbps4k; };
  const auto above = std::find_if(bandwidth.begin(), bandwidth.end(),
                                  [&](const Level &level) { return level.bytes >= footprintBytes; });
  if (above == bandwidth.begin()) return of(bandwidth.front());
  if (above == bandwidth.end()) return of(bandwidth.back());
  // Straight in logarithms: footprints and bandwidths both span two decades.
  const Level &low = *(above - 1), &high = *above;
  const double share = std::log(static_cast<double>(footprintBytes) / static_cast<double>(low.bytes)) /
                       std::log(static_cast<double>(high.bytes) / static_cast<double>(low.bytes));
  return of(low) * std::pow(of(high) / of(low), share);
}

Machine shippedMachine(const std::string &cpu, const std::string &triple) {
  const Shipped &shipped = nearestShipped(cpu, triple);
  llvm::Expected<Machine> machine = parseMachine(shipped.text, std::string(shipped.name));
  if (!machine) RTMC_CHECK(false, llvm::toString(machine.takeError()));
  return *machine;
}

llvm::Expected<Machine> parseMachine(const std::string &text, const std::string &path) {
  try {
    ir::YamlErrors errors;
    Machine machine = readDescription(errors, YAML::Load(text));
    if (llvm::Error error = errors.take())
      return llvm::createStringError(path + ": " + llvm::toString(std::move(error)));
    return machine;
  } catch (const YAML::Exception &e) {
    return llvm::createStringError(fmt::format("{}: line {}: {}", path, e.mark.line + 1, e.msg));
  }
}

llvm::Expected<Machine> readMachine(const std::string &path) {
  llvm::Expected<std::string> text = readTextFile(path, kFileLimit);
  if (!text) return text.takeError();
  return parseMachine(*text, path);
}

std::string printMachine(const Machine &machine) {
  std::string text = fmt::format("name: {}\nsource: {}\ncores: {}\nbandwidth:\n", ir::yamlString(machine.name),
                                 ir::yamlString(machine.source), machine.cores);
  for (const Machine::Level &level : machine.bandwidth)
    text += fmt::format("  - {{bytes: {}, gbps: {}, gbps4k: {}}}\n", level.bytes, ir::yamlNumber(level.gbps),
                        ir::yamlNumber(level.gbps4k));
  for (const auto &[key, field] : kFields) text += fmt::format("{}: {}\n", key, ir::yamlNumber(machine.*field));
  return text;
}

}  // namespace rtmc::passes
