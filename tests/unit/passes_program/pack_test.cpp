// The packed bytes: bf16 pairs are the nearest there are, expand() gives the matrix back for every format, precision,
// vector and number of shares, and the whole is as small as it has to be.
#include "passes/pack.h"

#include "matrices.h"
#include "passes/choose_schedule.h"
#include "program_pass.h"
#include "test_options.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace rtmc::passes::test {
namespace {

// ------------------------------------------------------------------------------------------------------ bf16 pairs

/// What kernels read as the odd weight: a denormal high half is flushed to zero.
double oddOf(uint32_t word) {
  return (word & 0x7FFF0000u) == 0 ? 0.0 : double(std::bit_cast<float>(word));
}

/// The smallest error that any word with this low half has.
double leastError(uint32_t low, float odd) {
  double least = std::numeric_limits<double>::infinity();
  for (uint32_t high = 0; high < 0x10000; ++high) {
    const double value = oddOf(high << 16 | low);
    if (std::isfinite(value)) least = std::min(least, std::abs(value - double(odd)));
  }
  return least;
}

void checkPair(float even, float odd) {
  CAPTURE(even);
  CAPTURE(odd);
  const uint32_t word = packBfloatPair(even, odd);
  CHECK((word & 0xFFFF) == floatToBfloat(even));
  CHECK(std::isfinite(oddOf(word)));
  CHECK(std::abs(oddOf(word) - double(odd)) == leastError(word & 0xFFFF, odd));
}

float randomFloat(std::mt19937_64 &random) {
  for (;;) {
    const float value = std::bit_cast<float>(static_cast<uint32_t>(random()));
    if (std::isfinite(value) && std::isfinite(bfloatToFloat(floatToBfloat(value)))) return value;
  }
}

// ------------------------------------------------------------------------------------------------------ expand

ir::CsrMatrix csrOf(const ir::Weights &w) {
  return {w.rows, w.columns, w.rowBegin, w.columnIndex, w.values};
}

/// Half of the distance between neighbours of the format around `value`. The neighbours of an odd bf16 weight are moved
/// by the even one's bits: next to a power of two those above it are the ones that count.
double halfUnit(Precision precision, float value) {
  if (precision == Precision::F32) return 0;
  const int digits = precision == Precision::F16 ? 11 : 8, least = precision == Precision::F16 ? -14 : -126;
  const auto unit = [&](double v) { return std::ldexp(1.0, std::max(std::ilogb(v), least) - digits + 1); };
  return 0.5 * (precision == Precision::F16 ? unit(value) : unit(std::abs(value) + unit(value)));
}

void checkSameMatrix(const ir::CsrMatrix &expected, const ir::CsrMatrix &found, Precision precision) {
  // Nothing but weights too small for the format may be missing.
  size_t at = 0;
  bool good = found.rowBegin.size() == expected.rowBegin.size();
  double furthest = 0;
  for (uint32_t row = 0; good && row < expected.rows; ++row) {
    at = found.rowBegin[row];
    for (uint32_t i = expected.rowBegin[row]; i < expected.rowBegin[row + 1]; ++i) {
      const bool there = at < found.rowBegin[row + 1] && found.columnIndex[at] == expected.columnIndex[i];
      const double error = std::abs(double(expected.values[i]) - (there ? double(found.values[at]) : 0.0));
      const double allowed = halfUnit(precision, expected.values[i]);
      if (error > allowed) furthest = std::max(furthest, allowed > 0 ? error / allowed : 1e30);
      at += there;
    }
    good = at == found.rowBegin[row + 1];
  }
  CHECK(good);
  CHECK(furthest == 0);
}

struct Choice {
  ir::Format format;
  ir::Lanes lanes;
};

std::vector<Choice> choices(uint32_t lanes) {
  std::vector<Choice> list = {{ir::Format::Dense, {lanes, 1, false}},
                              {ir::Format::Bspc, {lanes, 1, false}},
                              {ir::Format::Csb, {lanes, 1, false}},
                              {ir::Format::Csr, {lanes, 1, true}}};
  for (uint32_t width = 2; width <= lanes; width *= 2) list.push_back({ir::Format::Block, {lanes, width, false}});
  return list;
}

ir::Schedule scheduleFor(const Choice &choice, Precision precision, std::mt19937_64 &random) {
  ir::Schedule s;
  s.format = choice.format;
  s.lanes = choice.lanes;
  s.tile = s.lanes.rows() * (s.lanes.gather ? 1 : 1u << random() % 4);
  s.groupRows = random() % 4 ? 0 : static_cast<uint32_t>(1 + random() % 40);
  s.mergeLimit = double(random() % 3) * 0.3;
  s.reorder = random() % 5 != 0;
  s.shareLoads = random() % 5 != 0;
  s.compact = random() % 5 != 0;
  s.precision = precision;
  return s;
}

void checkExpand(const Matrix &matrix, const ir::Schedule &schedule, uint32_t lanes, uint32_t threads) {
  Bench bench(lanes);
  bench.context.machine.barrierNs = bench.context.machine.handoverNs = 0;
  bench.context.options.threads = threads;
  bench.context.options.precision = schedule.precision;
  bench.context.options.fold = false;
  bench.context.schedules["*"] = schedule;
  const ir::Network network = linearNetwork(matrix);
  const ir::Program cut = lowered(network, bench.context, "partition");
  const ir::Program packed = lowered(network, bench.context);
  REQUIRE(packed.weights.size() == cut.weights.size());
  for (size_t i = 0; i < packed.weights.size(); ++i) {
    REQUIRE(packed.weights[i].packed.has_value());
    checkSameMatrix(csrOf(cut.weights[i]), ir::expand(packed.weights[i]), schedule.precision);
  }
}

// ------------------------------------------------------------------------------------------------------ sizes

struct Bytes {
  uint64_t values = 0, packed = 0, csr = 0, nonzeros = 0;
};

/// values: of the kept weights alone; csr: a 4-byte column for each, 4-byte row pointers, values as wide as ours.
Bytes bytesOf(const ir::Weights &w) {
  Bytes bytes;
  bytes.nonzeros = w.nonzeros;
  bytes.values = w.nonzeros * rtmc::bytesOf(w.schedule.precision);
  bytes.packed = w.packed->valueBytes() + w.packed->indexBytes();
  bytes.csr = bytes.values + 4 * w.nonzeros + 4 * (uint64_t{w.rows} + 1);
  return bytes;
}

}  // namespace

