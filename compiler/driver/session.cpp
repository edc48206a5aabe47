#include "driver/session.h"

#include "backend/clang_check/clang_check.h"
#include "driver/ir_file.h"
#include "driver/progress.h"
#include "driver/schedule_files.h"
#include "frontend/frontend.h"
#include "passes/choose_schedule.h"
#include "passes/requirements.h"
#include "support/check.h"
#include "support/files.h"
#include "support/names.h"

#include <fmt/format.h>
#include <llvm/TargetParser/Host.h>
#include <llvm/TargetParser/Triple.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace rtmc::driver {
namespace {

constexpr uint64_t kTextLimit = uint64_t{64} << 20;

/// A place for messages about a whole file that is not a model.
Location wholeFile(const std::string &path) {
  auto file = std::make_shared<SourceFile>();
  file->path = path;
  return {file, 0, 0, 1};
}

ir::Unroll unrollOf(const std::string &name) {
  if (name == "none") return ir::Unroll::None;
  if (name == "tile") return ir::Unroll::Tile;
  return name == "full" ? ir::Unroll::Full : ir::Unroll::Auto;
}

}  // namespace

bool sameMachine(const std::string &a, const std::string &b) {
  const llvm::Triple first(llvm::Triple::normalize(a)), second(llvm::Triple::normalize(b));
  return first.getArch() == second.getArch() && first.getOS() == second.getOS();
}

void Session::say(uint32_t level, const std::string &what) const {
  if (line_.verbose >= level && !line_.quiet) std::fprintf(stderr, "rtmc: %s\n", what.c_str());
}

int Session::settle() {
  printMessages();
  return diagnostics_.hasErrors() ? kUserError : kDone;
}

std::string Session::outputPath() const {
  if (line_.command == Command::Compile && !line_.output.empty()) return line_.output;
  const std::string &name = module_.program ? module_.program->name : "kernel";
  return name + ".cpp";
}

int Session::refuseWhatIsMissing() {
  if (line_.precision == "i8") {
    diagnostics_.error("not-available", {}, "precision 'i8' does not exist yet; f32, f16 and bf16 do");
  }
  if (!backend::findBackend(line_.backend)) {
    diagnostics_.error("not-available", {}, fmt::format("backend '{}' does not exist yet; cpp does", line_.backend));
  }
  return settle();
}

int Session::readMachineDescription() {
  if (line_.machine.empty()) {
    context_.machine = passes::shippedMachine(context_.target.cpu, context_.target.triple);
    return kDone;
  }
  auto text = readTextFile(line_.machine, kTextLimit);
  if (!text) return environmentError(text.takeError());
  auto machine = passes::readMachine(line_.machine);
  if (!machine) {
    diagnostics_.error("machine-file", wholeFile(line_.machine), llvm::toString(machine.takeError()));
    return settle();
  }
  context_.machine = std::move(*machine);
  inputFiles_.push_back(line_.machine);
  return kDone;
}

int Session::readSchedules() {
  // A schedule that says nothing of precision, unrolling or placement leaves them to the command line.
  const ir::Schedule defaults = passes::scheduleOf(context_.options);
  const auto read = [&](const std::string &path, auto &&add) {
    if (path.empty()) return static_cast<int>(kDone);
    auto text = readTextFile(path, kTextLimit);
    if (!text) return environmentError(text.takeError());
    if (llvm::Error error = add(*text, defaults, context_.schedules)) {
      diagnostics_.error("schedule-file", wholeFile(path), llvm::toString(std::move(error)));
      return settle();
    }
    inputFiles_.push_back(path);
    return static_cast<int>(kDone);
  };
  if (int status = read(line_.tuning, addTuningRecords)) return status;
  return read(line_.schedule, addSchedules);  // after the database: what the user wrote wins
}

int Session::resolveTarget(const std::string &triple, const std::string &cpu) {
  auto traits = backend_->traits(triple, cpu, *parsePrecision(line_.precision), diagnostics_);
  if (!traits) {
    RTMC_CHECK(diagnostics_.hasErrors(), "the backend refused a target without a message");
    return settle();
  }
  context_.target = *traits;
  foreign_ =
      !triple.empty() && triple != "portable" && !sameMachine(traits->triple, llvm::sys::getDefaultTargetTriple());
  return kDone;
}

int Session::resolve() {
  if (int status = refuseWhatIsMissing()) return status;
  backend_ = backend::findBackend(line_.backend);
  if (int status = resolveTarget(line_.target, line_.cpu)) return status;
  context_.diagnostics = &diagnostics_;
  passes::Options &options = context_.options;
  options.unroll = unrollOf(line_.unroll);
  options.precision = *parsePrecision(line_.precision);
  options.threads = line_.threads;
  options.chunk = line_.chunk;
  options.fold = line_.fold;
  options.permute = line_.permute;
  options.reorder = line_.reorder;
  options.shareLoads = line_.shareLoads;
  options.compact = line_.compact;
  if (!line_.placement.empty()) {
    options.placement = line_.placement == "arena" ? ir::Placement::Arena : ir::Placement::InPlace;
  }
  if (int status = readMachineDescription()) return status;
  if (int status = readSchedules()) return status;
  say(1, fmt::format("target {}, processor {}, machine description '{}' ({})", context_.target.triple,
                     context_.target.cpu, context_.machine.name, context_.machine.source));
  return settle();
}

