#include "support/safetensors.h"

#include "support/check.h"
#include "support/json.h"
#include "support/names.h"

#include <fmt/format.h>
#include <llvm/Support/raw_ostream.h>

#include <algorithm>
#include <array>
#include <utility>

namespace rtmc {
namespace {

constexpr uint64_t kMaxHeader = 100'000'000;  // the format's own limit
constexpr size_t kMaxDepth = 16;              // a real header has 3

llvm::Error damaged(const std::string &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

struct Dtype {
  std::string_view name;
  uint32_t bytes;
};
constexpr auto kDtypes = std::to_array<Dtype>({
    {"F64", 8},
    {"F32", 4},
    {"F16", 2},
    {"BF16", 2},
    {"I64", 8},
    {"U64", 8},
    {"I32", 4},
    {"U32", 4},
    {"I16", 2},
    {"U16", 2},
    {"I8", 1},
    {"U8", 1},
    {"BOOL", 1},
    {"F8_E4M3", 1},
    {"F8_E5M2", 1},
    {"F8_E8M0", 1},
    {"C64", 8},
});

/// What llvm::json cannot tell: how deep the text nests (it recurses, so this must be known before), and which names
/// stand twice (it keeps the last).
struct Scan {
  size_t depth = 0;                     // deepest
  std::vector<size_t> members;          // ':' per depth
  std::vector<std::string_view> names;  // raw keys of the outermost object
};

Scan scanJson(std::string_view text) {
  Scan scan;
  size_t depth = 0;
  std::string_view lastString;
  for (size_t i = 0; i < text.size(); ++i) {
    switch (text[i]) {
      case '"': {
        const size_t begin = ++i;
        while (i < text.size() && text[i] != '"') i += text[i] == '\\' ? 2 : 1;
        lastString = text.substr(begin, std::min(i, text.size()) - begin);
        break;
      }
      case '{':
      case '[':
        scan.depth = std::max(scan.depth, ++depth);
        if (depth > kMaxDepth) return scan;
        break;
      case '}':
      case ']':
        if (depth > 0) --depth;
        break;
      case ':':
        if (scan.members.size() <= depth) scan.members.resize(depth + 1);
        ++scan.members[depth];
        if (depth == 1) scan.names.push_back(lastString);
        break;
      default:
        break;
    }
  }
  return scan;
}

std::string firstDuplicate(std::vector<std::string_view> names) {
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  return twice == names.end() ? std::string() : fmt::format(" {}", quoted(*twice));
}

llvm::Expected<uint64_t> toOffset(const json::Value &value, std::string_view tensor, const char *what) {
  if (const auto number = value.getAsUINT64()) return *number;
  return damaged(fmt::format("tensor {}: {} is not a whole number from 0 on", quoted(tensor), what));
}

/// begin and end of a tensor's bytes in the data part.
llvm::Expected<std::pair<uint64_t, uint64_t>> readTensor(SafetensorsTensor &tensor, const json::Value &value,
                                                         std::span<const uint8_t> data) {
  const std::string name = quoted(tensor.name);
  const json::Object *object = value.getAsObject();
  if (!object) return damaged(fmt::format("tensor {} is not described by an object", name));
  const auto dtype = object->getString("dtype");
  const json::Array *shape = object->getArray("shape");
  const json::Array *offsets = object->getArray("data_offsets");
  if (!dtype || !shape || !offsets || offsets->size() != 2)
    return damaged(fmt::format("tensor {} needs dtype, shape and two data_offsets", name));
  tensor.dtype = dtype->str();
  const uint64_t elementBytes = safetensorsElementBytes(tensor.dtype);
  if (elementBytes == 0) return damaged(fmt::format("tensor {} has the unknown dtype {}", name, quoted(tensor.dtype)));
  uint64_t bytes = elementBytes;
  bool overflow = false, empty = false;
  for (const json::Value &entry : *shape) {
    auto dimension = toOffset(entry, tensor.name, "a dimension");
    if (!dimension) return dimension.takeError();
    tensor.shape.push_back(*dimension);
    empty |= *dimension == 0;
    overflow |= __builtin_mul_overflow(bytes, *dimension == 0 ? 1 : *dimension, &bytes);
  }
  if (overflow) return damaged(fmt::format("the shape of tensor {} overflows", name));
  if (empty) bytes = 0;
  auto begin = toOffset((*offsets)[0], tensor.name, "an offset");
  if (!begin) return begin.takeError();
  auto end = toOffset((*offsets)[1], tensor.name, "an offset");
  if (!end) return end.takeError();
  if (*begin > *end || *end > data.size())
    return damaged(
        fmt::format("tensor {} lies at bytes {} to {} of a data part of {} bytes", name, *begin, *end, data.size()));
  if (*end - *begin != bytes)
    return damaged(fmt::format("tensor {} has {} bytes; its shape and dtype need {}", name, *end - *begin, bytes));
  tensor.bytes = data.subspan(*begin, bytes);
  return std::pair(*begin, *end);
}

/// Checks length and nesting, and parses the header. `data` becomes the part behind it.
llvm::Expected<json::Value> readHeader(std::span<const uint8_t> file, std::span<const uint8_t> &data) {
  if (file.size() < 8) return damaged(fmt::format("{} bytes are too few for a safetensors file", file.size()));
  uint64_t length = 0;
  for (size_t i = 8; i-- > 0;) length = length << 8 | file[i];
  if (length > file.size() - 8)
    return damaged(fmt::format("the header claims {} bytes; {} follow", length, file.size() - 8));
  if (length > kMaxHeader)
    return damaged(fmt::format("the header has {} bytes; the format allows {}", length, kMaxHeader));
  const std::string_view text(reinterpret_cast<const char *>(file.data() + 8), length);
  data = file.subspan(8 + length);
  const Scan scan = scanJson(text);
  if (scan.depth > kMaxDepth) return damaged(fmt::format("the header nests deeper than {} levels", kMaxDepth));
  auto parsed = json::parse(llvm::StringRef(text.data(), text.size()));
  if (!parsed) return damaged("the header is not JSON: " + printable(llvm::toString(parsed.takeError())));
  const json::Object *object = parsed->getAsObject();
  if (!object) return damaged("the header is not a JSON object");
  if (scan.names.size() != object->size())
    return damaged(fmt::format("the header names a tensor{} twice", firstDuplicate(scan.names)));
  size_t inner = 0;
  for (const auto &entry : *object)
    if (const json::Object *o = entry.second.getAsObject()) inner += o->size();
  if ((scan.members.size() > 2 ? scan.members[2] : 0) != inner)
    return damaged("the header has a key twice in a tensor's description");
  return parsed;
}

}  // namespace

uint32_t safetensorsElementBytes(std::string_view dtype) {
  const auto found = std::find_if(kDtypes.begin(), kDtypes.end(), [&](const Dtype &d) { return d.name == dtype; });
  return found == kDtypes.end() ? 0 : found->bytes;
}

llvm::Expected<std::vector<SafetensorsTensor>> parseSafetensors(std::span<const uint8_t> file) {
  std::span<const uint8_t> data;
  auto header = readHeader(file, data);
  if (!header) return header.takeError();
  std::vector<SafetensorsTensor> tensors;
  struct Place {
    uint64_t begin, end;
    size_t tensor;
  };
  std::vector<Place> places;
  for (const auto &entry : *header->getAsObject()) {
    if (entry.first == "__metadata__") continue;
    SafetensorsTensor tensor;
    tensor.name = entry.first.str();
    auto place = readTensor(tensor, entry.second, data);
    if (!place) return place.takeError();
    if (place->first != place->second) places.push_back({place->first, place->second, tensors.size()});
    tensors.push_back(std::move(tensor));
  }
  std::sort(places.begin(), places.end(),
            [](const Place &a, const Place &b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  // The format allows no holes: bytes that no tensor owns are a file that was written badly or glued together.
  uint64_t end = 0;
  for (size_t i = 0; i < places.size(); ++i) {
    const std::string name = quoted(tensors[places[i].tensor].name);
    if (places[i].begin < end)
      return damaged(fmt::format("tensors {} and {} overlap", quoted(tensors[places[i - 1].tensor].name), name));
    if (places[i].begin > end)
      return damaged(fmt::format("{} bytes before tensor {} belong to no tensor", places[i].begin - end, name));
    end = places[i].end;
  }
  if (end < data.size())
    return damaged(fmt::format("{} bytes after the last tensor belong to none", data.size() - end));
  // llvm::json's order of members is that of a hash table.
  std::sort(tensors.begin(), tensors.end(), [](const auto &a, const auto &b) { return a.name < b.name; });
  return tensors;
}

std::string writeSafetensors(const std::vector<SafetensorsTensor> &tensors) {
  std::string header;
  llvm::raw_string_ostream stream(header);
  json::OStream out(stream);
  uint64_t offset = 0;
  out.objectBegin();
  for (const SafetensorsTensor &tensor : tensors) {
    RTMC_CHECK(safetensorsElementBytes(tensor.dtype) != 0, "unknown dtype " + tensor.dtype);
    uint64_t bytes = safetensorsElementBytes(tensor.dtype);
    for (const uint64_t dimension : tensor.shape) bytes *= dimension;
    RTMC_CHECK(bytes == tensor.bytes.size(), "shape and bytes of " + tensor.name + " do not agree");
    out.attributeObject(json::fixUTF8(tensor.name), [&] {
      out.attribute("dtype", tensor.dtype);
      out.attributeArray("shape", [&] {
        for (const uint64_t dimension : tensor.shape) out.value(dimension);
      });
      out.attributeArray("data_offsets", [&] {
        out.value(offset);
        out.value(offset + bytes);
      });
    });
    offset += bytes;
  }
  out.objectEnd();
  out.flush();
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string file;
  file.reserve(8 + header.size() + offset);
  for (int i = 0; i < 8; ++i) file += static_cast<char>(static_cast<uint64_t>(header.size()) >> (8 * i) & 0xff);
  file += header;
  for (const SafetensorsTensor &tensor : tensors)
    file.append(reinterpret_cast<const char *>(tensor.bytes.data()), tensor.bytes.size());
  return file;
}

}  // namespace rtmc
