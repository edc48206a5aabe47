// Owns: a line on the terminal about work that takes longer than a second; nothing where stderr is not a terminal.
#pragma once

#include "driver/options.h"

#include <memory>
#include <string>
#include <thread>

namespace rtmc::driver {

/// Shows "rtmc: WHAT ... 3 s" from the first second until it is destroyed, then wipes the line.
class Progress {
 public:
  Progress(const std::string &what, const CommandLine &line);
  Progress(const Progress &) = delete;
  ~Progress();

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace rtmc::driver
