#include "emitted_model.h"

#include "backend/clang_check/clang_check.h"
#include "backend/target.h"
#include "passes/machine.h"

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

namespace rtmc::testing {
namespace {

std::string readFile(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Floats whose last byte is the last before a page without access, so that an overrun is a fault.
class GuardedFloats {
 public:
  explicit GuardedFloats(size_t count) : page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
    const size_t bytes = count * sizeof(float);
    size_ = (bytes + page_ - 1) / page_ * page_ + page_;
    base_ = static_cast<char *>(mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(base_ != MAP_FAILED);
    REQUIRE(mprotect(base_ + size_ - page_, page_, PROT_NONE) == 0);
    data_ = reinterpret_cast<float *>(base_ + size_ - page_ - bytes);
  }
  ~GuardedFloats() { munmap(base_, size_); }
  GuardedFloats(const GuardedFloats &) = delete;
  GuardedFloats &operator=(const GuardedFloats &) = delete;
  float *data() { return data_; }

 private:
  size_t page_, size_ = 0;
  char *base_ = nullptr;
  float *data_ = nullptr;
};

struct Session {
  rtm_session *handle = nullptr;
  Session(const rtm_model *model, const rtm_options &options) {
    REQUIRE(rtm_session_create(model, &options, &handle) == RTM_OK);
  }
  ~Session() { rtm_session_destroy(handle); }
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;
};

}  // namespace

ir::Program packedProgram(const ir::Network &network, const BuildOptions &options) {
  Diagnostics diagnostics;
  passes::Context context;
  context.diagnostics = &diagnostics;
  context.options.precision = options.precision;
  context.options.unroll = options.unroll;
  context.options.threads = options.threads;
  context.options.chunk = options.chunk;
  context.schedules = options.schedules;
  const auto traits = backend::findBackend("cpp")->traits(options.triple, options.cpu, options.precision, diagnostics);
  REQUIRE_MESSAGE(traits.has_value(), diagnostics.render());
  context.target = *traits;
  context.machine = passes::shippedMachine(traits->cpu, traits->triple);
  if (options.alwaysCut) context.machine.barrierNs = context.machine.handoverNs = 0;
  passes::Module module;
  module.network = network;
  const bool ran = passes::runPasses(module, context, {});
  REQUIRE_MESSAGE(ran, diagnostics.render());
  return *module.program;
}

backend::Emitted emitChecked(const ir::Program &program, bool weightsBlob, uint64_t unrollBudget, Diagnostics *notes) {
  Diagnostics diagnostics;
  backend::EmitOptions options;
  options.outputPath = "kernel.cpp";
  options.weightsBlob = weightsBlob;
  options.unrollBudgetBytes = unrollBudget;
  auto emitted = backend::findBackend("cpp")->emit(program, options, notes ? *notes : diagnostics);
  REQUIRE_MESSAGE(emitted.has_value(), (notes ? *notes : diagnostics).render());
  clang_check::Source source{
      "kernel.cpp", emitted->files[0].bytes, {{"kernel.h", emitted->files[1].bytes}}, program.target};
  const std::string complaint = llvm::toString(clang_check::checkSource(source));
  if (!complaint.empty() && std::getenv("RTMC_TEST_KEEP"))
    std::ofstream(std::getenv("RTMC_TEST_KEEP")) << emitted->files[0].bytes;
  REQUIRE_MESSAGE(complaint.empty(), complaint);
  return *emitted;
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "rtmc-backend-XXXXXX").string();
  REQUIRE(mkdtemp(pattern.data()) != nullptr);
  path_ = pattern;
}
TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (!std::getenv("RTMC_TEST_KEEP")) std::filesystem::remove_all(path_, ignored);
}

bool hasProgram(const std::string &name) {
  return std::system(fmt::format("command -v {} >/dev/null 2>&1", name).c_str()) == 0;
}

std::vector<std::string> hostCompilers() {
  std::vector<std::string> out;
  for (const char *name : {"g++", "clang++-19"}) {
    if (hasProgram(name)) out.push_back(name);
  }
  REQUIRE(!out.empty());
  return out;
}

