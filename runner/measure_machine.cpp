#include "measure_machine.h"

#include <rtm/abi.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "cpu_features.h"
#include "measure_barrier.h"
#include "measure_kernels.h"
#include "platform.h"
#include "request.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace rtmc::runner {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::duration;

constexpr size_t kKilo = 1024;
constexpr uint64_t kLargestFootprint = uint64_t{1} << 30;
constexpr size_t kHugePage = size_t{2} << 20;

volatile uint32_t wordSink;
volatile float floatSink;

/// Best of repetitions of some 50 us each, for `budget` seconds. `once(n)` does its work n times.
template <typename F>
double bestNs(double budget, F once) {
  const auto time = [&](size_t n) {
    const auto start = Clock::now();
    once(n);
    return duration<double, std::nano>(Clock::now() - start).count();
  };
  size_t n = 1;
  while (time(n) < 50'000 && n < (size_t{1} << 30)) n *= 2;
  double best = time(n) / static_cast<double>(n);
  const auto start = Clock::now();
  do {
    best = std::min(best, time(n) / static_cast<double>(n));
  } while (duration<double>(Clock::now() - start).count() < budget);
  return best;
}

/// Memory on pages of one size, as far as the system grants it. Written once, so that it is there.
class Pages {
 public:
  Pages(size_t bytes, bool huge) : length_(bytes + 2 * kHugePage) {
#if defined(__linux__)
    void *got = mmap(nullptr, length_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (got == MAP_FAILED) throw Failure("no memory for a footprint of " + std::to_string(bytes) + " bytes");
    base_ = static_cast<unsigned char *>(got);
#else
    owned_.reset(new (std::nothrow) unsigned char[length_]);
    if (!owned_) throw Failure("no memory for a footprint of " + std::to_string(bytes) + " bytes");
    base_ = owned_.get();
#endif
    const size_t off = reinterpret_cast<uintptr_t>(base_) % kHugePage;
    data_ = base_ + (off ? kHugePage - off : 0);
#if defined(__linux__)
    madvise(data_, (bytes + kHugePage - 1) / kHugePage * kHugePage, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
#endif
    std::memset(data_, 1, bytes);
  }
  Pages(const Pages &) = delete;
  Pages &operator=(const Pages &) = delete;
  ~Pages() {
#if defined(__linux__)
    munmap(base_, length_);
#endif
  }
  /// Aligned to far more than any vector.
  template <typename T>
  T *as() const {
    return reinterpret_cast<T *>(data_);
  }

 private:
  size_t length_;
  unsigned char *base_ = nullptr, *data_ = nullptr;
  std::unique_ptr<unsigned char[]> owned_;
};

/// The widest instruction set that this processor has and this program was built for.
const MeasureKernels &chooseKernels() {
  const uint32_t cpu = rtm::cpuFeatures();
  const std::pair<bool, const MeasureKernels *> sets[] = {
      {(cpu & RTM_CPU_AVX512FP16) != 0, measureKernelsAvx512Fp16()},
      {(cpu & RTM_CPU_AVX512) != 0, measureKernelsAvx512()},
      {(cpu & RTM_CPU_AVX2) != 0, measureKernelsAvx2()},
      {true, measureKernelsSse2()},
      {(cpu & RTM_CPU_NEON_FP16) != 0, measureKernelsNeonFp16()},
      {true, measureKernelsNeon()},
  };
  for (const auto &[usable, set] : sets)
    if (usable && set) return *set;
  return *measureKernelsScalar();
}

/// Chosen once: cpuid is a trap of a microsecond in a virtual machine.
const MeasureKernels &kernels() {
  static const MeasureKernels &chosen = chooseKernels();
  return chosen;
}

double readGbps(const Pages &pages, size_t bytes, double budget) {
  const size_t grains = std::max<size_t>(kReadGrain, bytes / kReadGrain * kReadGrain);
  double best = 0;
  for (const auto read : {kernels().read, kernels().readTwo}) {
    const double ns = bestNs(budget / 2, [&](size_t n) {
      for (size_t i = 0; i < n; ++i) wordSink = wordSink ^ read(pages.as<unsigned char>(), grains);
    });
    best = std::max(best, static_cast<double>(grains) / ns);
  }
  return best;
}

/// In rounds over all footprints: a neighbour that shares the caches for a while then spoils one try of each, not all
/// tries of one.
Json bandwidth(std::vector<uint64_t> footprints, double budget) {
  constexpr int kRounds = 4;
  std::sort(footprints.begin(), footprints.end());
  footprints.erase(std::unique(footprints.begin(), footprints.end()), footprints.end());
  const Pages huge(footprints.back(), true), small(footprints.back(), false);
  std::vector<double> gbps(footprints.size()), gbps4k(footprints.size());
  for (int round = 0; round < kRounds; ++round)
    for (size_t i = 0; i < footprints.size(); ++i) {
      gbps[i] = std::max(gbps[i], readGbps(huge, footprints[i], budget / kRounds));
      gbps4k[i] = std::max(gbps4k[i], readGbps(small, footprints[i], budget / kRounds));
    }
  Json levels = Json::array();
  for (size_t i = 0; i < footprints.size(); ++i)
    levels.push_back({{"bytes", footprints[i]}, {"gbps", gbps[i]}, {"gbps4k", gbps4k[i]}});
  return levels;
}

void measureRates(Json &machine, double budget) {
  const MeasureKernels &k = kernels();
  constexpr uint32_t kRounds = 256;
  constexpr size_t kWeights = 8192;  // 16 KB of 16-bit weights: in the L1
  const double fmaNs = bestNs(budget, [&](size_t n) {
    for (size_t i = 0; i < n; ++i) floatSink = k.fma32(kRounds, 0.5f, 1.0f);
  });
  machine["fmaGops32"] = kRounds * k.multiplyAddsPerRound / fmaNs;
  if (k.fmaHalf) {
    const double halfNs = bestNs(budget, [&](size_t n) {
      for (size_t i = 0; i < n; ++i) floatSink = k.fmaHalf(kRounds, 0.5f, 1.0f);
    });
    machine["fmaGopsHalf"] = kRounds * k.halvesPerRound / halfNs;
  }
  // Both formats read these bits as numbers of ordinary size.
  const Pages memory(2 * kWeights, false);
  auto *pairs = memory.as<uint32_t>(), *end = pairs + kWeights / 2;
  std::fill(pairs, end, 0x38003c00u);
  const auto *halves = memory.as<uint16_t>();
  machine["convertGopsF16"] = kWeights / bestNs(budget, [&](size_t n) {
                                for (size_t i = 0; i < n; ++i) floatSink = k.convertF16(halves, kWeights, 0.5f);
                              });
  machine["convertGopsBf16"] = kWeights / bestNs(budget, [&](size_t n) {
                                 for (size_t i = 0; i < n; ++i) floatSink = k.convertBf16(pairs, kWeights, 0.5f);
                               });
  const Pages pages(16 * kKilo, false);
  machine["loadsPerNs"] = readGbps(pages, 16 * kKilo, budget) / (k.lanes * sizeof(float));
}

void measureGates(Json &machine, double budget) {
  constexpr size_t kValues = 1024;
  const Pages memory(2 * kValues * sizeof(float), false);
  float *x = memory.as<float>(), *y = x + kValues;
  for (size_t i = 0; i < kValues; ++i) x[i] = static_cast<float>(i) / 256 - 2;
  double ns = 0;
  for (const auto gate : {kernels().sigmoid, kernels().tanh})
    ns += bestNs(budget, [&](size_t n) {
      for (size_t i = 0; i < n; ++i) {
        gate(x, y, kValues);
        floatSink = y[i % kValues];
      }
    });
  machine["gateNs"] = ns / 2 / kValues;
}

/// What a tile costs besides its entries: two sets of tiles, and the line through their times. Lengths vary inside a
/// set, as they do in kernels, because the end of a loop of unknown length is part of the cost. The row table's cost:
/// the same tiles stored row by row.
void measureTiles(Json &machine, double budget) {
  constexpr uint32_t kTiles = 64, kShort = 8, kLong = 24, kSpread = 4;
  const size_t rows = kTileVectors * kernels().lanes;
  const Pages memory((kLong + kSpread + kTiles) * rows * sizeof(float), false);
  float *weights = memory.as<float>(), *y = weights + (kLong + kSpread) * rows;
  std::fill(weights, y, 1.0f);
  const std::vector<float> x(256, 0.5f);
  std::vector<uint16_t> columns(kLong + kSpread), order(kTiles * rows), shorter(kTiles), longer(kTiles);
  for (size_t e = 0; e < columns.size(); ++e) columns[e] = static_cast<uint16_t>(e * 7);
  for (size_t r = 0; r < order.size(); ++r) order[r] = static_cast<uint16_t>(order.size() - 1 - r);
  uint32_t random = 1;
  for (uint32_t t = 0; t < kTiles; t += 2) {
    random = random * 1664525 + 1013904223;
    const uint32_t off = (random >> 16) % (2 * kSpread + 1);  // the two of a pair sum up to twice the mean
    shorter[t] = static_cast<uint16_t>(kShort - kSpread + off);
    shorter[t + 1] = static_cast<uint16_t>(kShort + kSpread - off);
    longer[t] = static_cast<uint16_t>(shorter[t] + kLong - kShort);
    longer[t + 1] = static_cast<uint16_t>(shorter[t + 1] + kLong - kShort);
  }
  const auto tileNs = [&](const std::vector<uint16_t> &entries, const uint16_t *table) {
    const double ns = bestNs(budget, [&](size_t n) {
      for (size_t i = 0; i < n; ++i) {
        kernels().tiles(weights, x.data(), columns.data(), entries.data(), kTiles, table, y);
        floatSink = y[0];
      }
    });
    return ns / kTiles;
  };
  const double brief = tileNs(shorter, nullptr), full = tileNs(longer, nullptr),
               scattered = tileNs(longer, order.data());
  const double perEntry = (full - brief) / (kLong - kShort);
  // Noise may turn small differences around; a cost of nothing would mislead the cost model more.
  machine["tileNs"] = std::max(0.2, brief - perEntry * kShort);
  machine["scatterNs"] = std::max(0.01, (scattered - full) / static_cast<double>(rows));
}

std::string processorName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name") && line.find(": ") != std::string::npos) return line.substr(line.find(": ") + 2);
  return "unknown processor";
}

std::vector<uint64_t> footprintsOf(bool quick) {
  std::vector<uint64_t> footprints;
  if (quick) {
    for (const size_t kb : {32, 256, 1024, 2048, 8192, 32768}) footprints.push_back(kb * kKilo);
  } else {
    for (const size_t kb :
         {16, 32, 48, 64, 128, 256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2560, 4096, 8192, 16384, 32768, 65536})
      footprints.push_back(kb * kKilo);
  }
  return footprints;
}

}  // namespace

Json measureMachine(const Json &request) {
  const bool quick = flagOf(request, "quick", false);
  const uint64_t footprint = countOf(request, "footprint_bytes", kLargestFootprint, 0);
  const double budget = quick ? 0.03 : 0.12;  // seconds per figure
  Json machine = {{"ok", true}};
  std::vector<uint64_t> footprints;
  if (quick || footprint == 0) footprints = footprintsOf(quick);
  if (footprint != 0) footprints.push_back(footprint);
  machine["bandwidth"] = bandwidth(footprints, budget);
  if (!quick && footprint != 0) return machine;

  machine["name"] = processorName();
  machine["source"] = "measured";
  machine["cores"] = std::max(1u, rtm::usableProcessors());
  measureRates(machine, budget);
  measureGates(machine, budget);
  measureTiles(machine, budget / 2);
  if (rtm::usableProcessors() > 1) {
    const double ns = barrierNs(2 * budget);
    const double line = handoverNs(2 * budget);
    if (ns < kBusyBarrierNs) machine["barrierNs"] = ns;
    // As with tiles: a cost of nothing would mislead more.
    if (line < kBusyBarrierNs) machine["handoverNs"] = std::max(0.1, line);
  }
  return machine;
}

}  // namespace rtmc::runner
