// Owns: reading files whole or mapped, and writing sets of files so that each is the old one or the new one, never
// half.
#pragma once

#include <llvm/Support/Error.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace rtmc {

/// A read-only mapping of a whole file; empty files map to an empty span.
class MappedFile {
 public:
  static llvm::Expected<std::shared_ptr<const MappedFile>> open(const std::string &path);
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;
  ~MappedFile();
  std::span<const uint8_t> bytes() const { return bytes_; }
  const std::string &path() const { return path_; }

 private:
  MappedFile() = default;
  std::string path_;
  std::span<const uint8_t> bytes_;
};

llvm::Expected<std::string> readTextFile(const std::string &path, uint64_t limitBytes);

/// One output of a run.
struct OutputFile {
  std::string path;
  std::string bytes;
};

/// Writes every file to a temporary name beside its place, syncs, and renames them all once all are complete.
/// On failure no temporary remains and no destination has changed (unless a rename itself failed midway).
llvm::Error writeFilesAtomically(const std::vector<OutputFile> &files);

}  // namespace rtmc
