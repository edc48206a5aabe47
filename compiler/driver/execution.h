// Owns: a generated model that runs: its temporary folder, the library built from it, the runner that has loaded it.
#pragma once

#include "driver/npy.h"
#include "driver/runner_client.h"
#include "driver/session.h"
#include "driver/temp_folder.h"
#include "driver/toolchain.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace rtmc::driver {

/// How a session of the runtime is made.
struct RunSetting {
  uint32_t threads = 0;  // 0: as compiled
  bool arena = false;    // weights copied to huge pages
  uint32_t chunk = 0;    // steps per call; 1: rtm_step; 0: one call
};

class Execution {
 public:
  /// Builds what `session` has generated and starts the runner. Returns an exit status; failures are reported.
  int start(const Session &session);

  /// [steps, in] -> [steps, out] from the zero state.
  llvm::Expected<std::vector<float>> run(std::span<const float> in, uint64_t steps, const RunSetting &);

  struct Steps {
    std::vector<float> outputs;  // [count, out]
    std::vector<float> states;   // [count, state floats]
  };
  /// Step i from state i with input i.
  llvm::Expected<Steps> steps(std::span<const float> in, std::span<const float> states, uint64_t count,
                              const RunSetting &);

  /// The packed bytes that the library holds.
  llvm::Expected<std::string> weights();

  /// Builds another model into the same folder, to be a peer; `stem` tells the files apart.
  llvm::Expected<BuiltLibrary> buildPeer(const backend::Emitted &, const std::string &stem);

  llvm::Expected<json::Object> ask(json::Object request) { return runner_->ask(std::move(request)); }
  RunnerClient &runner() { return *runner_; }
  std::string file(const std::string &name) const { return folder_->file(name); }
  llvm::Error writeFloats(const std::string &name, std::span<const float> values) const;

  /// Reports an error of the calls above; kBug where the generated code crashed.
  int report(llvm::Error) const;

  const json::Object &info() const { return info_; }
  const Toolchain &toolchain() const { return toolchain_; }
  const BuiltLibrary &library() const { return library_; }
  const std::string &symbol() const { return symbol_; }
  /// cxx, cxx_version, cxx_flags, compile_s: how it was built.
  json::Object describe() const;

 private:
  llvm::Expected<std::vector<float>> readFloats(const std::string &name, uint64_t count) const;
  const CommandLine *line_ = nullptr;
  std::unique_ptr<TempFolder> folder_;
  Toolchain toolchain_;
  BuiltLibrary library_;
  std::unique_ptr<RunnerClient> runner_;
  json::Object info_;
  std::string symbol_;
  uint64_t inputs_ = 0, outputs_ = 0, stateFloats_ = 0;
};

/// Whether weights are copied to huge pages: --placement, else what most weights' schedules say.
bool usesArena(const Session &);

}  // namespace rtmc::driver
