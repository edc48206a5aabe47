// Owns: the way of messages to stderr, of results to stdout, and of both to an exit status.
#pragma once

#include "support/diagnostics.h"
#include "support/json.h"

#include <llvm/Support/Error.h>

#include <string>

namespace rtmc::driver {

/// The contract's exit statuses.
enum Status : int { kDone = 0, kUserError = 1, kEnvironmentError = 2, kBug = 3 };

/// Prints what has been collected since the last call; with `quiet` only errors. Text on stderr also under --json.
class MessagePrinter {
 public:
  explicit MessagePrinter(bool quiet) : quiet_(quiet) {}
  void print(const Diagnostics &);

 private:
  bool quiet_;
  size_t printed_ = 0;
};

/// "rtmc: error: ..." on stderr; returns kEnvironmentError for convenience.
int environmentError(llvm::Error);
int environmentError(const std::string &message);
int bugError(const std::string &message);

/// Writes a result to stdout; kEnvironmentError where stdout does not take it (a closed pipe, a full disk).
int printResult(const std::string &text);
int printJson(json::Object);

/// The first `lines` lines of `text`, each after `indent`.
std::string firstLines(const std::string &text, size_t lines, const std::string &indent = "  ");

}  // namespace rtmc::driver
