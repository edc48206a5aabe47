// Emitted programs, compiled by every compiler that is here and run through the runtime, against the interpreter.
#include "emitted_model.h"

#include "ir/kernel_interpreter.h"
#include "random_network.h"
#include "test_options.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>

using namespace rtmc;
using namespace rtmc::testing;

namespace {

constexpr size_t kSteps = 5;

void checkNear(const std::vector<double> &expected, const std::vector<float> &found, double tolerance) {
  REQUIRE(expected.size() == found.size());
  double worst = 0;
  size_t where = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    const double error = std::abs(expected[i] - double{found[i]}) / (1 + std::abs(expected[i]));
    if (!(error <= worst)) worst = error, where = i;  // NaN counts as worst
  }
  CAPTURE(where);
  if (!found.empty()) CAPTURE(found[where]);
  if (!found.empty()) CAPTURE(expected[where]);
  CHECK(worst < tolerance);
}

double toleranceOf(const ir::Program &program) {
  for (const ir::Weights &weights : program.weights) {
    if (weights.schedule.accumulate == ir::Accumulate::F16x4) return 2e-2;
  }
  return 5e-5;
}

std::vector<double> interpret(const ir::Program &program, const std::vector<float> &in) {
  ir::KernelInterpreter interpreter(program);
  interpreter.reset();
  return interpreter.run(in, kSteps);
}

}  // namespace

TEST_CASE("emitted code computes what the interpreter does") {
  const uint64_t first = test::seed(1);
  MESSAGE("seeds from " << first << "; --seed=N chooses another");
  const std::vector<std::string> compilers = hostCompilers(), cpus = runnableCpus();
  const char *more = std::getenv("RTMC_TEST_CASES");
  const uint64_t cases = more ? std::strtoull(more, nullptr, 10) : 24;
  for (uint64_t seed = first; seed < first + cases; ++seed) {
    CAPTURE(seed);
    BuildOptions options;
    options.cpu = cpus[seed % cpus.size()];
    options.precision = static_cast<Precision>(seed / 2 % 3);
    options.unroll = static_cast<ir::Unroll>(seed / 3 % 4);
    options.threads = 1 + static_cast<uint32_t>(seed / 5 % 3);
    if (options.threads == 1) options.chunk = 1 + static_cast<uint32_t>(seed / 15 % 4);
    options.alwaysCut = true;
    CAPTURE(options.cpu);
    CAPTURE(options.chunk);
    CAPTURE(ir::unrollName(options.unroll));
    const ir::Network network = randomNetwork(seed, {.maxSize = seed % 8 == 7 ? 160u : 40u});
    const ir::Program program = packedProgram(network, options);
    CAPTURE(program.shares);
    const std::string compiler = compilers[seed / 4 % compilers.size()];
    CAPTURE(compiler);
    const LoadedModel model(emitChecked(program), program.name, compiler);
    const std::vector<float> in = randomInput(seed, kSteps * network.inputSize());
    const std::vector<float> out = model.run(in, kSteps);
    checkNear(interpret(program, in), out, toleranceOf(program));
    if (program.causal) CHECK(model.runStepwise(in, kSteps) == out);
  }
}

TEST_CASE("one result for every number of threads, and for every way of unrolling") {
  const uint64_t seed = test::seed(7);
  ir::Network network = randomNetwork(seed, {.maxSize = 160});
  for (uint64_t s = seed; network.layers.size() < 2; ++s) network = randomNetwork(s, {.maxSize = 160});
  const std::vector<float> in = randomInput(seed, kSteps * network.inputSize());
  const std::string compiler = hostCompilers().front();
  std::vector<float> first;
  for (const uint32_t threads : {1u, 2u, 3u}) {
    for (const ir::Unroll unroll : {ir::Unroll::None, ir::Unroll::Tile, ir::Unroll::Full}) {
      if (threads > 1 && unroll != ir::Unroll::None) continue;
      CAPTURE(threads);
      BuildOptions options;
      options.threads = threads;
      options.unroll = unroll;
      options.alwaysCut = true;
      const ir::Program program = packedProgram(network, options);
      const LoadedModel model(emitChecked(program), program.name, compiler);
      const std::vector<float> out = model.run(in, kSteps);
      if (first.empty()) first = out;
      CHECK(out == first);
      // Fewer threads than shares run several shares each.
      CHECK(model.run(in, kSteps, 1) == first);
    }
  }
}

