// Owns: the packed bytes of a model as one block, what lies where in it, and its text as a literal that compilers
// swallow fast: char32_t words in hexadecimal (40 MB: 2 s and 1 GB of memory in clang++, where bytes took 9 s and 3
// GB). Refuses to own: what the bytes mean (ir::Packed) and which tables exist (backend/layout.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rtmc::backend {

/// One array of the generated `struct Weights`.
struct BlobMember {
  std::string type;  // element type in the generated source: "float", "uint16_t", "unsigned char", "Run"
  std::string name;
  uint64_t elements = 0;
  uint64_t offset = 0;  // bytes from the start of the blob
  std::string comment;
};

/// Appends arrays, each 64-byte aligned; the whole is padded to a multiple of 64.
class Blob {
 public:
  /// `elementBytes` must be the size that `type` has in the generated source.
  void add(std::string type, uint32_t elementBytes, std::string name, std::span<const uint8_t> bytes,
           std::string comment);
  void finish();
  const std::vector<BlobMember> &members() const { return members_; }
  const std::vector<uint8_t> &bytes() const { return bytes_; }
  /// Bytes that a member fills.
  uint64_t sizeOf(std::string_view name) const;

 private:
  std::vector<BlobMember> members_;
  std::vector<uint64_t> sizes_;
  std::vector<uint8_t> bytes_;
};

/// U"\x3f800000\x..." lines of the bytes as little-endian words; `bytes` is a multiple of 4 long.
void appendWordLiteral(std::string &out, std::span<const uint8_t> bytes);

/// Bytes of `values` in an index table of `width` bytes per entry.
std::vector<uint8_t> indexBytes(std::span<const uint32_t> values, uint32_t width);

}  // namespace rtmc::backend
