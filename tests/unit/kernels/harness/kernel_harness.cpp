// Checks every kernel of kKernelCases against double arithmetic, and prints one line per kernel with a hash of all its
// results, so that two programs can be compared bit by bit. Exit status 1 where something is wrong.
//
// One logical matrix per (precision, width, gather, number of entries) serves all shapes: a row's result must not
// depend on the shape that computed it.
#include "kernel_case.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <tuple>
#include <vector>

namespace {

constexpr uint32_t kRows = 300;
constexpr float kGuard = 12345.5f;  // around y

uint32_t mix(uint32_t a, uint32_t b, uint32_t c) {
  uint32_t h = a * 0x9e3779b1u ^ (b + 0x7f4a7c15u) * 0x85ebca6bu ^ (c + 0x165667b1u) * 0xc2b2ae35u;
  h ^= h >> 15, h *= 0x2c1b3c6du, h ^= h >> 12, h *= 0x297a2d39u;
  return h ^ (h >> 15);
}
float uniform(uint32_t a, uint32_t b, uint32_t c) {
  return static_cast<float>(mix(a, b, c) >> 8) * 0x1p-23f - 1.0f;
}

template <class To, class From>
To bitsOf(From from) {
  To to;
  static_assert(sizeof to == sizeof from);
  std::memcpy(&to, &from, sizeof to);
  return to;
}

/// Normal halves only: the test's values need no more.
uint16_t toHalf(float value) {
  const uint32_t w = bitsOf<uint32_t>(value), magnitude = w & 0x7fffffffu, sign = (w >> 16) & 0x8000u;
  if (magnitude < (113u << 23)) return static_cast<uint16_t>(sign);
  return static_cast<uint16_t>(sign | ((magnitude - (112u << 23) + 0xfffu + ((magnitude >> 13) & 1u)) >> 13));
}
float fromHalf(uint16_t h) {
  if ((h & 0x7fffu) == 0) return bitsOf<float>(static_cast<uint32_t>(h) << 16);
  return bitsOf<float>((static_cast<uint32_t>(h & 0x8000u) << 16) | (((h & 0x7fffu) << 13) + (112u << 23)));
}

/// The word of two entries: see ir::Packed.
uint32_t bfloatPair(float even, float odd) {
  const uint32_t e = bitsOf<uint32_t>(even), o = bitsOf<uint32_t>(odd);
  const uint32_t low = (e + 0x7fffu + ((e >> 16) & 1u)) >> 16;
  const int64_t magnitude = o & 0x7fffffffu;
  int64_t high = (magnitude - int64_t{low} + 0x8000) >> 16;
  if (high < 0) high = 0;
  return (o & 0x80000000u) | (static_cast<uint32_t>(high) << 16) | low;
}

struct Checker {
  const KernelCase &k;
  uint64_t hash = 14695981039346656037u;
  double worst = 0;
  int failures = 0;

  uint32_t rowsPerVector() const { return k.gather ? k.lanes : k.lanes / k.width; }
  uint32_t tileRows() const { return rowsPerVector() * k.vectors; }
  /// Values of an entry of a tile: those of rows that are there, or of all lanes.
  uint32_t perEntry(const std::vector<uint32_t> &rows) const {
    const uint32_t count = static_cast<uint32_t>(rows.size() + k.rowStep - 1) / k.rowStep * k.rowStep * k.width;
    return k.partial ? count : k.vectors * k.lanes;
  }
  bool half() const { return k.precision == kF16 || k.precision == kF16x4; }

  void fail(const char *what, uint32_t entries, uint32_t row, double got, double expected) {
    if (failures++ < 5)
      std::printf("FAIL %s: %s, %u entries, row %u: %.9g, expected %.9g\n", k.name, what, entries, row, got, expected);
  }

  /// The logical matrix. The last columns of a block are pruned in some rows: explicit zeros.
  float raw(uint32_t row, uint32_t entry, uint32_t column) const {
    return mix(row, entry, 77) % 11 == 0 ? 0.0f : uniform(row, entry, column);
  }
  /// What is stored for it: `word` is the storage.
  float stored(uint32_t row, uint32_t entry, uint32_t column) const {
    const float value = raw(row, entry, column);
    if (k.precision == kF32) return value;
    if (half()) return fromHalf(toHalf(value));
    const uint32_t pair = bfloatPair(raw(row, entry & ~1u, column), raw(row, entry | 1u, column));
    return bitsOf<float>(entry & 1 ? pair : pair << 16);
  }

