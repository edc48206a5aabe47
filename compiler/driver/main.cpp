// rtmc: reads the command line, starts the command, turns what went wrong into an exit status.
#include "driver/commands.h"
#include "driver/messages.h"
#include "driver/options.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <new>

namespace rtmc::driver {
namespace {

int notYet(const CommandLine &line, const char *instead) {
  Diagnostics diagnostics;
  diagnostics.error("not-available", {},
                    fmt::format("`rtmc {}` does not exist yet; {}", commandName(line.command), instead));
  MessagePrinter(line.quiet).print(diagnostics);
  return kUserError;
}

int dispatch(const CommandLine &line) {
  switch (line.command) {
    case Command::Compile:
      return compileCommand(line);
    case Command::Inspect:
      return inspectCommand(line);
    case Command::Run:
      return runCommand(line);
    case Command::Verify:
      return verifyCommand(line);
    case Command::Bench:
      return benchCommand(line);
    case Command::Machine:
      return machineCommand(line);
    case Command::Opt:
      return optCommand(line);
    case Command::Dump:
      return dumpCommand(line);
    case Command::Tune:
      return notYet(line, "schedules come from the cost model or from --schedule FILE");
    case Command::Prune:
      return pruneCommand(line);
    case Command::Import:
      return notYet(line, "write a model.yaml and a .safetensors or .npz");
  }
  return kBug;
}

int rtmcMain(const std::vector<std::string> &arguments) {
  if (arguments.empty()) {
    std::fputs(helpText(CommandLine{}, false).c_str(), stderr);
    return kUserError;
  }
  Diagnostics diagnostics;
  const std::optional<CommandLine> line = parseCommandLine(arguments, diagnostics);
  MessagePrinter(false).print(diagnostics);
  if (!line) return kUserError;
  if (line->version) {
    if (!line->json) return printResult("rtmc " RTMC_VERSION "\n");
    return printJson(json::Object{{"version", RTMC_VERSION}});
  }
  if (line->help || line->helpDeveloper) return printResult(helpText(*line, line->helpDeveloper));
  return dispatch(*line);
}

}  // namespace
}  // namespace rtmc::driver

int main(int argc, char **argv) {
  // A stream that the caller has closed must not become the number of a file that we write: messages would go there.
  // Opened the wrong way round, so that using it stays the error that it is.
  for (int fd = 0; fd < 3; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) (void)::open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
  }
  // Nothing below throws on purpose; what libraries throw must still end in a message and the right status.
  try {
    return rtmc::driver::rtmcMain(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::bad_alloc &) {
    return rtmc::driver::environmentError("out of memory");
  } catch (const std::exception &error) {
    return rtmc::driver::bugError(error.what());
  }
}
