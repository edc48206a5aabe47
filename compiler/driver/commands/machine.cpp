// rtmc machine: what this machine can do, measured by rtmc-runner, as the YAML that --machine reads.
#include "driver/commands.h"
#include "driver/machine_floor.h"
#include "driver/messages.h"
#include "driver/progress.h"
#include "driver/runner_client.h"
#include "support/files.h"

namespace rtmc::driver {

int machineCommand(const CommandLine &line) {
  auto runner = RunnerClient::start(line, false);
  if (!runner) return environmentError(runner.takeError());
  const Progress progress("measuring", line);
  json::Object request{{"cmd", "machine"}, {"quick", line.quick}};
  auto measured = measureMachine(**runner, std::move(request));
  if (!measured) return environmentError(measured.takeError());
  const std::string text = passes::printMachine(*measured);
  if (!line.output.empty()) {
    if (llvm::Error error = writeFilesAtomically({{line.output, text}})) return environmentError(std::move(error));
  }
  if (line.json) return printJson(describeMachine(*measured));
  return line.output.empty() ? printResult(text) : static_cast<int>(kDone);
}

}  // namespace rtmc::driver
