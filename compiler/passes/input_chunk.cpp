#include "passes/input_chunk.h"

#include <algorithm>
#include <set>
#include <string>
#include <variant>

namespace rtmc::passes {

using namespace ir;

namespace {

/// An eighth of the reading is left of what a chunk shares; 16 gained nothing more where it was measured.
constexpr uint32_t kChunk = 8;
/// Rows for every step cost something as well: what is gained must be more than this share.
constexpr double kLeastGain = 0.015;
/// Of reading and multiplying, the shorter one hides behind the longer one but for this share.
constexpr double kUnhidden = 0.25;
constexpr uint64_t kInL1 = 16 * 1024;
/// The ends of so many short loops a processor foresees; what another one costs, which a chunk meets once and not in
/// each step; and what a layer's second section costs a step, which counts where nothing is gained in reading. Zen 5,
/// as much as was gained at the least (ADR 0020).
constexpr double kForeseen = 48, kEndNs = 4, kSectionNs = 12;

struct Counts {
  uint64_t inputs = 0;  // kept weights of recurrent layers' products of x
  uint64_t all = 0;
  uint64_t loops = 0;  // of those products: one per pattern of kept columns
  uint64_t layers = 0;
};

uint64_t keptOf(const Tensor &tensor) {
  return tensor.present() ? tensor.values.size() -
                                static_cast<uint64_t>(std::count(tensor.values.begin(), tensor.values.end(), 0.0f))
                          : 0;
}

/// Different patterns of kept columns, gate by gate; at most as many as there are vectors of rows. None in a gate whose
/// rows share hardly any: what is not computed in stripes gains nothing (measured).
uint64_t patternsOf(const Tensor &tensor, uint32_t units, uint32_t lanes) {
  const size_t most = (units + lanes - 1) / lanes;
  uint64_t count = 0;
  std::string pattern(tensor.columns(), ' ');
  for (uint32_t first = 0; first < tensor.rows(); first += units) {
    const uint32_t end = std::min(first + units, tensor.rows());
    std::set<std::string> patterns;
    size_t live = 0;
    for (uint32_t row = first; row < end && patterns.size() < most; ++row) {
      const float *values = tensor.values.data() + size_t{row} * tensor.columns();
      for (uint32_t c = 0; c < tensor.columns(); ++c) pattern[c] = values[c] != 0 ? '1' : '0';
      if (pattern.find('1') == std::string::npos) continue;
      patterns.insert(pattern);
      ++live;
    }
    if (2 * patterns.size() <= live) count += patterns.size();
  }
  return count;
}

Counts countsOf(const Network &network, uint32_t lanes) {
  Counts counts;
  for (const Layer &layer : network.layers) {
    if (const auto *linear = std::get_if<Linear>(&layer.op)) counts.all += keptOf(linear->weight);
    const std::vector<Recurrence> *directions = recurrences(layer);
    if (!directions) continue;
    for (const Recurrence &r : *directions) {
      const uint64_t inputs = keptOf(r.weightIh);
      counts.inputs += inputs;
      counts.loops += patternsOf(r.weightIh, std::max(1u, layer.size), lanes);
      ++counts.layers;
      counts.all += inputs + keptOf(r.weightHh) + keptOf(r.weightHr);
    }
  }
  return counts;
}

/// Weights per ns that one core multiplies, its precision widened.
double multiplyRate(const Machine &machine, Precision precision) {
  const double convert = precision == Precision::F16    ? machine.convertGopsF16
                         : precision == Precision::BF16 ? machine.convertGopsBf16
                                                        : machine.fmaGops32;
  return std::min(machine.fmaGops32, convert);
}

}  // namespace

uint32_t inputChunk(const Network &network, const Context &context) {
  const Options &options = context.options;
  const Counts counts = countsOf(network, context.target.lanes);
  if (!network.causal() || counts.inputs == 0) return 1;
  if (options.chunk != 0) return options.chunk;
  // Several threads wait for each other rather than for weights, and would wait once more: measured in ADR 0011.
  // Half-precision sums copy x step by step.
  if (options.threads > 1 || (options.precision == Precision::F16 && context.target.halfArithmetic)) return 1;
  const Machine &machine = context.machine;
  const double bytes = bytesOf(options.precision);
  const auto overlapped = [](double a, double b) { return std::max(a, b) + kUnhidden * std::min(a, b); };
  const double read = bytes / machine.readGbps(std::max<uint64_t>(64, counts.all * bytesOf(options.precision)));
  const double multiply = 1 / multiplyRate(machine, options.precision);
  const double each = overlapped(read, multiply);
  // Once per chunk from where the weights lie, then from the L1.
  const double near = bytes / machine.readGbps(kInL1);
  const double together = overlapped(near + (read - near) / kChunk, multiply);
  const double reading = static_cast<double>(counts.inputs) * (each - together);
  const double ends = kEndNs * (1 - 1.0 / kChunk) * std::max(0.0, static_cast<double>(counts.loops) - kForeseen) -
                      kSectionNs * static_cast<double>(counts.layers);
  return reading + std::max(0.0, ends) > kLeastGain * static_cast<double>(counts.all) * each ? kChunk : 1;
}

}  // namespace rtmc::passes
