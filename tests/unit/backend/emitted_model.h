// Owns: the way of a random network through the passes, the C++ backend, a compiler and the runtime, for tests.
#pragma once

#include "backend/emit_cpp.h"
#include "ir/kernel.h"
#include "passes/pass.h"

#include <rtm/rtm.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rtmc::testing {

struct BuildOptions {
  std::string triple, cpu;  // "" and "": this machine
  Precision precision = Precision::F32;
  ir::Unroll unroll = ir::Unroll::Auto;
  uint32_t threads = 1;
  uint32_t chunk = 1;
  bool alwaysCut = false;  // use all threads, however small the network
  passes::ScheduleTable schedules;
};

/// Passes the network to packed bytes; fails the test where a pass does.
ir::Program packedProgram(const ir::Network &, const BuildOptions &);

/// Emitted text with the backend's own check; fails the test where either complains.
backend::Emitted emitChecked(const ir::Program &, bool weightsBlob = false, uint64_t unrollBudget = 4u << 20,
                             Diagnostics *notes = nullptr);

/// A folder that goes when this does.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;
  const std::string &path() const { return path_; }

 private:
  std::string path_;
};

/// Compilers of this machine that tests use: g++ and clang++-19, as far as they are there.
std::vector<std::string> hostCompilers();
/// True where the program is found.
bool hasProgram(const std::string &name);

/// Compiles with -Wall -Wextra -Werror; "" or the compiler's complaint. `arguments` replace the flags of a library.
std::string compile(const std::string &compiler, const std::string &source, const std::string &output,
                    const std::vector<std::string> &flags);

/// A compiled model, loaded into this process.
class LoadedModel {
 public:
  LoadedModel(const backend::Emitted &, const std::string &name, const std::string &compiler);
  ~LoadedModel();
  LoadedModel(const LoadedModel &) = delete;
  LoadedModel &operator=(const LoadedModel &) = delete;
  const rtm_model *model() const { return model_; }
  /// [steps, in] -> [steps, out] by rtm_run; the input and output end at a page that cannot be touched.
  std::vector<float> run(const std::vector<float> &in, size_t steps, uint32_t threads = 0) const;
  /// The same by one rtm_step per step.
  std::vector<float> runStepwise(const std::vector<float> &in, size_t steps) const;

 private:
  TemporaryFolder folder_;
  void *library_ = nullptr;
  const rtm_model *model_ = nullptr;
};

/// The processors of this machine that can run here: "portable", "x86-64", "x86-64-v3", ...
std::vector<std::string> runnableCpus();

std::vector<float> randomInput(uint64_t seed, size_t count);

}  // namespace rtmc::testing
