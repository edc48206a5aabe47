// Owns: one rtmc-runner process and the conversation with it: JSON lines, raw little-endian float32 files.
// Refuses to own: what the numbers mean (commands/).
#pragma once

#include "driver/options.h"
#include "driver/subprocess.h"
#include "support/json.h"

#include <memory>
#include <string>

namespace rtmc::driver {

class RunnerClient {
 public:
  /// Starts --runner, or the rtmc-runner beside us. A foreign target without --runner is an error of the environment.
  static llvm::Expected<std::unique_ptr<RunnerClient>> start(const CommandLine &line, bool foreign);

  /// Sends a request and returns the reply. An error tells what the runner said, or how it died.
  llvm::Expected<json::Object> ask(json::Object request);

  /// Whether the last error was a crash of the generated code (a bug of ours) and not of the environment.
  bool crashed() const { return crashed_; }

 private:
  RunnerClient() = default;
  llvm::Error died(const std::string &doing);
  std::unique_ptr<Subprocess> process_;
  std::string command_;
  unsigned timeoutSeconds_ = 300;
  bool crashed_ = false;
};

}  // namespace rtmc::driver
