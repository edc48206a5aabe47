#include "frontend/npy.h"

#include "support/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

namespace rtmc::frontend {
namespace {

llvm::Error damaged(const std::string &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// The header is the text of a Python dictionary with three keys; this reads just that much of Python.
class DictReader {
 public:
  explicit DictReader(std::string_view text) : text_(text) {}

  /// Empty: done; else what is wrong.
  std::string read(NpyHeader &header) {
    bool descr = false, order = false, shape = false;
    if (!take('{')) return "it does not start with '{'";
    while (!take('}')) {
      std::string key;
      if (!readString(key) || !take(':')) return "a key is missing";
      bool *seen = key == "descr" ? &descr : key == "fortran_order" ? &order : key == "shape" ? &shape : nullptr;
      if (!seen) return "it has the unknown key " + quoted(key);
      if (*seen) return "it has the key " + quoted(key) + " twice";
      *seen = true;
      if (seen == &descr && peek() == '[') return "it describes a structured dtype; plain numbers are needed";
      const bool good = seen == &descr   ? readString(header.descr)
                        : seen == &order ? readBool(header.fortranOrder)
                                         : readShape(header.shape);
      if (!good) return "the value of " + quoted(key) + " cannot be read";
      if (!take(',') && peek() != '}') return "a ',' or '}' is missing";
    }
    skipSpace();
    if (!text_.empty()) return "something follows its '}'";
    return descr && order && shape ? "" : "it needs 'descr', 'fortran_order' and 'shape'";
  }

 private:
  void skipSpace() {
    const size_t first = text_.find_first_not_of(" \t\r\n");
    text_.remove_prefix(std::min(first, text_.size()));
  }
  char peek() {
    skipSpace();
    return text_.empty() ? '\0' : text_[0];
  }
  bool take(char c) {
    if (text_.empty() || peek() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool takeWord(std::string_view word) {
    skipSpace();
    if (!text_.starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }
  bool readString(std::string &out) {
    const char quote = peek();
    if (quote != '\'' && quote != '"') return false;
    const size_t end = text_.find(quote, 1);
    if (end == std::string_view::npos) return false;
    out = text_.substr(1, end - 1);
    text_.remove_prefix(end + 1);
    return out.find('\\') == std::string::npos;
  }
  bool readBool(bool &out) {
    out = takeWord("True");
    return out || takeWord("False");
  }
  bool readShape(std::vector<uint64_t> &out) {
    if (!take('(')) return false;
    while (!take(')')) {
      skipSpace();
      uint64_t value = 0;
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
      if (error != std::errc()) return false;
      text_.remove_prefix(static_cast<size_t>(end - text_.data()));
      takeWord("L");  // as Python 2 wrote it
      out.push_back(value);
      if (!take(',') && peek() != ')') return false;
    }
    return true;
  }

  std::string_view text_;
};

}  // namespace

llvm::Expected<uint64_t> npyDataOffset(std::span<const uint8_t> prefix) {
  constexpr std::string_view kMagic = "\x93NUMPY";
  const std::string_view text(reinterpret_cast<const char *>(prefix.data()), prefix.size());
  if (prefix.size() < kNpyPrefix || !text.starts_with(kMagic)) return damaged("it is not a .npy array");
  const unsigned version = prefix[6];
  if (version < 1 || version > 3)
    return damaged(fmt::format("it is a .npy array of version {}; 1 to 3 are known", version));
  const uint64_t low = prefix[8] | uint64_t{prefix[9]} << 8;
  const uint64_t length = version == 1 ? low : low | uint64_t{prefix[10]} << 16 | uint64_t{prefix[11]} << 24;
  if (length > kMaxNpyHeader) return damaged(fmt::format("its .npy header claims {} bytes", length));
  const uint64_t offset = (version == 1 ? 10 : 12) + length;
  // The shortest dictionary is far longer than this.
  if (offset < kNpyPrefix) return damaged("its .npy header is too short");
  return offset;
}

llvm::Expected<NpyHeader> parseNpyHeader(std::span<const uint8_t> bytes) {
  auto offset = npyDataOffset(bytes.first(std::min(bytes.size(), kNpyPrefix)));
  if (!offset) return offset.takeError();
  if (bytes.size() < *offset) return damaged("its .npy header is cut off");
  const size_t start = bytes[6] == 1 ? 10 : 12;
  NpyHeader header;
  header.dataOffset = *offset;
  const std::string complaint =
      DictReader({reinterpret_cast<const char *>(bytes.data()) + start, *offset - start}).read(header);
  if (!complaint.empty()) return damaged("its .npy header is wrong: " + complaint);
  return header;
}

}  // namespace rtmc::frontend
