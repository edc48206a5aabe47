#include "backend/blob.h"

#include "support/check.h"

#include <algorithm>
#include <cstring>

namespace rtmc::backend {
namespace {

constexpr uint64_t kAlignment = 64;
constexpr size_t kWordsPerLine = 64;

void padTo(std::vector<uint8_t> &bytes, uint64_t alignment) {
  bytes.resize((bytes.size() + alignment - 1) / alignment * alignment, 0);
}

}  // namespace

void Blob::add(std::string type, uint32_t elementBytes, std::string name, std::span<const uint8_t> bytes,
               std::string comment) {
  RTMC_CHECK(bytes.size() % elementBytes == 0, "a table ends inside an element");
  if (bytes.empty()) return;
  padTo(bytes_, kAlignment);
  members_.push_back(
      {std::move(type), std::move(name), bytes.size() / elementBytes, bytes_.size(), std::move(comment)});
  sizes_.push_back(bytes.size());
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

void Blob::finish() {
  padTo(bytes_, kAlignment);
}

uint64_t Blob::sizeOf(std::string_view name) const {
  for (size_t i = 0; i < members_.size(); ++i) {
    if (members_[i].name == name) return sizes_[i];
  }
  return 0;
}

void appendWordLiteral(std::string &out, std::span<const uint8_t> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  RTMC_CHECK(bytes.size() % 4 == 0, "a literal of words ends inside a word");
  const size_t words = bytes.size() / 4;
  out.reserve(out.size() + words * 10 + words / kWordsPerLine * 6 + 16);
  for (size_t begin = 0; begin < words; begin += kWordsPerLine) {
    out += "    U\"";
    const size_t end = std::min(words, begin + kWordsPerLine);
    for (size_t i = begin; i < end; ++i) {
      uint32_t word;
      std::memcpy(&word, bytes.data() + i * 4, 4);
      out += "\\x";
      int shift = 28;
      while (shift > 0 && (word >> shift) == 0) shift -= 4;
      for (; shift >= 0; shift -= 4) out += kDigits[(word >> shift) & 15];
    }
    out += "\"\n";
  }
}

std::vector<uint8_t> indexBytes(std::span<const uint32_t> values, uint32_t width) {
  std::vector<uint8_t> out;
  out.reserve(values.size() * width);
  for (const uint32_t value : values) {
    RTMC_CHECK(width == 4 || value >> (8 * width) == 0, "an index does not fit its table");
    for (uint32_t i = 0; i < width; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
  return out;
}

}  // namespace rtmc::backend
