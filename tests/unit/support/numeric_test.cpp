#include "support/numeric.h"

#include "test_options.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace rtmc {
namespace {

bool sameBits(float a, float b) {
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b);
}

/// The value of a half by its definition, in double.
double halfByDefinition(uint16_t half) {
  const int exponent = half >> 10 & 31, mantissa = half & 1023;
  const double sign = half & 0x8000 ? -1 : 1;
  if (exponent == 31) return mantissa ? NAN : sign * INFINITY;
  return sign * (exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25));
}

/// The nearest of all numbers of the format, ties to the even pattern; `value` of each pattern is given by `decode`.
template <typename Decode>
uint16_t nearestPattern(float value, uint16_t infinity, Decode decode) {
  const double magnitude = std::fabs(static_cast<double>(value));
  // Patterns of positive numbers ascend with their values, so that a binary search finds the neighbours.
  uint32_t low = 0, high = infinity;
  while (high - low > 1) {
    const uint32_t middle = (low + high) / 2;
    (decode(static_cast<uint16_t>(middle)) <= magnitude ? low : high) = middle;
  }
  const double below = decode(static_cast<uint16_t>(low));
  // Beyond the largest number the next step of the same size stands for infinity.
  const double above =
      high == infinity ? below + (below - decode(static_cast<uint16_t>(low - 1))) : decode(static_cast<uint16_t>(high));
  uint32_t result = magnitude - below < above - magnitude ? low : high;
  if (magnitude - below == above - magnitude) result = low % 2 == 0 ? low : high;
  return static_cast<uint16_t>(result | (std::signbit(value) ? 0x8000 : 0));
}

double bfloatByDefinition(uint16_t value) {
  return std::bit_cast<float>(static_cast<uint32_t>(value) << 16);
}

}  // namespace

TEST_CASE("every half and every bfloat16 survives the way to float and back") {
  for (uint32_t i = 0; i < 65536; ++i) {
    const auto pattern = static_cast<uint16_t>(i);
    const double meant = halfByDefinition(pattern);
    const float half = halfToFloat(pattern), bfloat = bfloatToFloat(pattern);
    if (std::isnan(meant)) {
      REQUIRE(std::isnan(half));
      REQUIRE(std::isnan(halfToFloat(floatToHalf(half))));
    } else {
      REQUIRE(sameBits(half, static_cast<float>(meant)));
      REQUIRE(floatToHalf(half) == pattern);
    }
    if (std::isnan(bfloat))
      REQUIRE(std::isnan(bfloatToFloat(floatToBfloat(bfloat))));
    else
      REQUIRE(floatToBfloat(bfloat) == pattern);
  }
}

TEST_CASE("conversions round to the nearest, ties to even, over the whole range") {
  const uint64_t seed = test::seed(1);
  CAPTURE(seed);
  std::mt19937 random(static_cast<std::mt19937::result_type>(seed));
  for (int i = 0; i < 200000; ++i) {
    uint32_t bits = random();
    if (i % 3 == 0)
      bits = (bits & 0x80000fff) | (100 + random() % 50) << 23 | (random() & 0x7ff000);  // half's exponents
    if (i % 5 == 0) bits &= 0xfffff000;                                                  // ties
    const auto value = std::bit_cast<float>(bits);
    if (std::isnan(value)) continue;
    CAPTURE(value);
    REQUIRE(floatToHalf(value) == nearestPattern(value, 0x7c00, halfByDefinition));
    REQUIRE(floatToBfloat(value) == nearestPattern(value, 0x7f80, bfloatByDefinition));
  }
}

TEST_CASE("the edges of half") {
  CHECK(floatToHalf(65504.0f) == 0x7bff);
  CHECK(floatToHalf(65519.996f) == 0x7bff);
  CHECK(floatToHalf(65520.0f) == 0x7c00);
  CHECK(floatToHalf(-std::numeric_limits<float>::infinity()) == 0xfc00);
  CHECK(floatToHalf(0x1p-24f) == 1);
  CHECK(floatToHalf(0x1p-25f) == 0);
  CHECK(floatToHalf(std::nextafter(0x1p-25f, 1.0f)) == 1);
  CHECK(floatToHalf(-0.0f) == 0x8000);
  CHECK(floatToHalf(0x1.ffcp-15f) == 0x0400);  // rounds up into the normal numbers
}

TEST_CASE("precisions have names and roundings") {
  for (const Precision p : {Precision::F32, Precision::F16, Precision::BF16})
    CHECK(parsePrecision(precisionName(p)) == p);
  CHECK(!parsePrecision("i8"));
  CHECK(roundTo(Precision::F32, 0.1f) == 0.1f);
  CHECK(roundTo(Precision::F16, 0.1f) == doctest::Approx(0.0999756));
  CHECK(roundTo(Precision::BF16, 1.00390625f) == 1.0f);
}

}  // namespace rtmc
