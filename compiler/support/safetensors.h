// Owns: the .safetensors container: tensors by name, shape and dtype, as views into a file's bytes; and writing one.
// Refuses to own: what the numbers mean (frontend), and reading the file itself (support/files.h).
#pragma once

#include <llvm/Support/Error.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rtmc {

struct SafetensorsTensor {
  std::string name;
  std::string dtype;  // as in the header: "F32", "F16", "BF16", "U8", "BOOL", ...
  std::vector<uint64_t> shape;
  std::span<const uint8_t> bytes;  // little-endian, row-major; a view into the file, not aligned
};

/// Bytes of one element; 0: unknown dtype.
uint32_t safetensorsElementBytes(std::string_view dtype);

/// All tensors in the header's (that is: name) order. Everything that the header says is checked: its length, nesting,
/// duplicate names, dtypes, products of shapes, offsets, overlaps. Gaps between tensors are accepted.
llvm::Expected<std::vector<SafetensorsTensor>> parseSafetensors(std::span<const uint8_t> file);

/// The file's bytes: tensors in the order given, one after the other; the header padded to a multiple of 8.
std::string writeSafetensors(const std::vector<SafetensorsTensor> &tensors);

}  // namespace rtmc