int Session::load() {
  const Progress progress("reading the model", line_);
  if (isIrFile(line_.file)) {
    auto module = readIr(line_.file);
    if (!module) {
      diagnostics_.error("ir-file", wholeFile(line_.file), llvm::toString(module.takeError()));
      return settle();
    }
    module_ = std::move(*module);
    if (module_.network && module_.network->passes.empty()) parsed_ = module_.network;
    inputFiles_.push_back(line_.file);
    return agreeWithIr();
  }
  bool environment = false;
  auto loaded = frontend::loadModel(line_.file, diagnostics_, &environment);
  if (!loaded) {
    printMessages();
    RTMC_CHECK(diagnostics_.hasErrors(), "the frontend refused a model without a message");
    return environment ? kEnvironmentError : kUserError;
  }
  parsed_ = loaded->network;
  module_.network = std::move(loaded->network);
  inputFiles_.insert(inputFiles_.begin(), loaded->files.begin(), loaded->files.end());
  return settle();
}

void Session::adopt(ir::Network network) {
  parsed_ = network;
  module_.network = std::move(network);
}

int Session::lower(const std::string &stopAfter) {
  if (int status = load()) return status;
  return runPipeline(stopAfter);
}

int Session::runPipeline(const std::string &stopAfter) {
  if (stopAfter == "parse") return kDone;
  if (!stopAfter.empty()) {
    std::vector<std::string> names{"parse"};
    for (const passes::Pass &pass : passes::pipeline()) names.push_back(pass.name);
    if (std::find(names.begin(), names.end(), stopAfter) == names.end()) {
      const std::string near = nearestName(stopAfter, names);
      diagnostics_.error("argument", {},
                         fmt::format("option '--stop-after' names no pass: {}{}", rtmc::quoted(stopAfter),
                                     near.empty() ? "" : fmt::format("; did you mean '{}'", near)));
      return settle();
    }
  }
  // A dumped file may stand behind that pass already.
  const std::vector<std::string> &done = module_.program ? module_.program->passes : module_.network->passes;
  if (!stopAfter.empty() && std::find(done.begin(), done.end(), stopAfter) != done.end()) return kDone;
  passes::RunOptions options;
  options.stopAfter = stopAfter;
  if (int status = runPasses(options)) return status;
  return stopAfter.empty() ? checkComplete() : kDone;
}

/// All passes have run, or an IR file says so.
int Session::checkComplete() {
  const std::string missing = passes::whatBackendsMiss(module_);
  if (missing.empty()) return kDone;
  RTMC_CHECK(isIrFile(line_.file), "the pipeline ended too early: " + missing);
  diagnostics_.error("ir-file", wholeFile(line_.file), "all passes have run, it says, but " + missing);
  return settle();
}

int Session::runPasses(passes::RunOptions options) {
  const Progress progress("running passes", line_);
  options.dumpDir = line_.dumpDir;
  if (!options.dumpDir.empty()) {
    std::error_code error;
    std::filesystem::create_directories(options.dumpDir, error);
    if (error) return environmentError(fmt::format("cannot make folder '{}': {}", options.dumpDir, error.message()));
  }
  if (passes::runPasses(module_, context_, options)) return settle();
  printMessages();
  RTMC_CHECK(diagnostics_.hasErrors(), "a pass failed without a message");
  // What failed is the disk, not the model.
  return diagnostics_.all().back().kind == "dump-failed" ? kEnvironmentError : kUserError;
}

int Session::generate() {
  if (int status = resolve()) return status;
  if (int status = lower("")) return status;
  RTMC_CHECK(module_.program.has_value(), "the pipeline ended without a program");
  return emitAgain();
}

int Session::emitAgain() {
  return emit(*module_.program, outputPath());
}

int Session::emit(const ir::Program &program, const std::string &path) {
  const Progress progress("writing the code", line_);
  backend::EmitOptions options;
  options.outputPath = path;
  options.weightsBlob = line_.weights == "blob";
  auto emitted = backend_->emit(program, options, diagnostics_);
  if (!emitted) {
    printMessages();
    RTMC_CHECK(diagnostics_.hasErrors(), "the backend failed without a message");
    return kUserError;
  }
  emitted_ = std::move(*emitted);
  if (int status = settle()) return status;
  return checkEmitted();
}

/// Clang must accept the text and prove its constant indices; what it refuses is a bug of ours and is not written.
int Session::checkEmitted() {
  const std::vector<OutputFile> &files = emitted_.files;
  std::vector<std::string> names;
  for (const OutputFile &file : files) names.push_back(std::filesystem::path(file.path).filename().string());
  clang_check::Source source;
  source.name = names.front();
  source.text = files.front().bytes;
  source.triple = context_.target.triple;
  for (size_t i = 1; i < files.size(); ++i) {
    if (names[i].ends_with(".h")) source.headers.emplace_back(names[i], files[i].bytes);
  }
  clang_check::Report report;
  if (llvm::Error error = clang_check::checkSource(source, &report)) {
    return bugError("the generated source is wrong:\n" + llvm::toString(std::move(error)));
  }
  say(2,
      fmt::format("clang proved {} constant indices; {} have arrays of unknown size", report.indices, report.unknown));
  return kDone;
}

}  // namespace rtmc::driver