  /// Values of `tiles` tiles whose rows are listed (missing ones: zero), in the documented order.
  std::vector<unsigned char> pack(const std::vector<uint32_t> &rows, uint32_t tiles, uint32_t entries) const {
    std::vector<unsigned char> out;
    const auto put = [&](auto v) {
      const size_t at = out.size();
      out.resize(at + sizeof v);
      std::memcpy(out.data() + at, &v, sizeof v);
    };
    const uint32_t step = k.precision == kBf16 ? 2 : 1;
    for (uint32_t t = 0; t < tiles; t++)
      for (uint32_t e = 0; e < entries; e += step)
        for (uint32_t i = 0; i < perEntry(rows); i++) {
          const uint32_t slot = t * tileRows() + i / k.width;
          const uint32_t column = i % k.width;
          const bool real = slot < rows.size();
          const float even = real ? raw(rows[slot], e, column) : 0.0f;
          if (k.precision == kF32) put(even);
          if (half()) put(toHalf(even));
          if (k.precision == kBf16) put(bfloatPair(even, real ? raw(rows[slot], e + 1, column) : 0.0f));
        }
    // What is read behind a partial tile must not be used: it is NaN.
    for (uint32_t i = perEntry(rows); i < k.vectors * k.lanes; i++)
      half() ? put(uint16_t{0x7e00}) : put(uint32_t{0x7fc07fc0});
    return out;
  }

  static void putIndex(std::vector<unsigned char> &out, uint32_t bytes, uint32_t value) {
    for (uint32_t i = 0; i < bytes; i++) out.push_back(static_cast<unsigned char>(value >> (8 * i)));
  }

  std::vector<unsigned char> packColumns(const std::vector<uint32_t> &rows, uint32_t tiles, uint32_t entries) const {
    std::vector<unsigned char> out;
    if (!k.gather)
      for (uint32_t e = 0; e < entries; e++) putIndex(out, k.columnBytes, columnOf(e));
    else
      for (uint32_t t = 0; t < tiles; t++)
        for (uint32_t e = 0; e < entries; e++)
          for (uint32_t lane = 0; lane < perEntry(rows); lane++) {
            const uint32_t slot = t * tileRows() + lane;
            putIndex(out, k.columnBytes, slot < rows.size() ? columnOf(e, rows[slot]) : columnOf(e));
          }
    if (k.gather)
      for (uint32_t lane = perEntry(rows); lane < k.vectors * k.lanes; lane++) putIndex(out, k.columnBytes, 0);
    return out;
  }

  float xAt(uint32_t i) const {
    const float value = uniform(i, 1, 99);
    return k.precision == kF16x4 ? fromHalf(toHalf(value)) : value;
  }
  /// Elements that no entry names are NaN: using one shows.
  std::vector<float> makeX(uint32_t entries, const std::vector<uint32_t> &rows) const {
    std::vector<float> x(kColumns + 32, NAN), named(x.size(), 0.0f);
    if (k.dense) {
      x.assign(entries * k.width + 32, NAN);
      for (uint32_t e = 0; e < entries; e++)
        for (uint32_t c = 0; c < k.width; c++) x[e * k.width + c] = xAt(columnOf(e) + c);
      return x;
    }
    for (uint32_t e = 0; e < entries; e++)
      for (uint32_t c = 0; c < k.width; c++) x[columnOf(e) + c] = xAt(columnOf(e) + c);
    if (k.gather)
      for (uint32_t row : rows)
        for (uint32_t e = 0; e < entries; e++) x[columnOf(e, row)] = xAt(columnOf(e, row));
    return x;
  }

  void run(uint32_t entries, uint32_t tiles, const std::vector<uint32_t> &rows) {
    for (const uint32_t steps : {1u, 2u, 3u, 4u, 5u, 8u, 11u})
      if (steps == 1 || k.chunk) run(entries, tiles, rows, steps);
  }

  void run(uint32_t entries, uint32_t tiles, const std::vector<uint32_t> &rows, uint32_t steps) {
    const std::vector<unsigned char> values = pack(rows, tiles, entries), columns = packColumns(rows, tiles, entries);
    std::vector<unsigned char> rowTable;
    if (k.indexed)
      for (uint32_t row : rows) putIndex(rowTable, k.rowBytes, row);
    std::vector<float> x = makeX(entries, rows);
    std::vector<uint16_t> xHalf;
    for (float v : x) xHalf.push_back(std::isnan(v) ? 0x7e00 : toHalf(v));

    // Step s is the first one divided by 2 to the s, and so must its results be.
    const size_t width = x.size();
    x.resize((steps - 1) * kXStride + width, NAN);
    const uint32_t first = k.indexed ? 0 : rows.front();
    std::vector<float> y((steps - 1) * kYStride + kRows + 96, kGuard);
    for (uint32_t s = 0; s < steps; s++) {
      for (size_t i = 0; s > 0 && i < width; i++) x[s * kXStride + i] = std::ldexp(x[i], -static_cast<int>(s));
      for (uint32_t row : rows) y[s * kYStride + 32 + row] = std::ldexp(uniform(row, 2, 5), -static_cast<int>(s));
    }
    // Values lie as packed programs lay them: aligned to one vector of them.
    const size_t align = (k.partial ? k.rowStep : k.lanes) * (half() ? 2 : 4);
    auto *const memory = static_cast<unsigned char *>(std::aligned_alloc(64, (values.size() + 191) / 64 * 64));
    std::memcpy(memory + align, values.data(), values.size());
    k.call(memory + align, columns.data(), entries, tiles,
           k.precision == kF16x4 ? (const void *)xHalf.data() : x.data(), y.data() + 32 + first, steps, rowTable.data(),
           static_cast<uint32_t>(rows.size()));
    std::free(memory);

    std::vector<bool> covered(y.size());
    for (uint32_t s = 0; s < steps; s++)
      for (uint32_t row : rows) {
        const size_t at = s * kYStride + 32 + row;
        covered[at] = true;
        check(entries, row, std::ldexp(y[at], static_cast<int>(s)));
      }
    for (size_t i = 0; i < y.size(); i++)
      if (!covered[i] && y[i] != kGuard)
        fail("written beside its rows", entries, static_cast<uint32_t>(i), y[i], kGuard);
  }

