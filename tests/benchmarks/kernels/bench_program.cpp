// Times every kernel of kBenchCases at footprints from the L2 to memory, and prints the share of the pure reading speed
// that it reaches. Both are measured by turns in one run, on 2 MB pages, warm, one thread; the best of many rounds.
#include "bench_case.h"

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

unsigned char *hugePages(size_t bytes) {
  constexpr size_t page = 2 << 20;
  const size_t size = (bytes + 2 * page) / page * page;
  void *memory = mmap(nullptr, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  auto *start = reinterpret_cast<unsigned char *>((reinterpret_cast<uintptr_t>(memory) + page - 1) / page * page);
  madvise(start, size, MADV_HUGEPAGE);
  std::memset(start, 0, size);
  return start;
}

volatile float sink;

template <class F>
double secondsOf(int repeats, F &&f) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < repeats; i++) f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / repeats;
}

void timeKernel(const BenchCase &k, uint64_t footprint, const unsigned char *values) {
  const uint64_t tileBytes = uint64_t{k.entries} * k.entryBytes;
  const uint32_t tiles = static_cast<uint32_t>(std::max<uint64_t>(1, footprint / tileBytes));
  const uint64_t bytes = tiles * tileBytes;
  // Every tile is a stripe with columns of its own, as in a pruned matrix.
  std::vector<uint16_t> columns(size_t{tiles} * k.entries * k.columnsPerEntry), rows(k.rows);
  for (auto &c : columns) c = static_cast<uint16_t>(std::rand() % 1008);
  for (uint32_t i = 0; i < k.rows; i++) rows[i] = static_cast<uint16_t>(i * 3 % k.rows);
  std::vector<float> x(2048, 0.0f), y(std::max(k.rows, 4096u) + 64);
  const auto run = [&] {
    for (uint32_t t = 0; t < tiles; t++)
      k.call(values + t * tileBytes, columns.data() + size_t{t} * k.entries * k.columnsPerEntry, k.entries, 1, x.data(),
             y.data() + (t * k.rows) % 4096, rows.data(), k.rows);
  };
  const auto read = [&] { sink = sink + readAll(values, bytes); };
  const int repeats = static_cast<int>(std::max<uint64_t>(1, 4000000 / bytes));
  double best = 1e9, floor = 1e9;
  const int rounds = footprint > (8u << 20) ? 15 : 60;
  for (int i = 0; i < rounds; i++) {
    best = std::min(best, secondsOf(repeats, run));
    floor = std::min(floor, secondsOf(repeats, read));
  }
  std::printf("%-9s %-40s %4u %8llu KB %8.2f us %7.1f GB/s  read %7.1f GB/s  share %.2f\n", kBenchIsa, k.name,
              k.entries, static_cast<unsigned long long>(bytes >> 10), best * 1e6,
              static_cast<double>(bytes) / best * 1e-9, static_cast<double>(bytes) / floor * 1e-9, floor / best);
}

}  // namespace

int main() {
  const uint64_t footprints[] = {200 << 10, 700 << 10, 2 << 20, 38 << 20};
  const unsigned char *values = hugePages(40 << 20);
  for (uint32_t i = 0; i < kBenchCaseCount; i++)
    for (const uint64_t footprint : footprints) timeKernel(kBenchCases[i], footprint, values);
  std::vector<float> in(4096), out(1024);
  for (size_t i = 0; i < in.size(); i++) in[i] = static_cast<float>(i % 97) * 0.05f - 2.4f;
  double best = 1e9;
  for (int i = 0; i < 300; i++) best = std::min(best, secondsOf(50, [&] { gates(in.data(), out.data()); }));
  std::printf("%-9s gates of 1024 GRU units %.3f us\n", kBenchIsa, best * 1e6);
}
