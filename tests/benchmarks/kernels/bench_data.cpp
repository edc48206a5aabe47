#include "bench_data.h"

#include "ir/kernel_walk.h"
#include "support/check.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>

namespace rtmc::bench {
namespace {

constexpr uint32_t kColumns = 1024;
constexpr uint64_t kSlack = 1 << 14;  // behind the last value: partial tiles read on
constexpr uint64_t kChecked = 48;     // stripes

/// Fast and the same everywhere.
class Random {
 public:
  uint32_t next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state_ >> 32);
  }
  /// Magnitude in [0.5, 1), either sign.
  float weight() { return std::bit_cast<float>((next() & 0x807fffffu) | 0x3f000000u); }

 private:
  uint64_t state_ = 88172645463325252u;
};

unsigned char *hugePages(uint64_t bytes) {
  constexpr uint64_t page = 2 << 20;
  const uint64_t size = (bytes + page - 1) / page * page;
  void *memory = mmap(nullptr, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    fmt::print(stderr, "kernel_benchmarks: no memory of {} bytes\n", size + page);
    std::exit(2);
  }
  auto *start = reinterpret_cast<unsigned char *>((reinterpret_cast<uintptr_t>(memory) + page - 1) / page * page);
  madvise(start, size, MADV_HUGEPAGE);
  return start;
}

ir::TileShape shapeOf(const BenchCase &k) {
  ir::TileShape shape;
  shape.lanes = k.lanes;
  shape.width = k.width;
  shape.vectors = k.vectors;
  shape.indexed = k.indexed;
  shape.partial = k.partial;
  shape.rowStep = k.rowStep;
  shape.denseColumns = k.denseColumns;
  shape.gather = k.gather;
  return shape;
}

/// Of one tile.
uint32_t rowsOfTile(const BenchCase &k) {
  return k.partial ? k.rows : shapeOf(k).rows();
}

}  // namespace

uint64_t stripeBytes(const BenchCase &k) {
  return k.tiles * ir::tileValueBytes(shapeOf(k), static_cast<Precision>(k.precision), k.entries, rowsOfTile(k));
}

WeightMemory::WeightMemory(uint64_t bytes) {
  bytes += kSlack;
  for (const Precision precision : {Precision::F32, Precision::F16, Precision::BF16}) {
    Random random;
    unsigned char *memory = hugePages(bytes);
    for (uint64_t at = 0; at + 4 <= bytes; at += 4) {
      uint32_t word = std::bit_cast<uint32_t>(random.weight());
      // Both halves of a bf16 word are the upper half of a float.
      if (precision == Precision::BF16) word = (word & 0xffff0000u) | (std::bit_cast<uint32_t>(random.weight()) >> 16);
      if (precision == Precision::F16)
        word = floatToHalf(random.weight()) | uint32_t{floatToHalf(random.weight())} << 16;
      std::memcpy(memory + at, &word, 4);
    }
    values_[static_cast<size_t>(precision)] = memory;
  }
}

CaseData::CaseData(const BenchCase &benchCase, const WeightMemory &memory, uint64_t footprint)
    : case_(benchCase), shape_(shapeOf(benchCase)), values_(memory.of(static_cast<Precision>(benchCase.precision))) {
  const BenchCase &k = case_;
  stripeBytes_ = stripeBytes(k);
  const uint64_t ofEntry = k.gather ? k.tiles * ir::valuesPerEntry(shape_, rowsOfTile(k)) : k.denseColumns ? 0 : 1;
  stripeColumns_ = k.entries * ofEntry;
  stripeWeights_ = uint64_t{k.rows} * k.entries * k.width;
  stripes_ = footprint / stripeBytes_;
  RTMC_CHECK(stripes_ > 0, "a footprint below one stripe");
  Random random;
  columns_.resize(stripes_ * stripeColumns_ + ir::surplusValues(shape_, rowsOfTile(k)));
  for (uint16_t &column : columns_) column = static_cast<uint16_t>(random.next() % (kColumns - k.width));
  rows_.resize(k.rows);
  for (uint32_t i = 0; i < k.rows; ++i) rows_[i] = static_cast<uint16_t>(3 * i);  // listed rows are far apart
  x_.resize(kColumns + k.entries * k.width + 64);
  for (float &value : x_) value = random.weight();
  if (k.half)
    for (float &value : x_) halfX_.push_back(floatToHalf(value)), value = halfToFloat(halfX_.back());
  y_.resize(4096 + 3 * k.rows + 64);
}

void CaseData::call(uint64_t stripe, float *y) const {
  const void *x = case_.half ? static_cast<const void *>(halfX_.data()) : x_.data();
  case_.call(values_ + stripe * stripeBytes_, columns_.data() + stripe * stripeColumns_, case_.entries, case_.tiles, x,
             y, rows_.data(), case_.rows);
}

void CaseData::run() {
  for (uint64_t stripe = 0; stripe < stripes_; ++stripe) call(stripe, y_.data() + stripe * case_.rows % 4096);
}

std::string CaseData::checkStripe(uint64_t stripe) const {
  const BenchCase &k = case_;
  ir::Packed packed;
  packed.precision = static_cast<Precision>(k.precision);
  packed.shapes = {shape_};
  const unsigned char *from = values_ + stripe * stripeBytes_;
  packed.values.assign(from, from + stripeBytes_);
  packed.columnTable.assign(columns_.begin() + static_cast<ptrdiff_t>(stripe * stripeColumns_),
                            columns_.begin() + static_cast<ptrdiff_t>((stripe + 1) * stripeColumns_));
  packed.rowTable.assign(rows_.begin(), rows_.end());
  packed.runs = {{.shape = 0, .row = 0, .rows = k.rows, .tiles = k.tiles, .entries = k.entries, .column = 0}};
  std::vector<double> sum(y_.size(), 0), magnitude(y_.size(), 0);
  ir::forEachStored(packed, [&](uint32_t row, uint64_t column, float value) {
    const double product = static_cast<double>(value) * x_[column];
    sum[row] += product;
    magnitude[row] += std::abs(product);
  });
  std::vector<float> y(y_.size(), 0);
  call(stripe, y.data());
  // The contract's bound; chains of four in half precision have the half's.
  const double factor = k.half ? 4 * 0x1p-11 : (double(k.entries) * k.width + 8) * 0x1p-24;
  for (size_t row = 0; row < y.size(); ++row)
    if (!(std::abs(y[row] - k.steps * sum[row]) <= k.steps * k.steps * factor * magnitude[row]))
      return fmt::format("stripe {}, row {}: {}, a plain loop gives {}", stripe, row, y[row], k.steps * sum[row]);
  return {};
}

std::string CaseData::check() {
  for (uint64_t stripe = 0; stripe < std::min(stripes_, kChecked); ++stripe)
    if (const std::string mistake = checkStripe(stripe); !mistake.empty()) return mistake;
  return {};
}

}  // namespace rtmc::bench
