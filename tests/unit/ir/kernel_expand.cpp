// What packed bytes mean: every tile shape and precision against a packer of the test's own, and layouts by hand.
#include "kernel_fixture.h"

#include "test_options.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <numeric>

using namespace rtmc;
using namespace rtmc::test;

namespace {

std::vector<uint32_t> range(uint32_t begin, uint32_t end, uint32_t step = 1) {
  std::vector<uint32_t> list;
  for (uint32_t i = begin; i < end; i += step) list.push_back(i);
  return list;
}

/// Rows of `w` in a plan, in order: consecutive, or scattered where indexed; the last tile is not full where it may be.
std::vector<uint32_t> planRows(const Weights &w, const TileShape &shape, std::mt19937_64 &random) {
  std::vector<uint32_t> rows = range(0, w.rows);
  if (!shape.indexed && !shape.partial) return rows;
  if (shape.indexed) std::shuffle(rows.begin(), rows.end(), random);
  rows.resize(rows.size() - shape.rows() / 2);
  return rows;
}

RunPlan makePlan(const Weights &w, const TileShape &shape, std::mt19937_64 &random) {
  RunPlan plan;
  plan.shape = shape;
  plan.rows = planRows(w, shape, random);
  if (!shape.gather) {
    plan.columns = range(0, w.columns, shape.width);
    return plan;
  }
  for (size_t first = 0; first < plan.rows.size(); first += shape.rows()) {
    std::vector<std::vector<uint32_t>> entries;
    for (uint32_t lane = 0; lane < shape.rows() && first + lane < plan.rows.size(); ++lane) {
      const uint32_t row = plan.rows[first + lane];
      for (uint32_t k = w.rowBegin[row]; k < w.rowBegin[row + 1]; ++k) {
        const uint32_t entry = k - w.rowBegin[row];
        while (entries.size() <= entry) entries.emplace_back(shape.rows(), kNone);
        entries[entry][lane] = w.columnIndex[k];
      }
    }
    plan.laneColumns.push_back(std::move(entries));
  }
  size_t longest = 1;
  for (const auto &tile : plan.laneColumns) longest = std::max(longest, tile.size());
  for (auto &tile : plan.laneColumns) tile.resize(longest, std::vector<uint32_t>(shape.rows(), kNone));
  return plan;
}

double tolerance(Precision precision, float value) {
  if (precision == Precision::F32) return 0;
  return std::abs(value) * std::ldexp(1.0, precision == Precision::F16 ? -11 : -8) + 1e-7;
}

void checkShape(const TileShape &shape, Precision precision, uint32_t tiles, std::mt19937_64 &random) {
  CAPTURE(kernelName(precision, Accumulate::F32, shape, Unroll::None));
  CAPTURE(tiles);
  // 14 columns: no multiple of the width, so that the last entry hangs over; odd numbers of entries pad bf16.
  const uint32_t columns = shape.width == 2 ? 13 : shape.width == 4 ? 14 : 11;
  Weights w = randomWeights("w", shape.rows() * tiles, columns, shape.gather ? 0.3 : 0.7, random);
  Packer packer(w, precision);
  const RunPlan plan = makePlan(w, shape, random);
  packer.add(plan);
  packer.endShare();
  const Weights source = w;
  w.packed = packer.packed;
  const auto broken = verifyPacked(w);
  CHECK_MESSAGE(broken.empty(), (broken.empty() ? std::string() : broken[0]));
  CHECK(packer.packed.runs[0].tiles == tiles);

  const CsrMatrix m = expand(w);
  REQUIRE(m.rowBegin.size() == size_t{w.rows} + 1);
  std::vector<bool> planned(w.rows);
  for (uint32_t row : plan.rows) planned[row] = true;
  for (uint32_t row = 0; row < w.rows; ++row) {
    uint32_t expected = source.rowBegin[row];
    for (uint32_t k = m.rowBegin[row]; k < m.rowBegin[row + 1]; ++k, ++expected) {
      REQUIRE(expected < source.rowBegin[row + 1]);
      CHECK(m.columnIndex[k] == source.columnIndex[expected]);
      CHECK(std::abs(double{m.values[k]} - source.values[expected]) <= tolerance(precision, source.values[expected]));
    }
    CHECK(expected == (planned[row] ? source.rowBegin[row + 1] : source.rowBegin[row]));
  }
}

}  // namespace

