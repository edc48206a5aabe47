// rtmc run MODEL.yaml -i x.npy -o y.npy: compile, load, run a sequence from the zero state.
#include "driver/commands.h"
#include "driver/execution.h"
#include "driver/program_facts.h"

#include <fmt/format.h>

namespace rtmc::driver {
namespace {

uint32_t widthOf(const ir::Program &program, ir::Lifetime lifetime) {
  uint32_t width = 0;
  for (const ir::Buffer &buffer : program.buffers) {
    if (buffer.lifetime == lifetime) width += buffer.size;
  }
  return width;
}

}  // namespace

int runCommand(const CommandLine &line) {
  Session session(line);
  if (line.input.empty()) session.diagnostics().error("argument", {}, "the input has no name; -i x.npy is needed");
  if (line.output.empty()) session.diagnostics().error("argument", {}, "the output has no name; -o y.npy is needed");
  if (int status = session.settle()) return status;
  if (int status = session.generate()) return status;
  session.addInput(line.input);
  if (int status = session.checkOutputs({line.output})) return status;
  const ir::Program &program = session.program();
  bool environment = false;
  const auto input = readNpy(line.input, widthOf(program, ir::Lifetime::In), session.diagnostics(), environment);
  if (!input) {
    session.printMessages();
    return environment ? kEnvironmentError : kUserError;
  }
  Sequence output;
  output.steps = input->steps;
  output.width = widthOf(program, ir::Lifetime::Out);
  Execution execution;
  if (int status = execution.start(session)) return status;
  auto values = execution.run(input->values, input->steps, {0, usesArena(session), 0});
  if (!values) return execution.report(values.takeError());
  output.values = std::move(*values);
  if (llvm::Error error = writeFilesAtomically({{line.output, writeNpy(output)}})) {
    return environmentError(std::move(error));
  }
  if (!line.json) return kDone;
  json::Object result = describeProgram(session);
  result["steps"] = output.steps;
  result["inputs"] = input->width;
  result["outputs"] = output.width;
  result["output"] = line.output;
  result["compiler"] = execution.describe();
  return printJson(std::move(result));
}

}  // namespace rtmc::driver
