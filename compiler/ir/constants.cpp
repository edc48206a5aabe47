#include "ir/constants.h"

#include "support/files.h"
#include "support/hash.h"
#include "support/names.h"
#include "support/safetensors.h"

#include <fmt/format.h>
#include <llvm/Support/JSON.h>
#include <yaml-cpp/yaml.h>

#include <bit>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

namespace rtmc::ir {

static_assert(std::endian::native == std::endian::little, "constants are stored in the host's order");

namespace {

template <typename T>
std::string floatText(T value) {
  if (std::isnan(value)) return ".nan";
  if (std::isinf(value)) return value < 0 ? "-.inf" : ".inf";
  return fmt::format("{}", value);
}

template <typename T>
bool parseWith(std::string_view text, T &value) {
  auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  return status == std::errc() && end == text.data() + text.size();
}

template <typename T>
bool parseFloat(std::string_view text, T &value) {
  bool negative = text.starts_with('-');
  std::string_view magnitude = text.substr(negative ? 1 : 0);
  if (magnitude == ".inf") {
    value = negative ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::infinity();
    return true;
  }
  if (text == ".nan") {
    value = std::numeric_limits<T>::quiet_NaN();
    return true;
  }
  // from_chars also takes "inf", "nan(...)": one spelling is enough.
  if (magnitude.empty() || (magnitude[0] != '.' && (magnitude[0] < '0' || magnitude[0] > '9'))) return false;
  return parseWith(text, value);
}

template <typename T>
std::string inlineText(std::span<const T> values) {
  std::string text = "[";
  for (size_t i = 0; i < values.size(); ++i) {
    if (i != 0) text += ", ";
    if constexpr (std::is_floating_point_v<T>)
      text += yamlNumber(values[i]);
    else
      text += fmt::format("{}", values[i]);
  }
  return text + "]";
}

template <typename T>
std::span<const uint8_t> rawBytes(std::span<const T> values) {
  return {reinterpret_cast<const uint8_t *>(values.data()), values.size_bytes()};
}

std::string hashText(std::span<const uint8_t> bytes) {
  return hex16(hash64(bytes));
}

}  // namespace

std::string yamlNumber(float value) {
  return floatText(value);
}
std::string yamlNumber(double value) {
  return floatText(value);
}

std::string yamlString(std::string_view text) {
  auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || std::strchr("_./@+-", c) != nullptr;
  };
  static const std::set<std::string_view> kWords = {"true", "false", "null", "yes", "no", "on", "off"};
  std::string lower;
  bool safe = !text.empty() && (std::isalpha(static_cast<unsigned char>(text[0])) || text[0] == '_');
  for (char c : text) {
    safe = safe && c != 0 && static_cast<unsigned char>(c) < 0x80 && plain(c);
    lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  if (safe && !kWords.contains(lower)) return std::string(text);

  std::string result = "\"";
  // yaml-cpp replaces broken UTF-8 when it reads; doing so here keeps print -> parse -> print the same.
  for (char c : llvm::json::fixUTF8(llvm::StringRef(text.data(), text.size()))) {
    if (c == '"' || c == '\\')
      result += {'\\', c};
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else
      result += c;
  }
  return result + "\"";
}

std::string yamlStrings(std::span<const std::string> texts) {
  std::string result = "[";
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i != 0) result += ", ";
    result += yamlString(texts[i]);
  }
  return result + "]";
}

bool parseNumber(std::string_view text, float &value) {
  return parseFloat(text, value);
}
bool parseNumber(std::string_view text, double &value) {
  return parseFloat(text, value);
}
bool parseNumber(std::string_view text, uint8_t &value) {
  return parseWith(text, value);
}
bool parseNumber(std::string_view text, uint32_t &value) {
  return parseWith(text, value);
}
bool parseNumber(std::string_view text, uint64_t &value) {
  return parseWith(text, value);
}

// ------------------------------------------------------------------------------------------------------ writer

struct ConstantWriter::Entry {
  std::string name;
  std::string_view dtype;
  uint64_t count;
  std::span<const uint8_t> raw;
};

ConstantWriter::ConstantWriter(std::string fileName) : fileName_(std::move(fileName)) {}
ConstantWriter::~ConstantWriter() = default;

std::string ConstantWriter::store(std::string_view name, std::string_view dtype, std::span<const uint8_t> raw,
                                  size_t count) {
  std::string unique = llvm::json::fixUTF8(llvm::StringRef(name.data(), name.size()));
  for (int number = 2; !names_.insert(unique).second; ++number) unique = fmt::format("{}#{}", name, number);
  entries_.push_back({unique, dtype, count, raw});
  return fmt::format("{{file: {}, tensor: {}, hash: \"{}\"}}", yamlString(fileName_), yamlString(unique),
                     hashText(raw));
}

