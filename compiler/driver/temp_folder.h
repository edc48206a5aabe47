// Owns: a private folder for what run, verify and bench build; it is gone when they end, also when a signal ends them.
#pragma once

#include <llvm/Support/Error.h>

#include <memory>
#include <string>

namespace rtmc::driver {

class TempFolder {
 public:
  /// Below $TMPDIR, else /tmp; readable by this user only.
  static llvm::Expected<std::unique_ptr<TempFolder>> create();
  TempFolder(const TempFolder &) = delete;
  ~TempFolder();
  std::string file(const std::string &name) const { return path_ + "/" + name; }
  const std::string &path() const { return path_; }

 private:
  TempFolder() = default;
  std::string path_;
};

}  // namespace rtmc::driver
