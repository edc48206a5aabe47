// Owns: storage precisions and exact conversions between float and the 16-bit formats (round to nearest even).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace rtmc {

enum class Precision : uint8_t { F32, F16, BF16 };  // how weights are stored

std::string_view precisionName(Precision);                       // "f32", "f16", "bf16"
std::optional<Precision> parsePrecision(std::string_view name);  // nullopt: unknown name
constexpr uint32_t bytesOf(Precision p) {
  return p == Precision::F32 ? 4 : 2;
}

uint16_t floatToHalf(float);  // IEEE binary16; overflow becomes infinity
float halfToFloat(uint16_t);
uint16_t floatToBfloat(float);  // round to nearest even
float bfloatToFloat(uint16_t);

/// The value that a weight has after storage in `p`.
float roundTo(Precision p, float value);

}  // namespace rtmc
