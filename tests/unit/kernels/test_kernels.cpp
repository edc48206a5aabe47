// Every kernel is generated, compiled by each compiler that is here, run on the instruction set that it is for, and
// compared with double arithmetic; a row must have the same bits in every shape, unrolled or not, and in each compiler.
#include "backend/kernels.h"
#include "unit/kernels/kernel_cases.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <fstream>

namespace rtmc::test {
namespace {

void checkIsa(const std::string &name) {
  const IsaCase &isa = isaCase(name);
  TempFolder folder;
  std::ofstream(folder.path / "kernels.cpp") << kernelProgram(isa);
  const std::string harness = fmt::format("{}/tests/unit/kernels/harness", RTMC_SOURCE_DIR);
  const auto outcomes = buildAndRun(
      folder, isa, {{"kernels.cpp", fmt::format("-O2 -I'{}'", harness)}, {harness + "/kernel_harness.cpp", "-O1"}});
  checkOutcomes(outcomes);
  if (runsHere(isa))
    for (const Outcome &outcome : outcomes)
      CHECK(std::count(outcome.results.begin(), outcome.results.end(), '\n') >= 10);
}

}  // namespace

TEST_CASE("kernels: scalar") {
  checkIsa("scalar");
}
TEST_CASE("kernels: SSE2") {
  checkIsa("sse2");
}
TEST_CASE("kernels: AVX2") {
  checkIsa("avx2");
}
TEST_CASE("kernels: AVX-512") {
  checkIsa("avx512");
}
TEST_CASE("kernels: AVX512-FP16") {
  checkIsa("avx512fp16");
}
TEST_CASE("kernels: NEON") {
  checkIsa("neon");
}
TEST_CASE("kernels: NEON with FP16") {
  checkIsa("neonfp16");
}

TEST_CASE("kernels: the budget's estimate is near the text") {
  using backend::fullSource;
  for (const Precision precision : {Precision::F32, Precision::F16, Precision::BF16})
    for (const uint32_t vectors : {1u, 4u})
      for (const bool gather : {false, true})
        for (const uint32_t entries : {8u, 104u}) {
          ir::TileShape shape;
          shape.vectors = vectors;
          shape.gather = gather;
          std::vector<uint32_t> columns(entries * (gather ? vectors * 16 : 1), 517);
          const double real = static_cast<double>(fullSource("run", shape, precision, ir::Accumulate::F32,
                                                             ir::IndexWidth::U16, entries, 1, shape.rows(), columns, {})
                                                      .size());
          const double estimate = static_cast<double>(backend::fullSourceBytes(shape, precision, entries));
          CAPTURE(precisionName(precision));
          CAPTURE(vectors);
          CAPTURE(gather);
          CAPTURE(entries);
          CHECK(estimate > 0.75 * real);
          CHECK(estimate < 1.4 * real);
        }
}

TEST_CASE("kernels: shapes of a target are kernels of it, largest first") {
  passes::TargetTraits target;
  for (const uint32_t lanes : {1u, 4u, 8u, 16u}) {
    target.lanes = lanes;
    const auto shapes = backend::tileShapes(target, {lanes, 1, false}, Precision::F32);
    REQUIRE(!shapes.empty());
    CHECK(shapes.front().rows() == 4 * lanes);
    for (size_t i = 0; i < shapes.size(); ++i) {
      CHECK(shapes[i].lanes <= lanes);
      if (i > 0 && shapes[i].indexed == shapes[i - 1].indexed) CHECK(shapes[i].rows() < shapes[i - 1].rows());
      CHECK(!backend::kernelSource(shapes[i], Precision::F32, ir::Accumulate::F32, ir::IndexWidth::U16,
                                   ir::IndexWidth::U16, {})
                 .empty());
    }
  }
}

}  // namespace rtmc::test
