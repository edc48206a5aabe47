#include "support/safetensors_writer.h"

#include "support/check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace rtmc {
namespace {

constexpr size_t kRoomPerTensor = 160;  // dtype, two dimensions, two offsets, and the words around them

}  // namespace

llvm::Error SafetensorsWriter::begin(size_t tensors, size_t nameBytes) {
  room_ = (nameBytes + tensors * kRoomPerTensor + 2 + 7) / 8 * 8;
  std::vector<uint8_t> start(8 + room_, ' ');
  for (size_t i = 0; i < 8; ++i) start[i] = static_cast<uint8_t>(room_ >> (8 * i) & 0xff);
  return file_.write(start);
}

void SafetensorsWriter::add(std::string name, std::string dtype, std::vector<uint64_t> shape) {
  tensors_.push_back({std::move(name), std::move(dtype), std::move(shape), {}});
  begins_.push_back(written_);
}

llvm::Error SafetensorsWriter::write(std::span<const uint8_t> bytes) {
  written_ += bytes.size();
  return file_.write(bytes);
}

llvm::Error SafetensorsWriter::finish() {
  std::string header = "{";
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const SafetensorsTensor &tensor = tensors_[i];
    const uint64_t end = i + 1 < tensors_.size() ? begins_[i + 1] : written_;
    uint64_t bytes = safetensorsElementBytes(tensor.dtype);
    for (const uint64_t dimension : tensor.shape) bytes *= dimension;
    RTMC_CHECK(bytes == end - begins_[i], "shape and bytes of " + tensor.name + " do not agree");
    header += fmt::format(R"({}"{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", i == 0 ? "" : ",",
                          tensor.name, tensor.dtype, fmt::join(tensor.shape, ","), begins_[i], end);
  }
  header += "}";
  RTMC_CHECK(header.size() <= room_, "the header is larger than its room");
  return file_.writeAt(8, {reinterpret_cast<const uint8_t *>(header.data()), header.size()});
}

}  // namespace rtmc
