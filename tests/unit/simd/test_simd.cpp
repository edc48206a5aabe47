// rtm/simd.h on every instruction set: lanes, memory, conversions, and the accuracy of exp, sigmoid and tanh. Set
// RTMC_EXHAUSTIVE=1 to try every float instead of a sample (a minute per instruction set and compiler).
#include "unit/kernels/toolchains.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>

namespace rtmc::test {
namespace {

void checkIsa(const std::string &name) {
  const IsaCase &isa = isaCase(name);
  TempFolder folder;
  std::string flags = "-O2";
  for (size_t i = 0; i < isa.defines.size();) {
    const size_t end = std::min(isa.defines.find(' ', i), isa.defines.size());
    flags += " -D" + isa.defines.substr(i, end - i);
    i = end + 1;
  }
  const std::string here = fmt::format("{}/tests/unit/simd/", RTMC_SOURCE_DIR);
  const char *exhaustive = std::getenv("RTMC_EXHAUSTIVE");
  const std::string stride = exhaustive && *exhaustive == '1' ? "1" : isa.arm() ? "20011" : "2003";
  checkOutcomes(buildAndRun(folder, isa, {{here + "simd_program.cpp", flags}}, stride));
}

TEST_CASE("simd: scalar") {
  checkIsa("scalar");
}
TEST_CASE("simd: SSE2") {
  checkIsa("sse2");
}
TEST_CASE("simd: AVX2") {
  checkIsa("avx2");
}
TEST_CASE("simd: AVX-512") {
  checkIsa("avx512");
}
TEST_CASE("simd: AVX512-FP16") {
  checkIsa("avx512fp16");
}
TEST_CASE("simd: NEON") {
  checkIsa("neon");
}
TEST_CASE("simd: NEON with FP16") {
  checkIsa("neonfp16");
}

}  // namespace
}  // namespace rtmc::test
