#include "driver/temp_folder.h"

#include "driver/subprocess.h"

#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

namespace rtmc::driver {
namespace {

std::mutex &lock() {
  static std::mutex mutex;
  return mutex;
}
std::set<std::string> &folders() {
  static std::set<std::string> paths;
  return paths;
}

void removeAll() {
  const std::lock_guard guard(lock());
  std::error_code ignored;
  for (const std::string &path : folders()) std::filesystem::remove_all(path, ignored);
  folders().clear();
}

/// A thread of its own takes SIGINT, SIGTERM and SIGHUP: removing a folder is not allowed inside a signal handler.
/// Child processes die with us, by whatever signal (subprocess.cpp).
void cleanUpOnSignals() {
  static std::once_flag once;
  std::call_once(once, [] {
    sigset_t set;
    sigemptyset(&set);
    for (int s : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, s);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::thread([set] {
      int received = 0;
      if (::sigwait(&set, &received) != 0) return;
      Subprocess::killAll();  // a compiler would go on writing
      removeAll();
      ::signal(received, SIG_DFL);
      sigset_t only;
      sigemptyset(&only);
      sigaddset(&only, received);
      ::raise(received);
      ::pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
      ::_exit(128 + received);
    }).detach();
  });
}

}  // namespace

llvm::Expected<std::unique_ptr<TempFolder>> TempFolder::create() {
  cleanUpOnSignals();
  const char *base = std::getenv("TMPDIR");
  std::string pattern = std::string(base && *base ? base : "/tmp") + "/rtmc-XXXXXX";
  const std::lock_guard guard(lock());
  if (!::mkdtemp(pattern.data())) {
    const int code = errno;
    return llvm::createStringError(std::error_code(code, std::generic_category()),
                                   "cannot make a temporary folder '%s': %s", pattern.c_str(), std::strerror(code));
  }
  std::unique_ptr<TempFolder> folder(new TempFolder);
  folder->path_ = pattern;
  folders().insert(pattern);
  return folder;
}

TempFolder::~TempFolder() {
  const std::lock_guard guard(lock());
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
  folders().erase(path_);
}

}  // namespace rtmc::driver
