// Owns: 64-bit hashes that are the same on every machine. Not cryptographic: they name things, they protect nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace rtmc {

/// XXH3, 64 bits.
uint64_t hash64(std::span<const uint8_t> bytes);

/// 16 lower-case hex digits.
std::string hex16(uint64_t value);

}  // namespace rtmc
