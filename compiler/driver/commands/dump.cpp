// rtmc dump MODEL.yaml --emit=network|kernel, the same as --emit on the compile command; and rtmc opt IR.yaml.
#include "driver/commands.h"
#include "driver/ir_file.h"
#include "driver/session.h"
#include "passes/pass.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace rtmc::driver {
namespace {

/// To -o FILE with its constants beside it, else the text alone to stdout.
int printModule(Session &session) {
  const CommandLine &line = session.line();
  const std::vector<OutputFile> files = printIr(session.module(), line.output);
  if (!line.output.empty()) {
    std::vector<std::string> paths;
    for (const OutputFile &file : files) paths.push_back(file.path);
    if (int status = session.checkOutputs(paths)) return status;
    if (llvm::Error error = writeFilesAtomically(files)) return environmentError(std::move(error));
    if (!line.json) return kDone;
    json::Array names;
    for (const OutputFile &file : files) names.push_back(file.path);
    return printJson(json::Object{{"outputs", std::move(names)}});
  }
  if (files.size() > 1 && !line.quiet) {
    std::fprintf(stderr, "rtmc: note: large constants are not printed; -o FILE writes them to a file beside it\n");
  }
  if (line.json) return printJson(json::Object{{"ir", files.front().bytes}});
  return printResult(files.front().bytes);
}

/// The last pass that leaves a network: the one before lower-cells.
std::string lastNetworkPass() {
  std::string last = "parse";
  for (const passes::Pass &pass : passes::pipeline()) {
    if (pass.name == "lower-cells") break;
    last = pass.name;
  }
  return last;
}

bool checkPassNames(const std::vector<std::string> &names, Diagnostics &diagnostics) {
  std::vector<std::string> known;
  for (const passes::Pass &pass : passes::pipeline()) known.push_back(pass.name);
  for (const std::string &name : names) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string near = nearestName(name, known);
    diagnostics.error("argument", {},
                      fmt::format("option '--passes' names '{}', which is no pass{}", name,
                                  near.empty() ? "" : fmt::format("; did you mean '{}'", near)));
  }
  return !diagnostics.hasErrors();
}

/// Passes up to lower-cells work on a network, the others on kernel IR.
void checkPassOrder(const std::vector<std::string> &names, Session &session) {
  bool network = session.module().network.has_value() && !session.module().program;
  for (const std::string &name : names) {
    bool wantsNetwork = true;
    for (const passes::Pass &pass : passes::pipeline()) {
      if (pass.name == name) break;
      if (pass.name == "lower-cells") wantsNetwork = false;
    }
    if (wantsNetwork != network) {
      session.diagnostics().error(
          "argument", {},
          fmt::format("pass '{}' needs {}; what there is, is {}", name, wantsNetwork ? "a network" : "kernel IR",
                      network ? "a network" : "kernel IR"));
      return;
    }
    if (name == "lower-cells") network = false;
  }
}

}  // namespace

int dumpCommand(const CommandLine &line) {
  Session session(line);
  if (int status = session.resolve()) return status;
  const bool network = line.emit == "network";
  const std::string stop = line.stopAfter.empty() && network ? lastNetworkPass() : line.stopAfter;
  if (int status = session.lower(stop)) return status;
  if (network && session.module().program) {
    session.diagnostics().error("argument", {},
                                fmt::format("after pass '{}' there is no network; --emit=kernel prints "
                                            "what there is",
                                            stop));
  } else if (line.emit == "kernel" && !session.module().program) {
    session.diagnostics().error("argument", {},
                                fmt::format("after pass '{}' there is no kernel IR yet; --emit=network "
                                            "prints what there is",
                                            stop));
  }
  if (int status = session.settle()) return status;
  return printModule(session);
}

int optCommand(const CommandLine &line) {
  Session session(line);
  if (!checkPassNames(line.passes, session.diagnostics())) return session.settle();
  auto text = readTextFile(line.file, uint64_t{256} << 20);
  if (!text) return environmentError(text.takeError());
  if (int status = session.resolve()) return status;
  if (line.passes.empty()) {
    if (int status = session.lower(line.stopAfter)) return status;
    return printModule(session);
  }
  if (int status = session.load()) return status;
  checkPassOrder(line.passes, session);
  if (int status = session.settle()) return status;
  passes::RunOptions options;
  options.only = line.passes;
  options.stopAfter = line.stopAfter;
  if (int status = session.runPasses(options)) return status;
  return printModule(session);
}

}  // namespace rtmc::driver
