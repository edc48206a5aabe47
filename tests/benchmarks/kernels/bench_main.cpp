// Times every kernel of every set that this processor runs, with Google Benchmark: kernel_benchmarks
// --benchmark_filter=...
//
// A sample (one repetition) is the median of rounds in which the kernel and a loop that only reads the same bytes take
// turns, so that `share`, the part of the reading speed that the kernel reaches, compares like with like. 2 MB pages,
// warm caches, one thread. Each kernel is checked against a plain loop before it is timed; a wrong one is an error and
// makes the exit status 1.
#include "bench_case.h"
#include "bench_data.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

// Written by CMake: all that were compiled.
extern const BenchSet *const kBenchSets[];
extern const uint32_t kBenchSetCount;

namespace rtmc::bench {
namespace {

// In the L1 (32 or 48 KB), in the L2 (512 KB to 2 MB), beyond it.
constexpr uint64_t kFootprints[] = {24 << 10, 400 << 10, 8 << 20};
constexpr uint64_t kPerTurn = 2 << 20;  // bytes that a turn reads at least, for the clock's sake
constexpr int kRounds = 15;

int failures = 0;
volatile float sink;

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

template <class F>
double secondsOf(uint64_t repeats, F &&f) {
  const auto start = std::chrono::steady_clock::now();
  for (uint64_t i = 0; i < repeats; ++i) f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / static_cast<double>(repeats);
}

/// Median seconds of one pass of each; by turns.
struct Times {
  double kernel, reading;
};
template <class F>
Times timeByTurns(const BenchSet &set, const unsigned char *values, uint64_t bytes, F &&kernel) {
  const uint64_t repeats = std::max<uint64_t>(1, kPerTurn / bytes);
  const auto read = [&] { sink = sink + set.readAll(values, bytes); };
  std::vector<double> kernels, readings;
  for (int round = 0; round <= kRounds; ++round) {
    const double k = secondsOf(repeats, kernel), r = secondsOf(repeats, read);
    if (round == 0) continue;  // warms up
    kernels.push_back(k);
    readings.push_back(r);
  }
  return {median(kernels), median(readings)};
}

void timeCase(benchmark::State &state, const BenchSet &set, const BenchCase &benchCase, const WeightMemory &memory,
              uint64_t footprint) {
  CaseData data(benchCase, memory, footprint);
  if (const std::string mistake = data.check(); !mistake.empty()) {
    ++failures;
    state.SkipWithError(mistake.c_str());
    return;
  }
  Times times{};
  for (auto _ : state) {
    times = timeByTurns(set, data.values(), data.bytes(), [&] { data.run(); });
    times.kernel /= benchCase.steps;
    state.SetIterationTime(times.kernel);
  }
  const double ns = times.kernel * 1e9;
  state.counters["GB/s"] = static_cast<double>(data.bytes()) / ns;
  state.counters["weights/ns"] = static_cast<double>(data.weights()) / ns;
  state.counters["share"] = times.reading / times.kernel;
}

void timeReading(benchmark::State &state, const BenchSet &set, const WeightMemory &memory, uint64_t footprint) {
  const unsigned char *values = memory.of(Precision::F32);
  double seconds = 0;
  for (auto _ : state) {
    seconds = timeByTurns(set, values, footprint, [] {}).reading;
    state.SetIterationTime(seconds);
  }
  state.counters["GB/s"] = static_cast<double>(footprint) / seconds * 1e-9;
}

void timeGates(benchmark::State &state, const BenchSet &set) {
  std::vector<float> in(4096), out(1024);
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>(i % 97) * 0.05f - 2.4f;
  for (auto _ : state) {
    std::vector<double> seconds;
    for (int round = 0; round < 3 * kRounds; ++round)
      seconds.push_back(secondsOf(50, [&] { set.gates(in.data(), out.data()); }));
    state.SetIterationTime(median(seconds));
    benchmark::DoNotOptimize(out.data());
  }
}

bool hasFeature(const std::string &feature) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string word; file >> word;)
    if (word == feature) return true;
  return feature.empty();
}

template <class F>
void add(const std::string &name, F &&function) {
  benchmark::RegisterBenchmark(name.c_str(), std::forward<F>(function))
      ->Iterations(1)
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

void addSet(const BenchSet &set, const WeightMemory &memory) {
  const std::string prefix = fmt::format("{}/{}/", set.isa, set.compiler);
  for (const uint64_t footprint : kFootprints) {
    const std::string suffix = fmt::format("/{}KB", footprint >> 10);
    add(prefix + "read" + suffix,
        [&, footprint](benchmark::State &state) { timeReading(state, set, memory, footprint); });
    for (uint32_t i = 0; i < set.count; ++i) {
      if (stripeBytes(set.cases[i]) > footprint) continue;
      add(prefix + set.cases[i].name + suffix,
          [&, i, footprint](benchmark::State &state) { timeCase(state, set, set.cases[i], memory, footprint); });
    }
  }
  add(prefix + "gates/1024", [&](benchmark::State &state) { timeGates(state, set); });
}

}  // namespace
}  // namespace rtmc::bench

int main(int count, char **arguments) {
  using namespace rtmc::bench;
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 1;
  const WeightMemory memory(*std::max_element(std::begin(kFootprints), std::end(kFootprints)));
  for (uint32_t i = 0; i < kBenchSetCount; ++i) {
    const BenchSet &set = *kBenchSets[i];
    if (hasFeature(set.feature))
      addSet(set, memory);
    else
      fmt::print(stderr, "skipped {}, {}: this processor lacks it\n", set.isa, set.compiler);
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  if (failures) fmt::print(stderr, "kernel_benchmarks: {} kernels are wrong\n", failures);
  return failures ? 1 : 0;
}
