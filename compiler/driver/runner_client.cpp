#include "driver/runner_client.h"

#include "driver/command_words.h"
#include "driver/messages.h"
#include "driver/toolchain.h"

#include <fmt/format.h>
#include <llvm/Support/FormatVariadic.h>
#include <csignal>

namespace rtmc::driver {
namespace {

llvm::Error runnerError(const std::string &message) {
  return llvm::createStringError(std::make_error_code(std::errc::io_error), message);
}

/// Signals by which a program ends because of what its code does; others come from outside.
bool isOwnFault(int signal) {
  return signal == SIGSEGV || signal == SIGILL || signal == SIGBUS || signal == SIGFPE || signal == SIGABRT ||
         signal == SIGTRAP;
}

}  // namespace

llvm::Expected<std::unique_ptr<RunnerClient>> RunnerClient::start(const CommandLine &line, bool foreign) {
  std::vector<std::string> command;
  if (!line.runner.empty()) {
    auto words = splitCommand(line.runner);
    if (!words) return words.takeError();
    command = std::move(*words);
  } else if (foreign) {
    return runnerError(
        "code for a foreign target cannot run here; --runner says how, as --runner 'qemu-aarch64 -L /sysroot "
        "/path/rtmc-runner'");
  } else {
    const std::string runner = findRunner();
    if (runner.empty()) return runnerError("the program rtmc-runner is neither beside rtmc nor in PATH");
    command = {runner};
  }
  ::signal(SIGPIPE, SIG_IGN);  // a dead runner is an error of write(), not our end
  auto process = Subprocess::start(command);
  if (!process) return process.takeError();
  std::unique_ptr<RunnerClient> client(new RunnerClient);
  client->process_ = std::move(*process);
  client->command_ = command[0];
  client->timeoutSeconds_ = line.timeoutSeconds;
  return client;
}

llvm::Error RunnerClient::died(const std::string &doing) {
  const std::optional<ExitState> state = process_->wait(std::chrono::seconds(5));
  const ExitState end = state ? *state : process_->kill();
  crashed_ = state && !end.exited && isOwnFault(end.signal);
  std::string message = fmt::format("the runner '{}' {} during '{}'", command_, end.describe(), doing);
  if (!process_->errors().empty()) message += "; it said:\n" + firstLines(process_->errors(), 8);
  return runnerError(message);
}

llvm::Expected<json::Object> RunnerClient::ask(json::Object request) {
  crashed_ = false;
  const std::string doing = request.getString("cmd").value_or("").str();
  const std::string line = llvm::formatv("{0}", json::Value(std::move(request))).str() + "\n";
  if (!process_->writeAll(line)) return died(doing);
  std::string reply;
  switch (process_->readLine(reply, std::chrono::seconds(timeoutSeconds_))) {
    case Subprocess::ReadResult::End:
      return died(doing);
    case Subprocess::ReadResult::Timeout:
      process_->kill();
      return runnerError(
          fmt::format("the runner '{}' hung: no answer to '{}' within {} s", command_, doing, timeoutSeconds_));
    case Subprocess::ReadResult::Line:
      break;
  }
  auto value = nestsDeeperThan(reply, 32) ? llvm::Expected<json::Value>(nullptr) : json::parse(reply);
  if (!value || !value->getAsObject()) {
    if (!value) llvm::consumeError(value.takeError());
    return runnerError(
        fmt::format("the runner '{}' answered '{}' with no JSON object:\n{}", command_, doing, firstLines(reply, 1)));
  }
  json::Object object = std::move(*value->getAsObject());
  if (!object.getBoolean("ok").value_or(false)) {
    return runnerError(fmt::format("the runner could not do '{}': {}", doing,
                                   object.getString("error").value_or("no reason given").str()));
  }
  return object;
}

}  // namespace rtmc::driver