  void check(uint32_t entries, uint32_t row, float got) {
    double sum = 0, magnitude = 0;
    for (uint32_t e = 0; e < entries; e++)
      for (uint32_t c = 0; c < k.width; c++) {
        const double term = double{stored(row, e, c)} * xAt(columnOf(e, k.gather ? row : 0) + c);
        sum += term, magnitude += std::fabs(term);
      }
    const double start = uniform(row, 2, 5), expected = start + sum;
    const double unit = k.precision == kF16x4 ? 4 * 0x1p-11 : (entries * k.width + 8) * 0x1p-24;
    const double bound = unit * magnitude + std::fabs(expected) * 0x1p-24;
    const double error = std::fabs(got - expected);
    if (!(error <= bound)) fail("wrong", entries, row, got, expected);
    if (bound > 0 && error / bound > worst) worst = error / bound;
    hash = (hash ^ bitsOf<uint32_t>(got)) * 1099511628211u;

    // The same row in another shape.
    static std::map<std::tuple<int, uint32_t, bool, uint32_t, uint32_t>, float> known;
    const auto [it, added] = known.try_emplace({k.precision, k.width, k.gather, entries, row}, got);
    if (bitsOf<uint32_t>(it->second) != bitsOf<uint32_t>(got))
      fail("differs between shapes", entries, row, got, it->second);
  }

  void runEntries(uint32_t entries) {
    const auto from = [](uint32_t begin, uint32_t count) {
      std::vector<uint32_t> rows;
      for (uint32_t i = 0; i < count; i++) rows.push_back(begin + i);
      return rows;
    };
    const uint32_t r = tileRows();
    if (k.partial) {
      const uint32_t most = k.halfLast ? r - k.lanes / 2 : r - 1;
      for (const uint32_t count : {1u, r / 2 + 1, most - 1, most})
        if (count > 0 && count <= most && (!k.full || count == fullRows(r)))
          run(entries, 1, from(k.gather && k.full ? 0 : 5, count));
      return;
    }
    if (!k.indexed) {
      run(entries, 1, from(0, r));
      if (!k.full) run(entries, 2, from(7, 2 * r));
      if (!k.full && r <= 64) run(entries, 4, from(0, 4 * r));
      return;
    }
    const auto scattered = [](uint32_t count) {
      std::vector<uint32_t> rows;
      for (uint32_t i = 0; i < count; i++) rows.push_back(i * 2 + (i * i) % 2);
      return rows;
    };
    for (const uint32_t count : {1u, r - 1, r})
      if (count > 0 && count <= (k.rowBytes == 1 ? 100u : 140u))
        // Compiled-in columns of gathered lanes belong to rows 0, 1, ...
        run(entries, 1, k.full && k.gather ? from(0, count) : scattered(count));
    if (!k.full && r <= 16) run(entries, 3, scattered(2 * r + 1));
  }
};

}  // namespace

int main() {
  int failures = 0;
  for (uint32_t i = 0; i < kKernelCaseCount; i++) {
    Checker checker{kKernelCases[i]};
    if (kKernelCases[i].entries >= 0) {
      checker.runEntries(static_cast<uint32_t>(kKernelCases[i].entries));
    } else {
      for (const uint32_t entries : {0u, 1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 11u, 12u, 13u, 104u})
        if (kKernelCases[i].precision != kBf16 || entries % 2 == 0) checker.runEntries(entries);
    }
    std::printf("%-44s %016llx\n", kKernelCases[i].name, static_cast<unsigned long long>(checker.hash));
    std::fprintf(stderr, "%-44s worst %.3f of the bound\n", kKernelCases[i].name, checker.worst);
    failures += checker.failures;
  }
  return failures != 0;
}