TEST_CASE("expand understands every shape in every precision") {
  const uint64_t first = seed(1);
  MESSAGE("seed " << first);
  std::mt19937_64 random(first);
  for (const Precision precision : {Precision::F32, Precision::F16, Precision::BF16})
    for (const uint32_t lanes : {1u, 4u, 8u, 16u})
      for (const uint32_t width : {1u, 2u, 4u})
        for (const uint32_t vectors : {1u, 3u, 4u})
          for (const uint32_t tiles : {1u, 3u})
            for (int flags = 0; flags < 32; ++flags) {
              TileShape shape = tile(lanes, width, vectors);
              shape.indexed = (flags & 1) != 0;
              shape.denseColumns = (flags & 2) != 0;
              shape.gather = (flags & 4) != 0;
              shape.partial = (flags & 8) != 0;
              if (width > lanes || (shape.gather && (width > 1 || shape.denseColumns))) continue;
              shape.rowStep = (flags & 16) != 0 ? 4 : 1;
              if (shape.rowStep > 1 && (!shape.partial || shape.gather || width > 1 || lanes < 4)) continue;
              if (shape.partial && (tiles > 1 || shape.rows() == 1)) continue;
              checkShape(shape, precision, tiles, random);
            }
}

namespace {

Weights packedByHand(uint32_t rows, uint32_t columns, Precision precision, const TileShape &shape, const TileRun &run) {
  Weights w;
  w.name = "hand";
  w.rows = rows;
  w.columns = columns;
  w.nonzeros = uint64_t{rows} * columns;
  Packed packed;
  packed.precision = precision;
  packed.shapes = {shape};
  packed.runs = {run};
  packed.shareBegin = {0, 1};
  w.packed = packed;
  return w;
}

template <typename T>
std::vector<uint8_t> bytesOfList(std::initializer_list<T> list) {
  std::vector<uint8_t> bytes(list.size() * sizeof(T));
  std::memcpy(bytes.data(), std::data(list), bytes.size());
  return bytes;
}

}  // namespace

TEST_CASE("bf16 pairs: the odd entry is the whole word") {
  Weights w = packedByHand(2, 2, Precision::BF16, tile(2, 1, 1, "d"), {0, 0, 2, 1, 2, 0, 0});
  // Row 0: even 1.0 (3F80), odd 2.0 with 3F80 behind it. Row 1: even 3.0 (4040), odd an explicit zero.
  w.packed->values = bytesOfList<uint32_t>({0x40003F80u, 0x00004040u});
  REQUIRE(verifyPacked(w).empty());
  const CsrMatrix m = expand(w);
  CHECK(m.rowBegin == std::vector<uint32_t>{0, 2, 3});
  CHECK(m.columnIndex == std::vector<uint32_t>{0, 1, 0});
  CHECK(m.values[0] == 1.0f);
  CHECK(m.values[1] == std::bit_cast<float>(0x40003F80u));
  CHECK(m.values[2] == 3.0f);
  w.packed->values = bytesOfList<uint32_t>({0x80003F80u, 0x00004040u});  // minus zero is a zero, too
  CHECK(expand(w).rowBegin == std::vector<uint32_t>{0, 1, 2});
}

