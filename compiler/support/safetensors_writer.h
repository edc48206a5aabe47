// Owns: writing a .safetensors file tensor by tensor, so that it need not be in memory as a whole.
// Refuses to own: reading one, and writing one that is in memory (support/safetensors.h).
#pragma once

#include "support/files.h"
#include "support/safetensors.h"

#include <llvm/Support/Error.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace rtmc {

/// The header comes first in the file, but is known last: room is left for it and padded with spaces, as the format
/// allows.
class SafetensorsWriter {
 public:
  explicit SafetensorsWriter(FileWriter &file) : file_(file) {}

  /// Leaves room for `tensors` tensors whose names have `nameBytes` bytes together.
  llvm::Error begin(size_t tensors, size_t nameBytes);
  /// Starts a tensor; its bytes follow through write(). Names need no escapes in JSON.
  void add(std::string name, std::string dtype, std::vector<uint64_t> shape);
  llvm::Error write(std::span<const uint8_t> bytes);
  /// Checks that every tensor got its bytes, and writes the header.
  llvm::Error finish();

 private:
  FileWriter &file_;
  uint64_t room_ = 0, written_ = 0;
  std::vector<SafetensorsTensor> tensors_;  // without bytes
  std::vector<uint64_t> begins_;
};

}  // namespace rtmc
