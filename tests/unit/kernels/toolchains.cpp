#include "unit/kernels/toolchains.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <future>
#include <iostream>
#include <sstream>

namespace rtmc::test {
namespace fs = std::filesystem;

namespace {

bool onPath(const std::string &program) {
  return std::system(fmt::format("command -v {} > /dev/null 2>&1", program).c_str()) == 0;
}

std::string readFile(const fs::path &path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

Outcome buildWith(const Toolchain &tools, const TempFolder &folder, const IsaCase &isa, const std::vector<Unit> &units,
                  const std::string &stem, const std::string &arguments) {
  Outcome outcome;
  outcome.toolchain = tools.name;
  const std::string redirect = fmt::format(" >> {}.log 2>&1", stem);
  const bool run = runsHere(isa);
  std::string command = fmt::format("cd '{}'", folder.path.string()), objects;
  for (size_t i = 0; i < units.size(); ++i) {
    const std::string object = fmt::format("{}_{}.o", stem, i);
    command += fmt::format(" && {} -std=c++20 -Wall -Wextra -Wshadow -Werror -I'{}/runtime/include' {} -c {} -o {}{}",
                           tools.command, RTMC_SOURCE_DIR, units[i].flags, units[i].source, object, redirect);
    objects += " " + object;
  }
  outcome.compiled = std::system(command.c_str()) == 0;
  if (outcome.compiled && run) {
    const std::string link =
        fmt::format("cd '{0}' && {1}{2} -o {3}{4} && {5}./{3} {6} > {3}.txt 2>> {3}.log", folder.path.string(),
                    tools.command, objects, stem, redirect, tools.run, arguments);
    outcome.ran = std::system(link.c_str()) == 0;
    outcome.results = readFile(folder.path / (stem + ".txt"));
  }
  outcome.messages = readFile(folder.path / (stem + ".log"));
  return outcome;
}

}  // namespace

const std::vector<IsaCase> &isaCases() {
  static const std::vector<IsaCase> all = {{"scalar", "RTM_SIMD_SCALAR", 1, 16, false},
                                           {"sse2", "RTM_SIMD_SSE2", 4, 16, false},
                                           {"avx2", "RTM_SIMD_AVX2", 8, 16, false},
                                           {"avx512", "RTM_SIMD_AVX512", 16, 32, false},
                                           {"avx512fp16", "RTM_SIMD_AVX512 RTM_SIMD_FP16", 16, 32, true},
                                           {"neon", "RTM_SIMD_NEON", 4, 32, false},
                                           {"neonfp16", "RTM_SIMD_NEON RTM_SIMD_FP16", 4, 32, true}};
  return all;
}

const IsaCase &isaCase(const std::string &name) {
  const auto &all = isaCases();
  const auto found = std::find_if(all.begin(), all.end(), [&](const IsaCase &c) { return c.name == name; });
  REQUIRE(found != all.end());
  return *found;
}

std::vector<Toolchain> toolchains(const IsaCase &isa) {
  std::vector<Toolchain> all;
  const std::string cache = onPath("ccache") ? "ccache " : "";
  std::string clang;
  for (const char *name : {"clang++-19", "clang++"})
    if (clang.empty() && onPath(name)) clang = name;
#if defined(__x86_64__)
  const bool native = !isa.arm();
#else
  const bool native = isa.name == "scalar";
#endif
  if (native) {
    if (onPath("g++")) all.push_back({"g++", cache + "g++", ""});
    if (!clang.empty()) all.push_back({clang, cache + clang, ""});
  } else if (isa.arm() && onPath("aarch64-linux-gnu-g++") && onPath("qemu-aarch64")) {
    const std::string run = "qemu-aarch64 -cpu max ";
    all.push_back({"aarch64-linux-gnu-g++", cache + "aarch64-linux-gnu-g++ -static", run});
    if (!clang.empty())
      all.push_back({clang + " for aarch64",
                     cache + clang + " --target=aarch64-linux-gnu -static -Wno-unused-command-line-argument", run});
  }
  return all;
}

bool runsHere(const IsaCase &isa) {
  if (isa.arm() || isa.name == "scalar") return true;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (isa.name == "avx512fp16") return readFile("/proc/cpuinfo").find("avx512_fp16") != std::string::npos;
  if (isa.name == "avx512")
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (isa.name == "avx2") return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return true;
#else
  return false;
#endif
}

TempFolder::TempFolder() {
  static std::atomic<int> count;
  path = fs::temp_directory_path() / fmt::format("rtmc-kernels-{}-{}", ::getpid(), count++);
  fs::create_directories(path);
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

std::vector<Outcome> buildAndRun(const TempFolder &folder, const IsaCase &isa, const std::vector<Unit> &units,
                                 const std::string &arguments) {
  const auto tools = toolchains(isa);
  if (tools.empty()) {
    std::cout << "skipped " << isa.name << ": no compiler for it on the path"
              << (isa.arm() ? " (aarch64-linux-gnu-g++ and qemu-aarch64 are needed)\n" : "\n");
    return {};
  }
  if (!runsHere(isa)) std::cout << isa.name << ": this processor lacks the instructions; compiled only\n";
  std::vector<std::future<Outcome>> futures;
  for (size_t i = 0; i < tools.size(); ++i)
    futures.push_back(std::async(std::launch::async, [&, i] {
      return buildWith(tools[i], folder, isa, units, fmt::format("{}{}", isa.name, i), arguments);
    }));
  std::vector<Outcome> outcomes;
  for (auto &future : futures) outcomes.push_back(future.get());
  for (Outcome &outcome : outcomes) outcome.ran = outcome.ran || !runsHere(isa);
  return outcomes;
}

void checkOutcomes(const std::vector<Outcome> &outcomes) {
  for (const Outcome &outcome : outcomes) {
    INFO(outcome.toolchain << "\n" << outcome.messages << "\n" << outcome.results);
    REQUIRE(outcome.compiled);
    CHECK(outcome.ran);
    CHECK(outcome.results.find("FAIL") == std::string::npos);
    CHECK_MESSAGE(outcome.results == outcomes.front().results, "compilers differ in bits");
  }
}

}  // namespace rtmc::test
