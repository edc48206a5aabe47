#include "unit/frontend/weight_builder.h"

#include "support/numeric.h"
#include "support/safetensors.h"

#include <fmt/format.h>
#include <zip.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace rtmc::test {
namespace {

template <typename T>
void append(std::string &out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

}  // namespace

TempFolder::TempFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "rtmc-test-XXXXXX").string();
  if (!::mkdtemp(pattern.data())) throw std::runtime_error("no temporary folder: " + pattern);
  path_ = pattern;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempFolder::write(const std::string &name, std::string_view bytes) const {
  std::ofstream stream(file(name), std::ios::binary);
  stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!stream.flush()) throw std::runtime_error("cannot write " + file(name));
  return file(name);
}

std::vector<double> countingValues(size_t count) {
  std::vector<double> out(count);
  // 8 bits of mantissa at most, so that bfloat16 holds them: +-1/16 ... +-127/16.
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<double>(i % 127 + 1) / 16 * (i % 2 ? -1 : 1);
  return out;
}

TestTensor countingTensor(std::string name, std::string dtype, std::vector<uint64_t> shape) {
  size_t count = 1;
  for (const uint64_t size : shape) count *= size;
  return {std::move(name), std::move(dtype), std::move(shape), countingValues(count)};
}

std::string encode(std::string_view dtype, const std::vector<double> &values) {
  std::string out;
  for (const double v : values) {
    if (dtype == "F64")
      append(out, v);
    else if (dtype == "F32")
      append(out, static_cast<float>(v));
    else if (dtype == "F16")
      append(out, floatToHalf(static_cast<float>(v)));
    else if (dtype == "BF16")
      append(out, floatToBfloat(static_cast<float>(v)));
    else if (dtype == "I64" || dtype == "U64")
      append(out, static_cast<int64_t>(v));
    else if (dtype == "I32" || dtype == "U32")
      append(out, static_cast<int32_t>(v));
    else if (dtype == "I16" || dtype == "U16")
      append(out, static_cast<int16_t>(v));
    else
      append(out, static_cast<int8_t>(v));
  }
  return out;
}

std::string makeSafetensors(const std::vector<TestTensor> &tensors) {
  std::vector<std::string> bytes;
  for (const TestTensor &tensor : tensors) bytes.push_back(encode(tensor.dtype, tensor.values));
  std::vector<SafetensorsTensor> views;
  for (size_t i = 0; i < tensors.size(); ++i)
    views.push_back({tensors[i].name,
                     tensors[i].dtype,
                     tensors[i].shape,
                     {reinterpret_cast<const uint8_t *>(bytes[i].data()), bytes[i].size()}});
  return writeSafetensors(views);
}

std::string makeNpy(const TestTensor &tensor, const NpyOptions &options) {
  static const std::vector<std::pair<std::string, std::string>> kDescr = {
      {"F16", "<f2"}, {"F32", "<f4"}, {"F64", "<f8"}, {"BOOL", "|b1"}, {"U8", "|u1"},
      {"I8", "|i1"},  {"I32", "<i4"}, {"I64", "<i8"}, {"I16", "<i2"}};
  std::string descr = options.descr;
  for (const auto &[dtype, text] : kDescr)
    if (descr.empty() && dtype == tensor.dtype) descr = "'" + text + "'";
  std::string shape = options.shapeText;
  if (shape.empty()) {
    shape = "(";
    for (const uint64_t size : tensor.shape) shape += fmt::format("{}, ", size);
    shape += ")";
  }
  std::string header = fmt::format("{{'descr': {}, 'fortran_order': {}, 'shape': {}, }}", descr,
                                   options.fortranOrder ? "True" : "False", shape);
  const size_t prefix = options.version == 1 ? 10 : 12;
  while ((prefix + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::string out = "\x93NUMPY";
  out += static_cast<char>(options.version);
  out += '\0';
  if (options.version == 1)
    append(out, static_cast<uint16_t>(header.size()));
  else
    append(out, static_cast<uint32_t>(header.size()));
  out += header;
  std::vector<double> values = tensor.values;
  if (options.fortranOrder && tensor.shape.size() == 2) {
    const size_t rows = tensor.shape[0], columns = tensor.shape[1];
    for (size_t r = 0; r < rows; ++r)
      for (size_t c = 0; c < columns; ++c) values[c * rows + r] = tensor.values[r * columns + c];
  }
  return out + encode(tensor.dtype, values);
}

std::string makeZip(const std::vector<ZipMember> &members) {
  const TempFolder folder;
  const std::string path = folder.file("archive.zip");
  int error = 0;
  zip_t *archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &error);
  if (!archive) throw std::runtime_error("libzip cannot create an archive");
  for (const ZipMember &member : members) {
    zip_source_t *source = zip_source_buffer(archive, member.bytes.data(), member.bytes.size(), 0);
    const zip_int64_t index = zip_file_add(archive, member.name.c_str(), source, ZIP_FL_ENC_UTF_8);
    if (index < 0) throw std::runtime_error("libzip refuses " + member.name);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), member.deflate ? ZIP_CM_DEFLATE : ZIP_CM_STORE,
                             0);
    zip_file_set_mtime(archive, static_cast<zip_uint64_t>(index), 0, 0);
  }
  if (zip_close(archive) != 0) throw std::runtime_error("libzip cannot write an archive");
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::string makeNpz(const std::vector<TestTensor> &tensors, bool deflate) {
  std::vector<ZipMember> members;
  for (const TestTensor &tensor : tensors) members.push_back({tensor.name + ".npy", makeNpy(tensor), deflate});
  return makeZip(members);
}

}  // namespace rtmc::test
