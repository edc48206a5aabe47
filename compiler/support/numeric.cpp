#include "support/numeric.h"

#include <bit>

namespace rtmc {

std::string_view precisionName(Precision p) {
  switch (p) {
    case Precision::F32:
      return "f32";
    case Precision::F16:
      return "f16";
    case Precision::BF16:
      return "bf16";
  }
  return "f32";
}

std::optional<Precision> parsePrecision(std::string_view name) {
  for (Precision p : {Precision::F32, Precision::F16, Precision::BF16})
    if (precisionName(p) == name) return p;
  return std::nullopt;
}

// Bit manipulation rather than _Float16: g++ 12 has no _Float16 in C++ on every target that rtmc may be built for.
uint16_t floatToHalf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));  // NaN, quiet
  if (magnitude >= 0x477ff000) return sign | 0x7c00;  // 65520 and above rounds to infinity
  if (magnitude < 0x38800000) {                       // below 2^-14: a subnormal half or zero
    if (magnitude < 0x33000000) return sign;          // below 2^-25
    const uint32_t shift = 126 - (magnitude >> 23);   // the result counts units of 2^-24
    const uint32_t mantissa = (magnitude & 0x7fffff) | 0x800000;
    const uint32_t half = 1u << (shift - 1);
    const uint32_t rest = mantissa & ((1u << shift) - 1);
    uint32_t result = mantissa >> shift;
    if (rest > half || (rest == half && (result & 1))) ++result;
    return static_cast<uint16_t>(sign | result);
  }
  const uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return static_cast<uint16_t>(sign | ((rounded - 0x38000000) >> 13));
}

float halfToFloat(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = half >> 10 & 0x1f;
  const uint32_t mantissa = half & 0x3ff;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000 | mantissa << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
  return sign ? -magnitude : magnitude;
}

uint16_t floatToBfloat(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>(bits >> 16 | 0x40);  // stays a NaN, quiet
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float bfloatToFloat(uint16_t value) {
  return std::bit_cast<float>(static_cast<uint32_t>(value) << 16);
}

float roundTo(Precision p, float value) {
  switch (p) {
    case Precision::F32:
      return value;
    case Precision::F16:
      return halfToFloat(floatToHalf(value));
    case Precision::BF16:
      return bfloatToFloat(floatToBfloat(value));
  }
  return value;
}

}  // namespace rtmc
