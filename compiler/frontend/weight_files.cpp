#include "frontend/weight_files.h"

#include "support/check.h"
#include "support/names.h"
#include "support/numeric.h"
#include "support/safetensors.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <system_error>
#include <utility>

namespace rtmc::frontend {
namespace {

static_assert(std::endian::native == std::endian::little, "weight files are little-endian and read as they lie");

struct NamedDtype {
  std::string_view name;
  Dtype dtype;
};
constexpr auto kSafetensorsDtypes = std::to_array<NamedDtype>({
    {"F16", Dtype::F16},
    {"BF16", Dtype::BF16},
    {"F32", Dtype::F32},
    {"F64", Dtype::F64},
    {"BOOL", Dtype::Bool},
    {"I8", Dtype::I8},
    {"U8", Dtype::U8},
    {"I16", Dtype::I16},
    {"U16", Dtype::U16},
    {"I32", Dtype::I32},
    {"U32", Dtype::U32},
    {"I64", Dtype::I64},
    {"U64", Dtype::U64},
});

class SafetensorsFile : public WeightFile {
 public:
  SafetensorsFile(std::vector<SafetensorsTensor> tensors, std::shared_ptr<const void> owner)
      : tensors_(std::move(tensors)), owner_(std::move(owner)) {
    for (const SafetensorsTensor &tensor : tensors_) names_.push_back(tensor.name);
  }
  const std::vector<std::string> &names() const override { return names_; }
  llvm::Expected<TensorInfo> info(size_t index) override {
    TensorInfo info;
    info.dtypeName = tensors_[index].dtype;
    info.shape = tensors_[index].shape;
    for (const NamedDtype &known : kSafetensorsDtypes)
      if (known.name == info.dtypeName) info.dtype = known.dtype;
    return info;
  }
  llvm::Expected<TensorBytes> read(size_t index) override { return TensorBytes{tensors_[index].bytes, owner_}; }

 private:
  std::vector<SafetensorsTensor> tensors_;
  std::vector<std::string> names_;
  std::shared_ptr<const void> owner_;
};

template <typename T>
T load(const uint8_t *at) {
  T value;
  std::memcpy(&value, at, sizeof value);  // tensors in a file are not aligned
  return value;
}

/// Calls f(row-major index, element's address) for each element in the file's order.
template <typename F>
void forEachElement(const TensorInfo &info, std::span<const uint8_t> bytes, F f) {
  const uint32_t elementBytes = bytesOf(info.dtype);
  const size_t count = bytes.size() / elementBytes;
  if (!info.fortranOrder || info.shape.size() < 2) {
    for (size_t i = 0; i < count; ++i) f(i, bytes.data() + i * elementBytes);
    return;
  }
  RTMC_CHECK(info.shape.size() == 2, "shapes are checked before numbers are read");
  const size_t rows = info.shape[0], columns = info.shape[1];
  for (size_t column = 0; column < columns; ++column)
    for (size_t row = 0; row < rows; ++row)
      f(row * columns + column, bytes.data() + (column * rows + row) * elementBytes);
}

}  // namespace

uint32_t bytesOf(Dtype dtype) {
  switch (dtype) {
    case Dtype::Bool:
    case Dtype::I8:
    case Dtype::U8:
      return 1;
    case Dtype::F16:
    case Dtype::BF16:
    case Dtype::I16:
    case Dtype::U16:
      return 2;
    case Dtype::F32:
    case Dtype::I32:
    case Dtype::U32:
      return 4;
    case Dtype::F64:
    case Dtype::I64:
    case Dtype::U64:
      return 8;
    case Dtype::Other:
      return 0;
  }
  return 0;
}

llvm::Expected<std::unique_ptr<WeightFile>> openSafetensors(std::span<const uint8_t> file,
                                                            std::shared_ptr<const void> owner) {
  auto tensors = parseSafetensors(file);
  if (!tensors) return tensors.takeError();
  return std::make_unique<SafetensorsFile>(std::move(*tensors), std::move(owner));
}

std::vector<float> toFloats(const TensorInfo &info, std::span<const uint8_t> bytes) {
  RTMC_CHECK(isFloat(info.dtype), "only floats are weights");
  std::vector<float> out(bytes.size() / bytesOf(info.dtype));
  const auto fill = [&](auto convert) {
    forEachElement(info, bytes, [&](size_t i, const uint8_t *at) { out[i] = convert(at); });
  };
  switch (info.dtype) {
    case Dtype::F16:
      fill([](const uint8_t *at) { return halfToFloat(load<uint16_t>(at)); });
      break;
    case Dtype::BF16:
      fill([](const uint8_t *at) { return bfloatToFloat(load<uint16_t>(at)); });
      break;
    case Dtype::F64:
      fill([](const uint8_t *at) { return static_cast<float>(load<double>(at)); });
      break;
    default:
      fill([](const uint8_t *at) { return load<float>(at); });
      break;
  }
  return out;
}

std::vector<uint8_t> toMask(const TensorInfo &info, std::span<const uint8_t> bytes, std::optional<size_t> *nan) {
  const uint32_t elementBytes = bytesOf(info.dtype);
  RTMC_CHECK(elementBytes != 0, "a mask's dtype is checked before it is read");
  std::vector<uint8_t> out;
  if (isFloat(info.dtype)) {  // -0.0 is zero, though not all of its bits are
    const std::vector<float> values = toFloats(info, bytes);
    out.resize(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      if (std::isnan(values[i]) && nan && !*nan) *nan = i;
      out[i] = values[i] != 0;
    }
    return out;
  }
  out.resize(bytes.size() / elementBytes);
  forEachElement(info, bytes, [&](size_t i, const uint8_t *at) {
    uint8_t any = 0;
    for (uint32_t b = 0; b < elementBytes; ++b) any |= at[b];
    out[i] = any != 0;
  });
  return out;
}

bool WeightStore::add(const std::string &path, const Location &where, Diagnostics &diagnostics, bool *environment) {
  const bool safetensors = path.ends_with(".safetensors");
  if (!safetensors && !path.ends_with(".npz")) {
    diagnostics.error("file-format", where,
                      fmt::format("{} is not a weight file; '.safetensors' or '.npz' is needed", quoted(path)));
    return false;
  }
  auto mapped = MappedFile::open(path);
  if (!mapped) {
    diagnostics.error("file-read", where, llvm::toString(mapped.takeError()));
    if (environment) *environment = true;
    return false;
  }
  auto file = safetensors ? openSafetensors((*mapped)->bytes(), *mapped) : openNpz((*mapped)->bytes(), *mapped);
  if (!file) {
    diagnostics.error("file-damaged", where,
                      fmt::format("{} cannot be read: {}", quoted(path), llvm::toString(file.takeError())));
    return false;
  }
  const std::vector<std::string> &names = (*file)->names();
  for (size_t i = 0; i < names.size(); ++i) {
    const auto [entry, added] = entries_.emplace(names[i], Entry{file->get(), mapped->get(), i, path, ""});
    if (added)
      names_.push_back(names[i]);
    else
      entry->second.otherPath = path;
  }
  files_.push_back(std::move(*file));
  mappings_.push_back(std::move(*mapped));
  return true;
}

const WeightStore::Entry *WeightStore::find(const std::string &name) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return nullptr;
  used_.insert(name);
  return &found->second;
}

}  // namespace rtmc::frontend
