// rtmc MODEL.yaml -o kernel.cpp: source, header, and where asked a blob and a depfile, written together or not at all.
#include "driver/commands.h"
#include "driver/ir_file.h"
#include "driver/program_facts.h"
#include "driver/session.h"
#include "support/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

namespace rtmc::driver {
namespace {

/// Escapes for make and ninja: spaces, '#' and '$'.
std::string escapeForMake(const std::string &path) {
  std::string text;
  for (char c : path) {
    if (c == ' ' || c == '#') text += '\\';
    if (c == '$') text += '$';
    text += c;
  }
  return text;
}

std::string depfile(const std::vector<OutputFile> &outputs, const std::vector<std::string> &inputs) {
  std::string text;
  for (const OutputFile &output : outputs) {
    text += fmt::format("{}{}", text.empty() ? "" : " ", escapeForMake(output.path));
  }
  text += ":";
  std::set<std::string> seen;
  for (const std::string &input : inputs) {
    if (seen.insert(input).second) text += fmt::format(" \\\n  {}", escapeForMake(input));
  }
  return text + "\n";
}

bool hasSourceExtension(const std::string &path) {
  const std::string extension = std::filesystem::path(path).extension();
  return extension == ".cpp" || extension == ".cc" || extension == ".cxx";
}

/// Whether the header's and the blob's names can stand in the source, in an #include and an .incbin.
bool canBeIncluded(const std::string &path) {
  const std::string stem = stemOf(path);
  return std::none_of(stem.begin(), stem.end(),
                      [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '"' || c == '\\'; });
}

std::vector<std::string> pathsOf(const std::vector<OutputFile> &files) {
  std::vector<std::string> paths;
  for (const OutputFile &file : files) paths.push_back(file.path);
  return paths;
}

}  // namespace

int compileCommand(const CommandLine &line) {
  if (!line.emit.empty()) return dumpCommand(line);
  Session session(line);
  if (!line.stopAfter.empty()) {
    session.diagnostics().error("argument", {}, "option '--stop-after' needs --emit=network or --emit=kernel here");
  }
  if (line.output.empty()) {
    session.diagnostics().error("argument", {}, "the output has no name; -o kernel.cpp is needed");
  } else if (!hasSourceExtension(line.output)) {
    session.diagnostics().error(
        "argument", {},
        fmt::format("option '-o' is {}; a name that ends in .cpp, .cc or .cxx is needed", rtmc::quoted(line.output)));
  } else if (!canBeIncluded(line.output)) {
    session.diagnostics().error("argument", {},
                                fmt::format("option '-o' is {}; the source names its header, so quotes, backslashes "
                                            "and control characters cannot be in it",
                                            rtmc::quoted(line.output)));
  }
  if (int status = session.settle()) return status;
  if (int status = session.generate()) return status;

  std::vector<OutputFile> outputs = session.emitted().files;
  if (!line.depfile.empty()) outputs.push_back({line.depfile, depfile(session.emitted().files, session.inputFiles())});
  if (int status = session.checkOutputs(pathsOf(outputs))) return status;
  if (llvm::Error error = writeFilesAtomically(outputs)) return environmentError(std::move(error));
  const ir::Program &program = session.program();
  session.say(1, fmt::format("{} bytes of weights, {} of indices, {} of code, for {} thread{}",
                             factsOf(program).valueBytes, factsOf(program).indexBytes, session.emitted().codeBytes,
                             program.shares, program.shares == 1 ? "" : "s"));
  if (!line.json) return kDone;
  json::Object result = describeProgram(session);
  json::Array names, inputs;
  for (const std::string &path : pathsOf(outputs)) names.push_back(path);
  for (const std::string &input : session.inputFiles()) inputs.push_back(input);
  result["outputs"] = std::move(names);
  result["inputs"] = std::move(inputs);
  result["code_bytes"] = session.emitted().codeBytes;
  result["folded"] = describeFolding(program.folded);
  return printJson(std::move(result));
}

}  // namespace rtmc::driver