TEST_CASE("one result for every chunk of steps") {
  for (const uint64_t seed : {3u, 8u, 9u}) {
    CAPTURE(seed);
    const ir::Network network = randomNetwork(seed, {.maxSize = 90});
    const std::vector<float> in = randomInput(seed, kSteps * network.inputSize());
    std::vector<float> first;
    for (const uint32_t chunk : {1u, 2u, 3u, 64u}) {
      CAPTURE(chunk);
      BuildOptions options;
      options.chunk = chunk;
      const ir::Program program = packedProgram(network, options);
      CHECK(program.chunk == (network.causal() ? chunk : 1));
      const LoadedModel model(emitChecked(program), program.name, hostCompilers().front());
      const std::vector<float> out = model.run(in, kSteps);
      if (first.empty()) first = out;
      CHECK(out == first);
    }
  }
}

TEST_CASE("both compilers give the same bits") {
  const std::vector<std::string> compilers = hostCompilers();
  if (compilers.size() < 2) {
    MESSAGE("skipped: only one compiler here");
    return;
  }
  for (const uint64_t seed : {11u, 12u, 13u}) {
    const ir::Network network = randomNetwork(seed);
    const std::vector<float> in = randomInput(seed, kSteps * network.inputSize());
    const ir::Program program = packedProgram(network, {});
    const backend::Emitted emitted = emitChecked(program);
    const std::vector<float> a = LoadedModel(emitted, program.name, compilers[0]).run(in, kSteps);
    CHECK(LoadedModel(emitted, program.name, compilers[1]).run(in, kSteps) == a);
  }
}

TEST_CASE("weights in a file of their own are the same weights") {
  const ir::Network network = randomNetwork(5);
  const std::vector<float> in = randomInput(5, kSteps * network.inputSize());
  const ir::Program program = packedProgram(network, {});
  const backend::Emitted blob = emitChecked(program, true);
  REQUIRE(blob.files.size() == 3);
  CHECK(blob.files[2].path == "kernel.weights");
  CHECK(blob.files[0].bytes.find("U\"") == std::string::npos);
  for (const std::string &compiler : hostCompilers()) {
    const LoadedModel inside(emitChecked(program), program.name, compiler), beside(blob, program.name, compiler);
    CHECK(beside.run(in, kSteps) == inside.run(in, kSteps));
    rtm_model_info a{}, b{};
    a.size = b.size = sizeof a;
    REQUIRE(rtm_model_describe(inside.model(), &a) == RTM_OK);
    REQUIRE(rtm_model_describe(beside.model(), &b) == RTM_OK);
    CHECK(a.weights_hash == b.weights_hash);
    CHECK(a.weight_bytes == blob.files[2].bytes.size());
    CHECK(std::memcmp(a.weight_data, b.weight_data, a.weight_bytes) == 0);
    CHECK(std::memcmp(a.weight_data, blob.files[2].bytes.data(), a.weight_bytes) == 0);
  }
}

TEST_CASE("emission is the same text every time") {
  BuildOptions options;
  options.threads = 2;
  options.alwaysCut = true;
  const ir::Program program = packedProgram(randomNetwork(9), options);
  const backend::Emitted a = emitChecked(program), b = emitChecked(program);
  REQUIRE(a.files.size() == b.files.size());
  for (size_t i = 0; i < a.files.size(); ++i) CHECK(a.files[i].bytes == b.files[i].bytes);
}

