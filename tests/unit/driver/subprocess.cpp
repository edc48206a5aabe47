#include "driver/subprocess.h"

#include "driver/command_words.h"
#include "driver/messages.h"

#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

using namespace rtmc::driver;
using namespace std::chrono_literals;

namespace {

Finished finish(const std::vector<std::string> &command, std::chrono::seconds timeout = 20s) {
  auto finished = runToEnd(command, timeout);
  REQUIRE(static_cast<bool>(finished));
  return *finished;
}

std::vector<std::string> split(const std::string &text) {
  auto words = splitCommand(text);
  REQUIRE(static_cast<bool>(words));
  return *words;
}

}  // namespace

TEST_CASE("output, errors and status") {
  const Finished finished = finish({"sh", "-c", "echo out; echo err >&2; exit 3"});
  CHECK(finished.output == "out\n");
  CHECK(finished.errors == "err\n");
  CHECK(finished.state.describe() == "exited with status 3");
  CHECK_FALSE(finished.state.ok());
}

TEST_CASE("signals have names, hangs end") {
  CHECK(finish({"sh", "-c", "kill -ABRT $$"}).state.describe() == "was killed by SIGABRT (Aborted)");
  const auto begin = std::chrono::steady_clock::now();
  const Finished hung = finish({"sleep", "60"}, 1s);
  CHECK(hung.timedOut);
  CHECK(std::chrono::steady_clock::now() - begin < 60s);  // it did not wait for the end of the sleep
}

TEST_CASE("a program has our environment and what is added to it") {
  auto finished = runToEnd({"sh", "-c", "echo $TMPDIR $ADDED; test -n \"$PATH\""}, 20s, {"TMPDIR=/here", "ADDED=too"});
  REQUIRE(static_cast<bool>(finished));
  CHECK(finished->output == "/here too\n");
  CHECK(finished->state.ok());
}

TEST_CASE("children of a program end with it") {
  auto process = Subprocess::start({"sh", "-c", "sleep 60 & echo $!; wait"});
  REQUIRE(static_cast<bool>(process));
  std::string line;
  REQUIRE((*process)->readLine(line, 10s) == Subprocess::ReadResult::Line);
  (*process)->kill();
  // Nobody may have reaped it yet: what counts is that it no longer sleeps.
  const auto ended = [&] {
    std::ifstream stat("/proc/" + line + "/stat");
    std::string text;
    return !std::getline(stat, text) || text.find(") Z ") != std::string::npos;
  };
  for (int i = 0; i < 500 && !ended(); ++i) std::this_thread::sleep_for(10ms);
  CHECK(ended());
}

TEST_CASE("what cannot be started is an error") {
  for (const char *name : {"/no/such/program", "no-such-program-anywhere", "/etc/passwd", "/"}) {
    auto finished = runToEnd({name}, 5s);
    REQUIRE_FALSE(static_cast<bool>(finished));
    CHECK(llvm::toString(finished.takeError()).find(name) != std::string::npos);
  }
}

TEST_CASE("a conversation, line by line, and more output than a pipe holds") {
  auto process = Subprocess::start({"cat"});
  REQUIRE(static_cast<bool>(process));
  std::string line;
  REQUIRE((*process)->writeAll("one\ntwo\nthr"));
  CHECK((*process)->readLine(line, 10s) == Subprocess::ReadResult::Line);
  CHECK(line == "one");
  CHECK((*process)->readLine(line, 10s) == Subprocess::ReadResult::Line);
  CHECK(line == "two");
  CHECK((*process)->readLine(line, 50ms) == Subprocess::ReadResult::Timeout);
  (*process)->closeInput();
  CHECK((*process)->readLine(line, 10s) == Subprocess::ReadResult::End);
  CHECK((*process)->wait(10s)->ok());
  CHECK(finish({"sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' 'x'; echo"}).output.size() == 1000001);
}

TEST_CASE("words as a shell splits them") {
  CHECK(split("  a 'b c' \"d \\\" e\" f\\ g ''") == std::vector<std::string>{"a", "b c", "d \" e", "f g", ""});
  CHECK(split("").empty());
  auto open = splitCommand("a 'b");
  CHECK_FALSE(static_cast<bool>(open));
  llvm::consumeError(open.takeError());
}

TEST_CASE("first lines") {
  CHECK(firstLines("a\nb\nc\n", 2) == "  a\n  b\n  ...\n");
  CHECK(firstLines("a", 2) == "  a\n");
  CHECK(firstLines("", 2) == "");
}
