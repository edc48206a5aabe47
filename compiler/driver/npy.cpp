#include "driver/npy.h"

#include "support/files.h"
#include "support/names.h"

#include <fmt/format.h>

#include <cstring>
#include <string_view>

namespace rtmc::driver {
namespace {

constexpr uint64_t kMaxElements = uint64_t{1} << 34;

struct Header {
  std::string descr;
  bool fortran = false;
  std::vector<uint64_t> shape;
};

/// Reads the header's Python dictionary: three known keys, string, bool and tuple values.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  std::string parse(Header &header) {
    if (!eat('{')) return "the header is not a dictionary";
    bool seen[3] = {};
    while (!eat('}')) {
      std::string key;
      if (!string(key) || !eat(':')) return "the header's keys cannot be read";
      bool good = false;
      int which = -1;
      if (key == "descr")
        which = 0, good = string(header.descr);
      else if (key == "fortran_order")
        which = 1, good = boolean(header.fortran);
      else if (key == "shape")
        which = 2, good = tuple(header.shape);
      else
        return fmt::format("the header has an unknown key {}", quoted(key));
      if (!good)
        return fmt::format("the header's '{}' cannot be read (structured types are not arrays of float32)", key);
      if (seen[which]) return fmt::format("the header has '{}' twice", key);
      seen[which] = true;
      eat(',');
    }
    return seen[0] && seen[1] && seen[2] ? "" : "the header lacks 'descr', 'fortran_order' or 'shape'";
  }

 private:
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }
  bool eat(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool string(std::string &out) {
    skip();
    if (at_ >= text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) return false;
    const size_t end = text_.find(text_[at_], at_ + 1);
    if (end == std::string_view::npos) return false;
    out = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return true;
  }
  bool boolean(bool &out) {
    skip();
    for (bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(at_, word.size()) != word) continue;
      at_ += word.size();
      out = value;
      return true;
    }
    return false;
  }
  bool tuple(std::vector<uint64_t> &out) {
    if (!eat('(')) return false;
    while (!eat(')')) {
      skip();
      uint64_t value = 0;
      size_t digits = 0;
      for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_, ++digits) {
        if (value > (UINT64_MAX - 9) / 10) return false;
        value = value * 10 + static_cast<uint64_t>(text_[at_] - '0');
      }
      if (digits == 0 || out.size() > 32) return false;
      out.push_back(value);
      if (!eat(',') && (skip(), at_ >= text_.size() || text_[at_] != ')')) return false;
    }
    return true;
  }
  std::string_view text_;
  size_t at_ = 0;
};

std::string shapeText(const std::vector<uint64_t> &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += fmt::format("{}{}", i ? ", " : "", shape[i]);
  return text + "]";
}

/// "" or what is wrong with the file.
std::string decode(std::span<const uint8_t> file, uint32_t width, Sequence &sequence) {
  constexpr uint8_t kMagic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
  if (file.size() < 10 || std::memcmp(file.data(), kMagic, 6) != 0) return "not a .npy file";
  const unsigned major = file[6];
  if (major < 1 || major > 3) return fmt::format("version {} of the .npy format is unknown; 1 to 3 can be read", major);
  const size_t prefix = major == 1 ? 10 : 12;
  if (file.size() < prefix) return "the file ends inside its header";
  uint64_t length = file[8] | uint64_t{file[9]} << 8;
  if (major > 1) length |= uint64_t{file[10]} << 16 | uint64_t{file[11]} << 24;
  if (length > file.size() - prefix) return "the file ends inside its header";
  Header header;
  std::string complaint =
      HeaderParser({reinterpret_cast<const char *>(file.data()) + prefix, static_cast<size_t>(length)}).parse(header);
  if (!complaint.empty()) return complaint;
  if (header.descr != "<f4") {
    return fmt::format("dtype is {}; float32, little-endian ('<f4') is needed", quoted(header.descr));
  }
  if (header.shape.size() != 2 || header.shape[1] != width) {
    return fmt::format("shape is {}; [steps, {}] is needed", shapeText(header.shape), width);
  }
  // With one row or one column both orders are the same bytes.
  if (header.fortran && header.shape[0] > 1 && header.shape[1] > 1) {
    return "the array is in Fortran order; C order is needed (numpy.ascontiguousarray)";
  }
  const std::span<const uint8_t> data = file.subspan(prefix + static_cast<size_t>(length));
  if (width != 0 && header.shape[0] > kMaxElements / width) return "the array is too large";
  const uint64_t bytes = header.shape[0] * width * 4;
  if (data.size() != bytes) {
    return fmt::format("the file holds {} bytes of values; its shape {} needs {}", data.size(), shapeText(header.shape),
                       bytes);
  }
  sequence.steps = header.shape[0];
  sequence.width = width;
  sequence.values.resize(static_cast<size_t>(header.shape[0] * width));
  if (bytes) std::memcpy(sequence.values.data(), data.data(), static_cast<size_t>(bytes));
  return "";
}

}  // namespace

std::optional<Sequence> readNpy(const std::string &path, uint32_t width, Diagnostics &diagnostics, bool &environment) {
  auto source = std::make_shared<SourceFile>();
  source->path = path;
  const Location where{source, 0, 0, 1};
  auto file = MappedFile::open(path);
  if (!file) {
    environment = true;
    diagnostics.error("file-read", {}, llvm::toString(file.takeError()));
    return std::nullopt;
  }
  Sequence sequence;
  const std::string complaint = decode((*file)->bytes(), width, sequence);
  if (complaint.empty()) return sequence;
  diagnostics.error("input-array", where, complaint);
  return std::nullopt;
}

std::string writeNpy(const Sequence &sequence) {
  std::string header =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", sequence.steps, sequence.width);
  // NumPy aligns the values to 64 bytes and ends the header with a newline.
  header.append((64 - (10 + header.size() + 1) % 64) % 64, ' ');
  header += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  bytes.append(reinterpret_cast<const char *>(sequence.values.data()), sequence.values.size() * sizeof(float));
  return bytes;
}

}  // namespace rtmc::driver
