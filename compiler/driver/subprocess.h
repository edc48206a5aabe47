// Owns: starting another program with pipes to it, waiting with a deadline, and telling in words how it ended.
#pragma once

#include <llvm/Support/Error.h>

#include <sys/types.h>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rtmc::driver {

/// How a program ended.
struct ExitState {
  bool exited = false;  // with `code`; else killed by `signal`
  int code = 0;
  int signal = 0;
  bool ok() const { return exited && code == 0; }
  std::string describe() const;  // "exited with status 3", "was killed by SIGSEGV (Segmentation fault)"
};

/// A running program with its three streams connected to us. Killed and reaped when destroyed.
class Subprocess {
 public:
  /// `command[0]` is looked up in PATH unless it has a slash. Its stderr is kept (the last 64 KiB).
  /// `environment`: more variables, as NAME=value.
  static llvm::Expected<std::unique_ptr<Subprocess>> start(const std::vector<std::string> &command,
                                                           const std::vector<std::string> &environment = {});
  /// Kills all that still run, with their children, right before we end by a signal: threads that use one of them stop.
  static void killAll();
  Subprocess(const Subprocess &) = delete;
  ~Subprocess();

  /// False: the program no longer reads.
  bool writeAll(const std::string &bytes);
  enum class ReadResult { Line, End, Timeout };
  /// The next line of its stdout, without the newline. `limit` bytes at most, then End.
  ReadResult readLine(std::string &line, std::chrono::milliseconds timeout);
  void closeInput();
  ExitState kill();
  /// Waits for the end; nullopt after `timeout`.
  std::optional<ExitState> wait(std::chrono::milliseconds timeout);
  const std::string &errors() const { return errors_; }

 private:
  Subprocess() = default;
  bool pump(std::chrono::steady_clock::time_point deadline);
  void drain();
  void forget();
  pid_t pid_ = -1, guard_ = -1;
  int alive_ = -1;  // open as long as we live: the guard waits for its end
  int in_ = -1, out_ = -1, err_ = -1;
  std::string pending_, errors_;
  std::optional<ExitState> state_;
};

/// Runs a program to its end.
struct Finished {
  ExitState state;
  bool timedOut = false;
  std::string output;  // stdout, at most 16 MiB
  std::string errors;
  double seconds = 0;
};
llvm::Expected<Finished> runToEnd(const std::vector<std::string> &command, std::chrono::seconds timeout,
                                  const std::vector<std::string> &environment = {});

}  // namespace rtmc::driver
