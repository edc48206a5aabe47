// Owns: the header of a .npy array (versions 1 to 3), as the members of an .npz have it.
// Refuses to own: the numbers behind it.
#pragma once

#include <llvm/Support/Error.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace rtmc::frontend {

struct NpyHeader {
  std::string descr;  // "<f4"
  bool fortranOrder = false;
  std::vector<uint64_t> shape;  // empty: a single number
  uint64_t dataOffset = 0;      // bytes before the numbers
};

inline constexpr size_t kNpyPrefix = 12;            // bytes that tell how long a header is
inline constexpr uint64_t kMaxNpyHeader = 1 << 20;  // NumPy itself refuses above 10,000 characters

/// Bytes up to the numbers, from a file's first kNpyPrefix bytes.
llvm::Expected<uint64_t> npyDataOffset(std::span<const uint8_t> prefix);
/// `header`: the file's first npyDataOffset() bytes. Structured dtypes are an error here; others are the caller's.
llvm::Expected<NpyHeader> parseNpyHeader(std::span<const uint8_t> header);

}  // namespace rtmc::frontend