std::string compile(const std::string &compiler, const std::string &source, const std::string &output,
                    const std::vector<std::string> &flags) {
  const std::string directory = std::filesystem::path(source).parent_path().string();
  const std::string log = output + ".log";
  const std::string command =
      fmt::format("{} {} -Wall -Wextra -Werror -I{}/runtime/include -I{} {} -o {} > {} 2>&1", compiler,
                  fmt::join(flags, " "), RTMC_SOURCE_DIR, directory, source, output, log);
  if (std::system(command.c_str()) == 0) return {};
  return command + "\n" + readFile(log);
}

LoadedModel::LoadedModel(const backend::Emitted &emitted, const std::string &name, const std::string &compiler) {
  for (const OutputFile &file : emitted.files) {
    std::ofstream(folder_.path() + "/" + file.path, std::ios::binary) << file.bytes;
  }
  const std::string output = folder_.path() + "/model.so";
  const std::string complaint = compile(compiler, folder_.path() + "/kernel.cpp", output, backend::compileFlags());
  REQUIRE_MESSAGE(complaint.empty(), complaint);
  library_ = dlopen(output.c_str(), RTLD_NOW | RTLD_LOCAL);
  REQUIRE_MESSAGE(library_ != nullptr, dlerror());
  void *symbol = dlsym(library_, (name + "_model").c_str());
  REQUIRE(symbol != nullptr);
  model_ = reinterpret_cast<const rtm_model *(*)()>(symbol)();
}

LoadedModel::~LoadedModel() {
  if (library_) dlclose(library_);
}

std::vector<float> LoadedModel::run(const std::vector<float> &in, size_t steps, uint32_t threads) const {
  rtm_model_info info{};
  info.size = sizeof info;
  REQUIRE(rtm_model_describe(model_, &info) == RTM_OK);
  REQUIRE(in.size() == steps * info.inputs);
  GuardedFloats from(in.size()), to(steps * info.outputs);
  std::copy(in.begin(), in.end(), from.data());
  rtm_options options{};
  options.size = sizeof options;
  options.threads = threads;
  options.max_steps = info.causal ? 0 : static_cast<uint32_t>(steps);
  Session session(model_, options);
  REQUIRE(rtm_run(session.handle, from.data(), steps, to.data()) == RTM_OK);
  return {to.data(), to.data() + steps * info.outputs};
}

std::vector<float> LoadedModel::runStepwise(const std::vector<float> &in, size_t steps) const {
  rtm_model_info info{};
  info.size = sizeof info;
  REQUIRE(rtm_model_describe(model_, &info) == RTM_OK);
  rtm_options options{};
  options.size = sizeof options;
  Session session(model_, options);
  std::vector<float> out;
  for (size_t t = 0; t < steps; ++t) {
    GuardedFloats from(info.inputs), to(info.outputs);
    std::copy_n(in.begin() + static_cast<std::ptrdiff_t>(t * info.inputs), info.inputs, from.data());
    REQUIRE(rtm_step(session.handle, from.data(), to.data()) == RTM_OK);
    out.insert(out.end(), to.data(), to.data() + info.outputs);
  }
  return out;
}

std::vector<std::string> runnableCpus() {
  std::vector<std::string> out = {"portable"};
  Diagnostics diagnostics;
  const auto host = backend::resolveTarget("", "", diagnostics);
  REQUIRE(host.has_value());
  for (const char *cpu : {"x86-64", "x86-64-v3", "x86-64-v4", "sapphirerapids", "generic", "cortex-a76"}) {
    Diagnostics ignored;
    const auto target = backend::resolveTarget("", cpu, ignored);
    if (target && target->isa <= host->isa) out.push_back(cpu);
  }
  return out;
}

std::vector<float> randomInput(uint64_t seed, size_t count) {
  std::mt19937_64 random(seed ^ 0x9e3779b97f4a7c15u);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> values(count);
  for (float &v : values) v = normal(random);
  return values;
}

}  // namespace rtmc::testing
