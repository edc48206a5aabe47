#include "driver/progress.h"

#include <unistd.h>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>

namespace rtmc::driver {

struct Progress::Shared {
  std::mutex mutex;
  std::condition_variable wake;
  bool done = false;
};

Progress::Progress(const std::string &what, const CommandLine &line) {
  if (line.quiet || !::isatty(STDERR_FILENO)) return;
  shared_ = std::make_shared<Shared>();
  thread_ = std::thread([what, shared = shared_] {
    std::unique_lock lock(shared->mutex);
    for (unsigned seconds = 1;; ++seconds) {
      if (shared->wake.wait_for(lock, std::chrono::seconds(1), [&] { return shared->done; })) {
        if (seconds > 1) std::fprintf(stderr, "\r\x1b[K");
        std::fflush(stderr);
        return;
      }
      std::fprintf(stderr, "\r\x1b[Krtmc: %s ... %u s", what.c_str(), seconds);
      std::fflush(stderr);
    }
  });
}

Progress::~Progress() {
  if (!shared_) return;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->done = true;
  }
  shared_->wake.notify_all();
  thread_.join();
}

}  // namespace rtmc::driver
