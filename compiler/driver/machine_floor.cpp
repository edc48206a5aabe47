#include "driver/machine_floor.h"

#include <fmt/format.h>
#include <llvm/Support/FormatVariadic.h>

#include <map>
#include <set>
#include <vector>

namespace rtmc::driver {
namespace {

/// Rows of recurrent gates that are computed: one entry per gate, whichever of its matrices has rows.
uint64_t liveGatesOf(const ir::Program &program) {
  std::map<std::string, uint64_t> rowsOfGate;
  for (const ir::Weights &weights : program.weights) {
    const size_t dot = weights.name.find('.'), last = weights.name.rfind('.');
    if (dot == std::string::npos || last == dot) continue;
    const std::string tensor = weights.name.substr(dot + 1, last - dot - 1);
    if (!tensor.starts_with("weight_ih") && !tensor.starts_with("weight_hh")) continue;
    uint64_t rows = weights.rows;
    if (weights.rowSpace != ir::kNone) {
      for (uint32_t unit : program.spaces[weights.rowSpace].order) rows -= unit == ir::kNone;
    }
    const std::string gate = weights.name.substr(last + 1, weights.name.find('@') - last - 1);
    const std::string direction = tensor.ends_with("_reverse") ? "_reverse" : "";
    uint64_t &most = rowsOfGate[fmt::format("{}{}.{}", weights.name.substr(0, dot), direction, gate)];
    most = std::max(most, rows);
  }
  uint64_t gates = 0;
  for (const auto &[name, rows] : rowsOfGate) gates += rows;
  return gates;
}

/// Of footprintOf(), by section: weights count where they are first multiplied with.
std::vector<uint64_t> bytesOfSections(const ir::Program &program) {
  std::vector<uint64_t> bytes;
  std::set<ir::Id> met;
  for (const ir::Section &section : program.sections) {
    bytes.push_back(0);
    for (const ir::Phase &phase : section.phases)
      for (const ir::Operation &operation : phase.ops) {
        const auto *product = std::get_if<ir::MatMul>(&operation);
        if (!product || !met.insert(product->weights).second) continue;
        const ir::Weights &weights = program.weights[product->weights];
        bytes.back() += weights.nonzeros * bytesOf(weights.schedule.precision);
      }
    bytes.back() /= program.shares;
  }
  return bytes;
}

/// ns in which a step of several that are computed together reads what it needs. Each section runs for all of them
/// before the next: it fetches its weights from where all lie, once, and then finds them where its own fit.
double readingNs(const ir::Program &program, const passes::Machine &machine, uint64_t footprint, double together) {
  const auto gbps = [&](uint64_t bytes) { return machine.readGbps(std::max<uint64_t>(bytes, 64)); };
  const double far = gbps(footprint);
  if (far <= 0) return 0;
  const std::vector<uint64_t> sections = bytesOfSections(program);
  double ns = 0;
  for (size_t i = 0; i < sections.size(); ++i) {
    const double bytes = static_cast<double>(sections[i]);
    ns += bytes / far / together;
    if (program.sections[i].kind != ir::SectionKind::PerChunk)
      ns += bytes / std::max(far, gbps(sections[i])) * (1 - 1 / together);
  }
  return ns;
}

/// Multiply-adds per ns of one core in the arithmetic that the precision allows.
double peakOf(const passes::Machine &machine, Precision precision) {
  return precision == Precision::F16 ? std::max(machine.fmaGops32, machine.fmaGopsHalf) : machine.fmaGops32;
}

}  // namespace

llvm::Expected<passes::Machine> measureMachine(RunnerClient &runner, json::Object request) {
  auto reply = runner.ask(std::move(request));
  if (!reply) return reply.takeError();
  reply->erase("ok");
  return passes::parseMachine(llvm::formatv("{0}", json::Value(std::move(*reply))).str(), "rtmc-runner");
}

json::Object describeMachine(const passes::Machine &machine) {
  json::Array levels;
  for (const passes::Machine::Level &level : machine.bandwidth) {
    levels.push_back(json::Object{{"bytes", level.bytes}, {"gbps", level.gbps}, {"gbps_4k_pages", level.gbps4k}});
  }
  return json::Object{{"name", machine.name},
                      {"source", machine.source},
                      {"cores", machine.cores},
                      {"bandwidth", std::move(levels)},
                      {"fma_f32_per_ns", machine.fmaGops32},
                      {"fma_half_per_ns", machine.fmaGopsHalf},
                      {"convert_f16_per_ns", machine.convertGopsF16},
                      {"convert_bf16_per_ns", machine.convertGopsBf16},
                      {"barrier_ns", machine.barrierNs},
                      {"handover_ns", machine.handoverNs},
                      {"gate_ns", machine.gateNs},
                      {"loads_per_ns", machine.loadsPerNs},
                      {"tile_ns", machine.tileNs},
                      {"scatter_ns", machine.scatterNs}};
}

passes::Machine best(const passes::Machine &a, const passes::Machine &b) {
  passes::Machine result = a;
  for (size_t i = 0; i < std::min(a.bandwidth.size(), b.bandwidth.size()); ++i) {
    result.bandwidth[i].gbps = std::max(a.bandwidth[i].gbps, b.bandwidth[i].gbps);
    result.bandwidth[i].gbps4k = std::max(a.bandwidth[i].gbps4k, b.bandwidth[i].gbps4k);
  }
  result.fmaGops32 = std::max(a.fmaGops32, b.fmaGops32);
  result.fmaGopsHalf = std::max(a.fmaGopsHalf, b.fmaGopsHalf);
  result.convertGopsF16 = std::max(a.convertGopsF16, b.convertGopsF16);
  result.convertGopsBf16 = std::max(a.convertGopsBf16, b.convertGopsBf16);
  result.loadsPerNs = std::max(a.loadsPerNs, b.loadsPerNs);
  result.barrierNs = std::min(a.barrierNs, b.barrierNs);
  result.handoverNs = std::min(a.handoverNs, b.handoverNs);
  result.gateNs = std::min(a.gateNs, b.gateNs);
  return result;
}

uint64_t footprintOf(const ir::Program &program) {
  uint64_t bytes = 0;
  for (const ir::Weights &weights : program.weights) bytes += weights.nonzeros * bytesOf(weights.schedule.precision);
  return bytes / program.shares;
}

Floor floorOf(const ir::Program &program, const passes::Machine &machine, uint32_t stepsPerCall) {
  Floor floor;
  floor.footprintBytes = footprintOf(program);
  floor.liveGates = liveGatesOf(program);
  const double shares = program.shares;
  const double together = std::min(program.chunk, stepsPerCall);
  floor.bandwidthUs = readingNs(program, machine, floor.footprintBytes, together) / 1000;
  for (const ir::Weights &weights : program.weights) {
    floor.multiplyAddUs +=
        static_cast<double>(weights.nonzeros) / peakOf(machine, weights.schedule.precision) / shares / 1000;
  }
  floor.gateUs = static_cast<double>(floor.liveGates) * machine.gateNs / shares / 1000;
  return floor;
}

}  // namespace rtmc::driver