TEST_CASE("full unrolling beyond the budget is refused with a note, and tiles are unrolled") {
  BuildOptions options;
  options.unroll = ir::Unroll::Full;
  const ir::Network network = randomNetwork(31, {.maxSize = 160});
  const ir::Program program = packedProgram(network, options);
  Diagnostics notes;
  const backend::Emitted emitted = emitChecked(program, false, 20000, &notes);
  CHECK(notes.render().find("[unroll-refused]") != std::string::npos);
  CHECK_FALSE(notes.hasErrors());
  Diagnostics none;
  CHECK(emitChecked(program, false, 64u << 20, &none).codeBytes > emitted.codeBytes);
  CHECK(none.all().empty());
}

TEST_CASE("long straight-line code stays in functions of its own") {
  const auto emit = [](uint64_t seed, uint32_t size) {
    BuildOptions options;
    options.unroll = ir::Unroll::Full;
    return emitChecked(packedProgram(randomNetwork(seed, {.maxSize = size}), options), false, 64u << 20).files[0].bytes;
  };
  const std::string longText = emit(31, 160), shortText = emit(31, 5);
  REQUIRE(longText.size() > 400000);
  REQUIRE(shortText.find("_run0(") != std::string::npos);
  CHECK(longText.find("[[gnu::noinline]] RTM_KERNEL void multiply_") != std::string::npos);
  CHECK(shortText.find("noinline") == std::string::npos);
}

TEST_CASE("emitted text for other machines compiles with their compilers") {
  struct Foreign {
    const char *triple, *cpu, *compiler;
  };
  for (const auto &[triple, cpu, compiler] : {Foreign{"aarch64-linux-gnu", "generic", "aarch64-linux-gnu-g++"},
                                              Foreign{"aarch64-linux-gnu", "cortex-a76", "aarch64-linux-gnu-g++"},
                                              Foreign{"x86_64-linux-gnu", "sapphirerapids", "g++"},
                                              Foreign{"x86_64-linux-gnu", "sapphirerapids", "clang++-19"}}) {
    if (!hasProgram(compiler)) {
      MESSAGE("skipped: no " << compiler);
      continue;
    }
    CAPTURE(cpu);
    CAPTURE(compiler);
    BuildOptions options;
    options.triple = triple;
    options.cpu = cpu;
    options.precision = Precision::F16;
    const backend::Emitted emitted = emitChecked(packedProgram(randomNetwork(31, {.maxSize = 100}), options));
    const TemporaryFolder folder;
    for (const OutputFile &file : emitted.files) {
      std::ofstream(folder.path() + "/" + file.path, std::ios::binary) << file.bytes;
    }
    const std::string complaint = compile(compiler, folder.path() + "/kernel.cpp", folder.path() + "/kernel.o",
                                          {"-std=c++20", "-O2", "-fPIC", "-c"});
    CHECK_MESSAGE(complaint.empty(), complaint);
  }
}

TEST_CASE("the library exports the model and nothing else") {
  if (!hasProgram("nm")) {
    MESSAGE("skipped: no nm");
    return;
  }
  const ir::Program program = packedProgram(randomNetwork(3), {});
  const backend::Emitted emitted = emitChecked(program);
  const TemporaryFolder folder;
  for (const OutputFile &file : emitted.files) {
    std::ofstream(folder.path() + "/" + file.path, std::ios::binary) << file.bytes;
  }
  const std::string object = folder.path() + "/kernel.o", list = folder.path() + "/symbols";
  REQUIRE(compile(hostCompilers().front(), folder.path() + "/kernel.cpp", object, {"-std=c++20", "-O2", "-fPIC", "-c"})
              .empty());
  REQUIRE(std::system(fmt::format("nm --extern-only --defined-only {} > {}", object, list).c_str()) == 0);
  std::ifstream in(list);
  std::vector<std::string> names;
  for (std::string address, kind, name; in >> address >> kind >> name;) names.push_back(name);
  CHECK(names == std::vector<std::string>{program.name + "_model"});
}