std::string ConstantWriter::floats(std::string_view name, std::span<const float> values) {
  return values.size() <= kInlineValues ? inlineText(values) : store(name, "F32", rawBytes(values), values.size());
}
std::string ConstantWriter::bytes(std::string_view name, std::span<const uint8_t> values) {
  return values.size() <= kInlineValues ? inlineText(values) : store(name, "U8", values, values.size());
}
std::string ConstantWriter::indices(std::string_view name, std::span<const uint32_t> values) {
  return values.size() <= kInlineValues ? inlineText(values) : store(name, "U32", rawBytes(values), values.size());
}

std::string ConstantWriter::finish() {
  if (entries_.empty()) return "";
  std::vector<SafetensorsTensor> tensors;
  for (const Entry &entry : entries_)
    tensors.push_back({entry.name, std::string(entry.dtype), {entry.count}, entry.raw});
  return writeSafetensors(tensors);
}

// ------------------------------------------------------------------------------------------------------ reader

struct ConstantReader::File {
  std::shared_ptr<const MappedFile> mapping;
  std::map<std::string, SafetensorsTensor, std::less<>> tensors;
};

ConstantReader::ConstantReader(std::string directory) : directory_(std::move(directory)) {}
ConstantReader::~ConstantReader() = default;

namespace {

llvm::Error failure(const YAML::Node &node, const std::string &message) {
  YAML::Mark mark = node.Mark();
  return llvm::createStringError(fmt::format("line {}: {}", mark.line + 1, message));
}

/// The scalar under `key`, or "" where there is none.
std::string scalarAt(const YAML::Node &node, const char *key) {
  const YAML::Node value = node[key];
  return value && value.IsScalar() ? value.Scalar() : std::string();
}

}  // namespace

llvm::Expected<const ConstantReader::File *> ConstantReader::open(const std::string &name) {
  if (auto known = files_.find(name); known != files_.end()) return known->second.get();
  if (name.empty() || name.find('/') != std::string::npos || name == "." || name == "..")
    return llvm::createStringError(fmt::format("constants must lie beside the text, not in {}", quoted(name)));
  std::string path = directory_.empty() ? name : directory_ + "/" + name;
  auto mapping = MappedFile::open(path);
  if (!mapping) return mapping.takeError();
  auto tensors = parseSafetensors((*mapping)->bytes());
  if (!tensors) return llvm::createStringError(fmt::format("{}: {}", path, llvm::toString(tensors.takeError())));
  auto file = std::make_unique<File>();
  file->mapping = std::move(*mapping);
  for (SafetensorsTensor &tensor : *tensors) file->tensors.emplace(tensor.name, tensor);
  return (files_[name] = std::move(file)).get();
}

llvm::Expected<std::span<const uint8_t>> ConstantReader::find(const YAML::Node &node, std::string_view dtype) {
  for (const auto &entry : node) {
    std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
    if (key != "file" && key != "tensor" && key != "hash")
      return failure(node, fmt::format("a constant has no key {}; it has file, tensor, hash", quoted(key)));
  }
  std::string tensorName = scalarAt(node, "tensor");
  auto file = open(scalarAt(node, "file"));
  if (!file) return failure(node, llvm::toString(file.takeError()));
  auto found = (*file)->tensors.find(tensorName);
  if (found == (*file)->tensors.end())
    return failure(node, fmt::format("no tensor {} in the constants", quoted(tensorName)));
  if (found->second.dtype != dtype)
    return failure(node, fmt::format("tensor {} is {}; {} is needed", quoted(tensorName), found->second.dtype, dtype));
  if (hashText(found->second.bytes) != scalarAt(node, "hash"))
    return failure(node, fmt::format("tensor {} is not the one that was written: its hash is {}", quoted(tensorName),
                                     hashText(found->second.bytes)));
  return found->second.bytes;
}

template <typename T>
llvm::Expected<std::vector<T>> ConstantReader::read(const YAML::Node &node, std::string_view dtype) try {
  std::vector<T> values;
  if (node.IsSequence()) {
    values.reserve(node.size());
    for (const auto &element : node) {
      T value{};
      if (!element.IsScalar() || !parseNumber(element.Scalar(), value))
        return failure(element, fmt::format("{} is no {} value",
                                            element.IsScalar() ? quoted(element.Scalar()) : "a list or map", dtype));
      values.push_back(value);
    }
    return values;
  }
  if (!node.IsMap()) return failure(node, "a constant is a list of numbers, or {file, tensor, hash}");
  auto raw = find(node, dtype);
  if (!raw) return raw.takeError();
  if (raw->size() % sizeof(T) != 0) return failure(node, "the tensor's bytes are no whole number of values");
  values.resize(raw->size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), raw->data(), raw->size());
  return values;
} catch (const YAML::Exception &error) {
  return llvm::createStringError(error.what());
}

llvm::Expected<std::vector<float>> ConstantReader::floats(const YAML::Node &node) {
  return read<float>(node, "F32");
}
llvm::Expected<std::vector<uint8_t>> ConstantReader::bytes(const YAML::Node &node) {
  return read<uint8_t>(node, "U8");
}
llvm::Expected<std::vector<uint32_t>> ConstantReader::indices(const YAML::Node &node) {
  return read<uint32_t>(node, "U32");
}

}  // namespace rtmc::ir
