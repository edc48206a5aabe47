// Owns: weight files made for tests: encoded tensors, .safetensors, .npy arrays and .npz archives, and a folder to put
// them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rtmc::test {

/// A folder of its own below the system's temporary one, removed with all it holds.
class TempFolder {
 public:
  TempFolder();
  TempFolder(const TempFolder &) = delete;
  TempFolder &operator=(const TempFolder &) = delete;
  ~TempFolder();
  const std::string &path() const { return path_; }
  /// Path of a file in it; writes `bytes` there.
  std::string write(const std::string &name, std::string_view bytes) const;
  std::string file(const std::string &name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

struct TestTensor {
  std::string name;
  std::string dtype;  // safetensors' names
  std::vector<uint64_t> shape;
  std::vector<double> values;  // row-major; as many as the shape holds
};

/// `count` numbers that are exact in every float format and differ from their neighbours, none of them zero.
std::vector<double> countingValues(size_t count);
TestTensor countingTensor(std::string name, std::string dtype, std::vector<uint64_t> shape);

/// Little-endian bytes of `values` in a dtype of safetensors.
std::string encode(std::string_view dtype, const std::vector<double> &values);
std::string makeSafetensors(const std::vector<TestTensor> &tensors);

struct NpyOptions {
  int version = 1;
  bool fortranOrder = false;  // the values are transposed when written
  std::string descr;          // overrides the right one
  std::string shapeText;      // overrides the right one
};
std::string makeNpy(const TestTensor &tensor, const NpyOptions &options = {});

struct ZipMember {
  std::string name;
  std::string bytes;
  bool deflate = true;
};
std::string makeZip(const std::vector<ZipMember> &members);
std::string makeNpz(const std::vector<TestTensor> &tensors, bool deflate = true);

}  // namespace rtmc::test