TEST_CASE("a bf16 pair is nearest to both weights") {
  const uint64_t seed = rtmc::test::seed(1);
  MESSAGE("seed " << seed);
  std::mt19937_64 random(seed);
  const float huge = bfloatToFloat(0x7F7F), tiny = std::numeric_limits<float>::min();
  const std::vector<float> special = {0.0f,       -0.0f,  1.0f,        -1.0f,       huge,        -huge,
                                      tiny,       -tiny,  2 * tiny,    tiny * 0.5f, 1.9999999f,  2.0f,
                                      2.0000002f, 1e-45f, 0.99999994f, 255.99998f,  1.00390625f, 1.0f + 1.0f / 512,
                                      3.0f};
  for (const float even : special)
    for (const float odd : special) checkPair(even, odd);
  std::normal_distribution<float> normal(0, 0.1f);
  for (int i = 0; i < 300; ++i) {
    checkPair(normal(random), normal(random));
    checkPair(randomFloat(random), randomFloat(random));
    // Next to a power of two the spacing changes.
    const float power = std::ldexp(1.0f, static_cast<int>(random() % 20) - 10);
    checkPair(normal(random), std::bit_cast<float>(std::bit_cast<uint32_t>(power) + 0x8000u -
                                                   static_cast<uint32_t>(random() % 0x10000)));
  }
  CHECK(packBfloatPair(0, 0) == 0);
  CHECK(oddOf(packBfloatPair(1.5f, 0)) == 0);
}

TEST_CASE("expand gives the matrix back") {
  const uint64_t seed = rtmc::test::seed(2);
  MESSAGE("seed " << seed);
  std::mt19937_64 random(seed);
  for (const uint32_t lanes : {16u, 8u, 4u, 1u})
    for (const Choice &choice : choices(lanes))
      for (const Precision precision : {Precision::F32, Precision::F16, Precision::BF16})
        for (int i = 0; i < 3; ++i) {
          const auto rows = static_cast<uint32_t>(1 + random() % 90);
          auto columns = static_cast<uint32_t>(1 + random() % 90);
          columns = (columns + choice.lanes.width - 1) / choice.lanes.width * choice.lanes.width;
          const ir::Schedule schedule = scheduleFor(choice, precision, random);
          CAPTURE(ir::lanesName(schedule.lanes));
          CAPTURE(ir::formatName(schedule.format));
          CAPTURE(precisionName(precision));
          CAPTURE(rows);
          CAPTURE(columns);
          for (const uint32_t threads : {1u, 3u})
            checkExpand(anyMatrix(random, rows, columns), schedule, lanes, threads);
        }
}

TEST_CASE("BSP at 10x: indices are at most five percent") {
  for (const Precision precision : {Precision::F32, Precision::BF16, Precision::F16})
    for (const uint32_t lanes : {16u, 8u, 4u})
      for (const uint32_t threads : {1u, 2u}) {
        Random random(rtmc::test::seed(3));
        Bench bench(lanes);
        bench.context.options.precision = precision;
        bench.context.options.threads = threads;
        bench.context.machine.barrierNs = bench.context.machine.handoverNs = 0;
        const ir::Program program =
            lowered(linearNetwork(bspMatrix(random, 1024, 1024, 256, 256, 10, 10)), bench.context);
        const Bytes bytes = bytesOf(program.weights.at(0));
        CAPTURE(precisionName(precision));
        CAPTURE(lanes);
        CAPTURE(threads);
        CAPTURE(program.weights[0].packed->indexBytes());
        CHECK(double(bytes.packed) <= 1.05 * double(bytes.values));
      }
}

TEST_CASE("weights that a precision cannot hold are refused") {
  for (const auto &[precision, value] : {std::pair(Precision::F16, 65520.0f), std::pair(Precision::BF16, 3.4e38f)}) {
    Matrix matrix(2, 2);
    matrix.values = {1, value, -1, 2};
    Bench bench;
    bench.context.options.precision = precision;
    Module module;
    module.network = linearNetwork(matrix);
    CHECK(!runUpTo(module, bench.context, ""));
    REQUIRE(bench.diagnostics.all().size() == 1);
    CHECK(bench.diagnostics.all()[0].kind == "weight-overflow");
  }
}

}  // namespace rtmc::passes::test
