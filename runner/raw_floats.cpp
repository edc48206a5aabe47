#include "raw_floats.h"

#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "failure.h"

namespace rtmc::runner {
namespace {

static_assert(std::endian::native == std::endian::little, "files hold floats as this processor stores them");

struct Close {
  void operator()(FILE *file) const { std::fclose(file); }
};
using File = std::unique_ptr<FILE, Close>;

[[noreturn]] void fail(const std::string &path, const char *what) {
  throw Failure(path + ": " + what + ": " + std::strerror(errno));
}

}  // namespace

std::vector<float> readFloats(const std::string &path, size_t count) {
  const File file(std::fopen(path.c_str(), "rb"));
  if (!file) fail(path, "cannot be opened");
  // The size first: a wrong count must not allocate what the request claims.
  if (std::fseek(file.get(), 0, SEEK_END) != 0) fail(path, "cannot be read");
  const long bytes = std::ftell(file.get());
  if (bytes < 0 || std::fseek(file.get(), 0, SEEK_SET) != 0) fail(path, "cannot be read");
  if (static_cast<size_t>(bytes) != count * sizeof(float)) {
    throw Failure(path + ": has " + std::to_string(bytes) + " bytes, needs " + std::to_string(count * sizeof(float)));
  }
  std::vector<float> values(count);
  if (std::fread(values.data(), sizeof(float), count, file.get()) != count) fail(path, "cannot be read");
  return values;
}

void writeBytes(const std::string &path, const void *bytes, size_t count) {
  File file(std::fopen(path.c_str(), "wb"));
  if (!file) fail(path, "cannot be written");
  const bool written = std::fwrite(bytes, 1, count, file.get()) == count;
  if (std::fclose(file.release()) != 0 || !written) fail(path, "cannot be written");
}

void writeFloats(const std::string &path, const std::vector<float> &values) {
  writeBytes(path, values.data(), values.size() * sizeof(float));
}

}  // namespace rtmc::runner
