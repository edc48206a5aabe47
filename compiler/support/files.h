// Owns: reading files whole or mapped, and writing sets of files so that each is the old one or the new one, never
// half.
#pragma once

#include <llvm/Support/Error.h>

#include <cstdint>
#include <functional>
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
  /// These bytes, if they are the file's, are not needed in memory for now; they can still be read.
  void drop(std::span<const uint8_t> bytes) const;

 private:
  MappedFile() = default;
  std::string path_;
  std::span<const uint8_t> bytes_;
};

llvm::Expected<std::string> readTextFile(const std::string &path, uint64_t limitBytes);

/// A file that is being written.
class FileWriter {
 public:
  FileWriter(int fd, const std::string &path) : fd_(fd), path_(path) {}
  /// At the end of what has been written.
  llvm::Error write(std::span<const uint8_t> bytes);
  /// Over bytes that have been written.
  llvm::Error writeAt(uint64_t offset, std::span<const uint8_t> bytes);

 private:
  int fd_;
  const std::string &path_;
};

/// One output of a run.
struct OutputFile {
  std::string path;
  std::string bytes;
  /// Writes the content instead of `bytes`, where it is too large to be in memory as a whole. Called once, before any
  /// file is in its place; files are written in order.
  std::function<llvm::Error(FileWriter &)> fill{};
};

/// Writes every file to a temporary name beside its place, syncs, and renames them all once all are complete.
/// On failure no temporary remains and no destination has changed (unless a rename itself failed midway).
llvm::Error writeFilesAtomically(const std::vector<OutputFile> &files);

}  // namespace rtmc
