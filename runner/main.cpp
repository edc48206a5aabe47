// rtmc-runner: one JSON request per line of stdin, one JSON reply per line of stdout (README.md).
#include <cstdio>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "commands.h"

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

namespace {

// Replies go to what stdout was at the start; whatever a loaded library prints goes to stderr instead.
FILE *claimStdout() {
#if __has_include(<unistd.h>)
  std::fflush(stdout);
  const int replies = dup(STDOUT_FILENO);
  if (replies < 0) return stdout;
  dup2(STDERR_FILENO, STDOUT_FILENO);
  FILE *file = fdopen(replies, "w");
  return file ? file : stdout;
#else
  return stdout;
#endif
}

rtmc::runner::Json answer(rtmc::runner::Commands &commands, const std::string &line) {
  try {
    return commands.handle(rtmc::runner::Json::parse(line));
  } catch (const std::exception &error) {
    return {{"ok", false}, {"error", error.what()}};
  }
}

}  // namespace

int main() {
  FILE *replies = claimStdout();
  rtmc::runner::Commands commands;
  std::string line;
  while (std::getline(std::cin, line)) {
    const rtmc::runner::Json reply = answer(commands, line);
    // Names may hold any bytes; a reply is UTF-8 all the same.
    const std::string text = reply.dump(-1, ' ', false, rtmc::runner::Json::error_handler_t::replace);
    if (std::fprintf(replies, "%s\n", text.c_str()) < 0 || std::fflush(replies) != 0) return 1;
  }
  return 0;
}
