// Owns: what all commands that read a model share: the options resolved to a target, a machine and schedules; the model
// as parsed; the passes; the backend's text.
// Refuses to own: compiling and running that text (toolchain.h, runner_client.h).
#pragma once

#include "backend/backend.h"
#include "driver/messages.h"
#include "driver/options.h"
#include "ir/network.h"
#include "passes/pass.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rtmc::driver {

/// Whether two triples have one architecture and system: their vendors and spellings do not matter.
bool sameMachine(const std::string &a, const std::string &b);

class Session {
 public:
  explicit Session(const CommandLine &line) : line_(line), printer_(line.quiet) {}

  // Each step returns an exit status; anything but kDone has been reported already.

  /// Target, processor, machine, schedules, options of the passes.
  int resolve();
  /// Reads the model, or an IR file where one is given. `parsed` is kept for references.
  int load();
  /// A network instead of a file: for a variant of a model that is already there.
  void adopt(ir::Network network);
  /// The passes up to and including `stopAfter` ("": all, "parse": none) on what is loaded.
  int runPipeline(const std::string &stopAfter);
  /// Passes as `options` say; the dump folder is the command line's.
  int runPasses(passes::RunOptions options);
  /// After all passes: whether there is what backends need. An IR file may only say so.
  int checkComplete();
  /// load and runPipeline.
  int lower(const std::string &stopAfter);
  /// resolve, load, all passes, text from the backend, Clang's check.
  int generate();
  /// Text again, for a program that was changed on purpose.
  int emitAgain();
  /// Checked source for a program; `outputPath` names the files.
  int emit(const ir::Program &, const std::string &outputPath);

  const CommandLine &line() const { return line_; }
  Diagnostics &diagnostics() { return diagnostics_; }
  passes::Module &module() { return module_; }
  passes::Context &context() { return context_; }
  const passes::Context &context() const { return context_; }
  ir::Program &program() { return *module_.program; }
  const ir::Program &program() const { return *module_.program; }
  /// The network as the user wrote it: masks attached, not applied. Empty for a kernel IR file.
  const std::optional<ir::Network> &parsed() const { return parsed_; }
  const std::vector<std::string> &inputFiles() const { return inputFiles_; }
  void addInput(const std::string &path) { inputFiles_.push_back(path); }
  /// No output may replace an input or another output: their paths, before anything is written.
  int checkOutputs(const std::vector<std::string> &paths);
  const backend::Emitted &emitted() const { return emitted_; }
  /// Tells at level 1 (-v) and 2 (-vv) what is done.
  void say(uint32_t level, const std::string &what) const;
  void printMessages() { printer_.print(diagnostics_); }
  /// Prints messages; kUserError where there are errors among them.
  int settle();
  bool foreignTarget() const { return foreign_; }
  /// How the model's file is called in generated text: the stem of -o, or the model's name.
  std::string outputPath() const;

 private:
  int checkEmitted();
  int resolveTarget(const std::string &triple, const std::string &cpu);
  int agreeWithIr();
  int agreeOnTarget(ir::Program &);
  void noteWhatComesTooLate();
  int readMachineDescription();
  int readSchedules();
  int refuseWhatIsMissing();

  const CommandLine &line_;
  Diagnostics diagnostics_;
  MessagePrinter printer_;
  passes::Module module_;
  passes::Context context_;
  std::optional<ir::Network> parsed_;
  std::vector<std::string> inputFiles_;
  const backend::Backend *backend_ = nullptr;
  backend::Emitted emitted_;
  bool foreign_ = false;
};

}  // namespace rtmc::driver
