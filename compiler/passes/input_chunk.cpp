#include "passes/input_chunk.h"

#include <algorithm>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace rtmc::passes {

using namespace ir;

namespace {

/// An eighth of the reading is left of what a chunk shares. More where weights lie far away: then the products of the
/// states, layer by layer, also find theirs in a nearer cache.
constexpr uint32_t kChunk = 8, kMost = 32;
/// How much of the weights' bytes the rows of a larger chunk may take, and what twice the steps must be predicted to
/// save of the products' time. The prediction counts bytes alone, and as much again is saved (ADR 0021).
constexpr double kRows = 1.0 / 8, kLeastOfMore = 0.005;
/// Several threads wait for each other once more per layer: not worth it below so many ns of products (ADR 0011, 0021).
constexpr double kLongNs = 100e3;
/// Rows for every step cost something as well: what is gained must be more than this share.
constexpr double kLeastGain = 0.015;
/// Of reading and multiplying, the shorter one hides behind the longer one but for this share.
constexpr double kUnhidden = 0.25;
constexpr uint64_t kInL1 = 16 * 1024;
/// The ends of so many short loops a processor foresees; what another one costs, which a chunk meets once and not in
/// each step; and what a layer's second section costs a step, which counts where nothing is gained in reading. Zen 5,
/// as much as was gained at the least (ADR 0020).
constexpr double kForeseen = 48, kEndNs = 4, kSectionNs = 12;
/// What reading alone must gain for a layer: a call of one step gains nothing, and pays for the second section.
constexpr double kLeastReadingNs = 24;

struct Counts {
  uint64_t inputs = 0;  // kept weights of products of x: all of a linear layer, in a recurrent one those of its inputs
  uint64_t all = 0;
  uint64_t loops = 0;  // of those products: one per pattern of kept columns
  uint64_t layers = 0;
  std::vector<uint64_t> states;  // kept weights of each layer's and direction's products of the state
  uint64_t rowBytes = 0;         // kept for each step of a chunk: products of x and outputs
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

void addInputs(const Tensor &weights, const Layer &layer, uint32_t lanes, Counts &counts) {
  const uint64_t kept = keptOf(weights);
  counts.inputs += kept;
  counts.all += kept;
  counts.rowBytes += (weights.rows() + layer.size) * sizeof(float);
  counts.loops += patternsOf(weights, std::max(1u, layer.size), lanes);
  ++counts.layers;
}

Counts countsOf(const Network &network, uint32_t lanes) {
  Counts counts;
  for (const Layer &layer : network.layers) {
    if (const auto *linear = std::get_if<Linear>(&layer.op)) addInputs(linear->weight, layer, lanes, counts);
    const std::vector<Recurrence> *directions = recurrences(layer);
    if (!directions) continue;
    for (const Recurrence &r : *directions) {
      addInputs(r.weightIh, layer, lanes, counts);
      counts.states.push_back(keptOf(r.weightHh) + keptOf(r.weightHr));
      counts.all += counts.states.back();
    }
  }
  return counts;
}

/// Predicted ns of products per step.
class Products {
 public:
  Products(const Counts &counts, const Machine &machine, Precision precision)
      : counts_(counts), machine_(machine), bytes_(bytesOf(precision)) {
    const double convert = precision == Precision::F16    ? machine.convertGopsF16
                           : precision == Precision::BF16 ? machine.convertGopsBf16
                                                          : machine.fmaGops32;
    multiply_ = 1 / std::min(machine.fmaGops32, convert);
    multiplyTogether_ = (multiply_ + 1 / machine.fmaGops32) / 2;  // two steps share what is widened
    far_ = readNs(counts.all);
    near_ = bytes_ / machine.readGbps(kInL1);
  }
  /// A weight that is read from where all of them lie.
  double each() const { return overlapped(far_, multiply_); }
  /// A weight that a chunk reads once from there and then from the L1.
  double together(uint32_t chunk) const { return overlapped(near_ + (far_ - near_) / chunk, multiplyTogether_); }
  /// Of all: a layer's products of the state find their weights again in the cache that holds the layer's.
  double ofChunk(uint32_t chunk) const {
    double ns = static_cast<double>(counts_.inputs) * together(chunk);
    for (const uint64_t weights : counts_.states) {
      const double again = std::min(far_, readNs(weights));
      ns += static_cast<double>(weights) * overlapped(again + (far_ - again) / chunk, multiply_);
    }
    return ns;
  }

 private:
  double readNs(uint64_t weights) const {
    return bytes_ / machine_.readGbps(std::max<uint64_t>(64, static_cast<uint64_t>(weights * bytes_)));
  }
  static double overlapped(double a, double b) { return std::max(a, b) + kUnhidden * std::min(a, b); }

  const Counts &counts_;
  const Machine &machine_;
  double bytes_;
  double multiply_, multiplyTogether_, far_, near_;  // ns of a weight
};

}  // namespace

uint32_t inputChunk(const Network &network, const Context &context) {
  const Options &options = context.options;
  const Counts counts = countsOf(network, context.target.lanes);
  if (!network.causal() || counts.inputs == 0) return 1;
  if (options.chunk != 0) return options.chunk;
  // Half-precision sums copy x step by step.
  if (options.precision == Precision::F16 && context.target.halfArithmetic) return 1;
  const Products products(counts, context.machine, options.precision);
  if (options.threads > 1 && static_cast<double>(counts.all) * products.each() < kLongNs) return 1;
  const double reading = static_cast<double>(counts.inputs) * (products.each() - products.together(kChunk));
  const double ends = kEndNs * (1 - 1.0 / kChunk) * std::max(0.0, static_cast<double>(counts.loops) - kForeseen) -
                      kSectionNs * static_cast<double>(counts.layers);
  if (ends <= 0 && reading < kLeastReadingNs * static_cast<double>(counts.layers)) return 1;
  const double all = static_cast<double>(counts.all);
  if (reading + std::max(0.0, ends) <= kLeastGain * all * products.each()) return 1;
  const double mostRows = kRows * all * static_cast<double>(bytesOf(options.precision));
  uint32_t chunk = kChunk;
  while (2 * chunk <= kMost && 2 * chunk * static_cast<double>(counts.rowBytes) <= mostRows &&
         products.ofChunk(2 * chunk) < (1 - kLeastOfMore) * products.ofChunk(chunk))
    chunk *= 2;
  return chunk;
}

}  // namespace rtmc::passes
