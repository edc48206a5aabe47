// Owns: weight files as tensors by name, whatever the container (.safetensors, .npz), and their numbers as floats or
// masks. Refuses to own: which tensor belongs where (layer_tensors.h).
#pragma once

#include "support/diagnostics.h"
#include "support/files.h"

#include <llvm/Support/Error.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace rtmc::frontend {

enum class Dtype : uint8_t { F16, BF16, F32, F64, Bool, I8, U8, I16, U16, I32, U32, I64, U64, Other };
uint32_t bytesOf(Dtype);  // 0: Other
inline bool isFloat(Dtype d) {
  return d <= Dtype::F64;
}

struct TensorInfo {
  Dtype dtype = Dtype::Other;
  std::string dtypeName;  // as the file writes it
  std::vector<uint64_t> shape;
  bool fortranOrder = false;  // first index fastest
};

/// A tensor's bytes, little-endian, and what keeps them alive.
struct TensorBytes {
  std::span<const uint8_t> bytes;
  std::shared_ptr<const void> owner;
};

/// One file. Everything that info() and read() refuse is damaged content, never a failure of the environment.
class WeightFile {
 public:
  virtual ~WeightFile() = default;
  virtual const std::vector<std::string> &names() const = 0;
  virtual llvm::Expected<TensorInfo> info(size_t index) = 0;
  virtual llvm::Expected<TensorBytes> read(size_t index) = 0;
};
llvm::Expected<std::unique_ptr<WeightFile>> openSafetensors(std::span<const uint8_t> file,
                                                            std::shared_ptr<const void> owner);
llvm::Expected<std::unique_ptr<WeightFile>> openNpz(std::span<const uint8_t> file, std::shared_ptr<const void> owner);

/// Row-major floats. F64 is rounded: what overflows becomes infinite. `info.dtype` must be a float's.
std::vector<float> toFloats(const TensorInfo &info, std::span<const uint8_t> bytes);
/// Row-major, 1 where a number is not zero. NaN: `*nan` is set to its index. Any dtype but Other.
std::vector<uint8_t> toMask(const TensorInfo &info, std::span<const uint8_t> bytes, std::optional<size_t> *nan);

/// All weight files of a model.
class WeightStore {
 public:
  struct Entry {
    WeightFile *file = nullptr;
    const MappedFile *mapped = nullptr;  // whose bytes the file's tensors may be
    size_t index = 0;
    std::string path;       // of the file
    std::string otherPath;  // of a second file that has the name too; empty: none
  };

  /// Opens one more file by its extension. False: `diagnostics` has an error; `*environment` is set where the file
  /// could not be read.
  bool add(const std::string &path, const Location &where, Diagnostics &diagnostics, bool *environment);
  /// Null where no file has the name; a found name counts as used.
  const Entry *find(const std::string &name);
  bool has(const std::string &name) const { return entries_.contains(name); }
  const std::vector<std::string> &names() const { return names_; }
  bool used(const std::string &name) const { return used_.contains(name); }

 private:
  std::vector<std::unique_ptr<WeightFile>> files_;
  std::vector<std::shared_ptr<const MappedFile>> mappings_;
  std::unordered_map<std::string, Entry> entries_;
  std::vector<std::string> names_;  // in the files' order
  std::unordered_set<std::string> used_;
};

}  // namespace rtmc::frontend
