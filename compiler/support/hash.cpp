#include "support/hash.h"

#include <fmt/format.h>
#include <llvm/ADT/ArrayRef.h>
#include <llvm/Support/xxhash.h>

namespace rtmc {

uint64_t hash64(std::span<const uint8_t> bytes) {
  return llvm::xxh3_64bits(llvm::ArrayRef<uint8_t>(bytes.data(), bytes.size()));
}

std::string hex16(uint64_t value) {
  return fmt::format("{:016x}", value);
}

}  // namespace rtmc
