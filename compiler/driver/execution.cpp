#include "driver/execution.h"

#include "driver/progress.h"

#include <fmt/format.h>

#include <cstring>

namespace rtmc::driver {

int Execution::start(const Session &session) {
  line_ = &session.line();
  const ir::Program &program = session.program();
  auto toolchain = findToolchain(*line_, program.target, session.foreignTarget());
  if (!toolchain) return environmentError(toolchain.takeError());
  toolchain_ = std::move(*toolchain);
  // The runner first: a missing one should not cost a compilation.
  auto runner = RunnerClient::start(*line_, session.foreignTarget());
  if (!runner) return environmentError(runner.takeError());
  runner_ = std::move(*runner);
  auto folder = TempFolder::create();
  if (!folder) return environmentError(folder.takeError());
  folder_ = std::move(*folder);
  session.say(1, fmt::format("compiling with {} ({})", toolchain_.compiler[0], toolchain_.version));
  {
    const Progress progress("compiling", *line_);
    auto library = buildLibrary(toolchain_, folder_->path(), "model", session.emitted().files, line_->timeoutSeconds);
    if (!library) return environmentError(library.takeError());
    library_ = std::move(*library);
  }
  session.say(1, fmt::format("compiled in {:.1f} s", library_.seconds));
  symbol_ = program.name + "_model";
  auto loaded = ask(json::Object{{"cmd", "load"}, {"library", library_.path}, {"symbol", symbol_}});
  if (!loaded) return report(loaded.takeError());
  if (const json::Object *info = loaded->getObject("info")) info_ = *info;
  inputs_ = static_cast<uint64_t>(info_.getInteger("inputs").value_or(0));
  outputs_ = static_cast<uint64_t>(info_.getInteger("outputs").value_or(0));
  stateFloats_ = static_cast<uint64_t>(info_.getInteger("state_floats").value_or(0));
  return kDone;
}

int Execution::report(llvm::Error error) const {
  const int status = environmentError(std::move(error));
  return runner_ && runner_->crashed() ? bugError("the generated code crashed") : status;
}

llvm::Error Execution::writeFloats(const std::string &name, std::span<const float> values) const {
  return writeFilesAtomically(
      {{file(name), std::string(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float))}});
}

llvm::Expected<std::vector<float>> Execution::readFloats(const std::string &name, uint64_t count) const {
  auto mapped = MappedFile::open(file(name));
  if (!mapped) return mapped.takeError();
  const std::span<const uint8_t> bytes = (*mapped)->bytes();
  if (bytes.size() != count * sizeof(float)) {
    return llvm::createStringError(
        std::make_error_code(std::errc::io_error),
        fmt::format("the runner wrote {} bytes where {} are needed", bytes.size(), count * sizeof(float)));
  }
  std::vector<float> values(static_cast<size_t>(count));
  if (count) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

llvm::Expected<std::vector<float>> Execution::run(std::span<const float> in, uint64_t steps,
                                                  const RunSetting &setting) {
  if (llvm::Error error = writeFloats("in.f32", in)) return error;
  auto reply = ask(json::Object{{"cmd", "run"},
                                {"input", file("in.f32")},
                                {"steps", static_cast<int64_t>(steps)},
                                {"output", file("out.f32")},
                                {"threads", setting.threads},
                                {"arena", setting.arena},
                                {"chunk", setting.chunk}});
  if (!reply) return reply.takeError();
  return readFloats("out.f32", steps * outputs_);
}

llvm::Expected<Execution::Steps> Execution::steps(std::span<const float> in, std::span<const float> states,
                                                  uint64_t count, const RunSetting &setting) {
  if (llvm::Error error = writeFloats("in.f32", in)) return error;
  if (llvm::Error error = writeFloats("states.f32", states)) return error;
  auto reply = ask(json::Object{{"cmd", "steps"},
                                {"input", file("in.f32")},
                                {"states", file("states.f32")},
                                {"count", static_cast<int64_t>(count)},
                                {"output", file("out.f32")},
                                {"states_out", file("states_out.f32")},
                                {"threads", setting.threads},
                                {"arena", setting.arena}});
  if (!reply) return reply.takeError();
  Steps result;
  auto outputs = readFloats("out.f32", count * outputs_);
  if (!outputs) return outputs.takeError();
  auto after = readFloats("states_out.f32", count * stateFloats_);
  if (!after) return after.takeError();
  result.outputs = std::move(*outputs);
  result.states = std::move(*after);
  return result;
}

llvm::Expected<std::string> Execution::weights() {
  auto reply = ask(json::Object{{"cmd", "weights"}, {"output", file("weights.bin")}});
  if (!reply) return reply.takeError();
  auto mapped = MappedFile::open(file("weights.bin"));
  if (!mapped) return mapped.takeError();
  const std::span<const uint8_t> bytes = (*mapped)->bytes();
  return std::string(reinterpret_cast<const char *>(bytes.data()), bytes.size());
}

llvm::Expected<BuiltLibrary> Execution::buildPeer(const backend::Emitted &emitted, const std::string &stem) {
  return buildLibrary(toolchain_, folder_->path(), stem, emitted.files, line_->timeoutSeconds);
}

json::Object Execution::describe() const {
  json::Array compiler, flags;
  for (const std::string &word : toolchain_.compiler) compiler.push_back(word);
  for (const std::string &flag : toolchain_.flags) flags.push_back(flag);
  return json::Object{{"cxx", std::move(compiler)},
                      {"cxx_version", toolchain_.version},
                      {"cxx_flags", std::move(flags)},
                      {"compile_s", library_.seconds}};
}

bool usesArena(const Session &session) {
  const std::string &asked = session.line().placement;
  if (!asked.empty()) return asked == "arena";
  uint64_t arena = 0, inPlace = 0;
  for (const ir::Weights &weights : session.program().weights) {
    (weights.schedule.placement == ir::Placement::Arena ? arena : inPlace) += weights.nonzeros;
  }
  return arena >= inPlace;
}

}  // namespace rtmc::driver