TEST_CASE("a block's lane is row times width plus column") {
  Weights w = packedByHand(4, 5, Precision::F32, tile(4, 2, 2), {0, 0, 4, 1, 2, 0, 0});
  w.packed->columnTable = {3, 0};  // entry 0 reads columns 3, 4; entry 1 columns 0, 1
  w.packed->values = bytesOfList<float>({33, 34, 43, 44, 53, 54, 63, 64, 30, 31, 40, 41, 50, 51, 60, 61});
  REQUIRE(verifyPacked(w).empty());
  const CsrMatrix m = expand(w);
  for (uint32_t row = 0; row < 4; ++row) {
    const float base = 30.0f + 10.0f * static_cast<float>(row);
    const std::vector<float> found(m.values.begin() + m.rowBegin[row], m.values.begin() + m.rowBegin[row + 1]);
    CHECK(found == std::vector<float>{base, base + 1, base + 3, base + 4});
  }
}

TEST_CASE("gather tiles have their own columns, tile after tile") {
  Weights w = packedByHand(4, 9, Precision::F16, tile(2, 1, 1, "g"), {0, 0, 4, 2, 1, 0, 0});
  w.packed->columnTable = {7, 2, 0, 8};
  w.packed->values = bytesOfList<uint16_t>({0x3C00, 0x4000, 0x0000, 0xC200});  // 1, 2; padding, -3
  REQUIRE(verifyPacked(w).empty());
  const CsrMatrix m = expand(w);
  CHECK(m.rowBegin == std::vector<uint32_t>{0, 1, 2, 2, 3});
  CHECK(m.columnIndex == std::vector<uint32_t>{7, 2, 8});
  CHECK(m.values == std::vector<float>{1, 2, -3});
}

TEST_CASE("bytes of tiles and tables") {
  CHECK(tileValueBytes(tile(16, 1, 4), Precision::F32, 3, 64) == 3 * 4 * 16 * 4);
  CHECK(tileValueBytes(tile(16, 4, 4), Precision::BF16, 2, 16) == 2 * 4 * 16 * 2);
  CHECK(valueAlignment(tile(16, 1, 4), Precision::F32) == 64);
  CHECK(valueAlignment(tile(8, 1, 4), Precision::F16) == 16);
  CHECK(valueAlignment(tile(8, 1, 4), Precision::BF16) == 32);
  CHECK(valueAlignment(tile(3, 1, 1), Precision::F16) == 2);
  Packed packed;
  packed.runs.resize(3);
  packed.columnTable.resize(5);
  packed.columnWidth = IndexWidth::U16;
  packed.rowTable.resize(7);
  packed.rowWidth = IndexWidth::U8;
  CHECK(packed.indexBytes() == 3 * 20 + 5 * 2 + 7);
}

TEST_CASE("lanes and kernels have names") {
  for (const char *name : {"rows16", "rows1", "rows64", "block4x4", "block1x4", "block8x2", "gather16"}) {
    const auto lanes = parseLanes(name);
    REQUIRE_MESSAGE(lanes.has_value(), name);
    CHECK(lanesName(*lanes) == name);
  }
  CHECK(parseLanes("block4x4") == Lanes{16, 4, false});
  for (const char *name : {"", "rows", "rows0", "rows016", "rows-1", "rows16x", "block4", "block4x", "block4x1",
                           "block0x4", "gather", "lanes16", "rows16 ", "rows99999999999", "block1024x1024", "rows2048"})
    CHECK_MESSAGE(!parseLanes(name).has_value(), name);
  CHECK(kernelName(Precision::F32, Accumulate::F32, tile(16, 1, 4), Unroll::None) == "matvec_f32_rows16_t64_u0");
  CHECK(kernelName(Precision::BF16, Accumulate::F32, tile(16, 4, 4), Unroll::None) == "matvec_bf16_block4x4_t16_u0");
  CHECK(kernelName(Precision::F16, Accumulate::F16x4, tile(32, 1, 2, "id"), Unroll::Tile) ==
        "matvec_f16x4_rows32_t64_u1_id");
  CHECK(kernelName(Precision::F16, Accumulate::F32, tile(16, 1, 1, "ig"), Unroll::Full) ==
        "matvec_f16_gather16_t16_u2_i");
  CHECK(kernelName(Precision::F32, Accumulate::F32, tile(8, 1, 1, "pd"), Unroll::None) == "matvec_f32_rows8_t8_u0_pd");
}
