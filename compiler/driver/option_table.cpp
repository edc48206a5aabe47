#include "driver/option_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>

namespace rtmc::driver {
namespace {

using Store = std::function<std::string(CommandLine &, const std::string &)>;

Store text(std::string CommandLine::*member) {
  return [member](CommandLine &line, const std::string &value) -> std::string {
    if (value.empty()) return "is empty; a value is needed";
    line.*member = value;
    return {};
  };
}

Store anyText(std::string CommandLine::*member) {
  return [member](CommandLine &line, const std::string &value) -> std::string {
    line.*member = value;
    return {};
  };
}

Store oneOf(std::string CommandLine::*member, std::vector<std::string> choices) {
  return [member, choices = std::move(choices)](CommandLine &line, const std::string &value) -> std::string {
    for (const std::string &choice : choices) {
      if (choice != value) continue;
      line.*member = value;
      return {};
    }
    const std::string near = nearestName(value, choices);
    return fmt::format("is '{}'; one of {} is needed{}", value, fmt::join(choices, ", "),
                       near.empty() ? "" : fmt::format("; did you mean '{}'", near));
  };
}

template <typename T>
Store number(T CommandLine::*member, uint64_t low, uint64_t high) {
  return [member, low, high](CommandLine &line, const std::string &value) -> std::string {
    uint64_t parsed = 0;
    const auto [end, status] = std::from_chars(value.data(), value.data() + value.size(), parsed);
    if (status != std::errc() || end != value.data() + value.size() || parsed < low || parsed > high) {
      return fmt::format("is '{}'; a number from {} to {} is needed", value, low, high);
    }
    line.*member = static_cast<T>(parsed);
    return {};
  };
}

Store flag(bool CommandLine::*member, bool value) {
  return [member, value](CommandLine &line, const std::string &) -> std::string {
    line.*member = value;
    return {};
  };
}

std::string storePasses(CommandLine &line, const std::string &value) {
  size_t begin = 0;
  while (begin <= value.size()) {
    size_t end = value.find(',', begin);
    if (end == std::string::npos) end = value.size();
    if (end == begin) return fmt::format("is '{}'; names of passes with commas between them are needed", value);
    line.passes.push_back(value.substr(begin, end - begin));
    begin = end + 1;
  }
  return {};
}

std::string storeVerbose(CommandLine &line, const std::string &) {
  ++line.verbose;
  return {};
}

constexpr CommandSet kCompile = bitOf(Command::Compile), kInspect = bitOf(Command::Inspect), kRun = bitOf(Command::Run),
                     kVerify = bitOf(Command::Verify), kBench = bitOf(Command::Bench),
                     kMachine = bitOf(Command::Machine), kOpt = bitOf(Command::Opt), kDump = bitOf(Command::Dump),
                     kTune = bitOf(Command::Tune), kPrune = bitOf(Command::Prune), kImport = bitOf(Command::Import);
constexpr CommandSet kExecute = kRun | kVerify | kBench;
constexpr CommandSet kLower = kCompile | kInspect | kExecute | kOpt | kDump | kTune;
constexpr CommandSet kAll = kLower | kMachine | kPrune | kImport;
constexpr CommandSet kWrites = kCompile | kRun | kMachine | kOpt | kDump | kTune | kPrune | kImport;

using CL = CommandLine;

void addCommon(std::vector<OptionSpec> &table) {
  table.insert(
      table.end(),
      {{"--backend", "", "cpp|opencl", kLower, Group::Common, "what to generate (default cpp)",
        oneOf(&CL::backend, {"cpp", "opencl"})},
       {"--precision", "", "f32|f16|bf16|i8", kLower, Group::Common, "how weights are stored (default f32)",
        oneOf(&CL::precision, {"f32", "f16", "bf16", "i8"})},
       {"--threads", "", "N", kLower, Group::Common, "at most N threads (default 1)", number(&CL::threads, 1, 256)},
       {"--target", "", "TRIPLE", kLower, Group::Common, "target triple (default: this machine's)", text(&CL::target)},
       {"--cpu", "", "NAME", kLower, Group::Common,
        "processor (default: this machine's for its own triple, else the triple's baseline)", text(&CL::cpu)},
       {"--machine", "", "FILE", kLower, Group::Common, "description of the machine, as `rtmc machine` prints it",
        text(&CL::machine)},
       {"--tuning", "", "FILE", kLower, Group::Common, "tuning database (JSON lines) to read schedules from",
        text(&CL::tuning)},
       {"--schedule", "", "FILE", kLower, Group::Common, "schedules in the form that --emit=kernel prints",
        text(&CL::schedule)},
       {"--unroll", "", "auto|none|tile|full", kLower, Group::Common, "how far kernels are unrolled (default auto)",
        oneOf(&CL::unroll, {"auto", "none", "tile", "full"})},
       {"--json", "", "", kAll, Group::Common, "one JSON object on stdout", flag(&CL::json, true)},
       {"--quiet", "-q", "", kAll, Group::Common, "no notes and no warnings", flag(&CL::quiet, true)},
       {"--verbose", "-v", "", kAll, Group::Common, "tell what is done; twice: more", storeVerbose},
       {"--help", "-h", "", kAll, Group::Common, "this text", flag(&CL::help, true)},
       {"--help-developer", "", "", kAll, Group::Common, "this text with the options for developers",
        flag(&CL::helpDeveloper, true)},
       {"--version", "", "", kAll, Group::Common, "version of rtmc", flag(&CL::version, true)}});
}

void addFiles(std::vector<OptionSpec> &table) {
  table.insert(
      table.end(),
      {{"--output", "-o", "FILE", kWrites, Group::Files, "where the result goes", text(&CL::output)},
       {"--input", "-i", "FILE", kRun | kVerify, Group::Files, "input sequence: .npy, [steps, in], float32",
        text(&CL::input)},
       {"--weights", "", "inline|blob", kCompile | kExecute, Group::Files,
        "weights inside the source, or in a file beside it (default inline)", oneOf(&CL::weights, {"inline", "blob"})},
       {"-MD", "", "FILE", kCompile, Group::Files, "write a depfile for make and ninja", text(&CL::depfile)},
       {"--html", "", "FILE", kInspect, Group::Files, "also write a page: patterns before and after, phases, facts",
        text(&CL::html)}});
}

void addExecution(std::vector<OptionSpec> &table) {
  table.insert(
      table.end(),
      {{"--cxx", "", "COMMAND", kExecute, Group::Execution, "C++ compiler (default: $CXX, clang++-19, g++)",
        text(&CL::cxx)},
       {"--cxxflags", "", "FLAGS", kExecute, Group::Execution, "more flags for it, as --cxxflags='-g -O1'",
        anyText(&CL::cxxflags)},
       {"--runner", "", "COMMAND", kExecute | kMachine, Group::Execution,
        "how to start rtmc-runner, as 'qemu-aarch64 -L /sysroot /path/rtmc-runner'", text(&CL::runner)},
       {"--timeout", "", "SECONDS", kExecute | kMachine, Group::Execution,
        "a runner that is silent for longer has hung (default 300)", number(&CL::timeoutSeconds, 1, 86400)},
       {"--seed", "", "N", kVerify | kBench, Group::Execution, "of random inputs (default 1)",
        number(&CL::seed, 0, UINT64_MAX)},
       {"--steps", "", "N", kVerify | kBench, Group::Execution, "length of each sequence",
        number(&CL::steps, 1, 1000000)},
       {"--steps-per-call", "", "N", kBench, Group::Execution, "steps of one rtm_run; 1: rtm_step (default 1)",
        number(&CL::stepsPerCall, 1, 1000000)},
       {"--against", "", "dense", kBench, Group::Execution, "also time the same network without its pruning",
        oneOf(&CL::against, {"dense"})},
       {"--quick", "", "", kMachine | kBench, Group::Execution, "measure for a shorter time", flag(&CL::quick, true)}});
}

void addDeveloper(std::vector<OptionSpec> &table) {
  constexpr CommandSet kAblate = kLower & ~kTune;
  const auto off = [&](std::string_view name, bool CL::*member, std::string_view help) {
    table.push_back({name, "", "", kAblate, Group::Ablation, help, flag(member, false)});
  };
  off("--no-fold", &CL::fold, "constants are not folded, unread units are kept");
  off("--no-permute", &CL::permute, "hidden units keep the user's order");
  off("--no-reorder", &CL::reorder, "rows keep the user's order");
  off("--no-share-loads", &CL::shareLoads, "one vector per tile: inputs are loaded again for each");
  off("--no-compact", &CL::compact, "one 32-bit column index per value, as CSR has");
  table.insert(
      table.end(),
      {{"--placement", "", "in-place|arena", kAblate, Group::Ablation, "where weights lie when they are read",
        oneOf(&CL::placement, {"in-place", "arena"})},
       {"--chunk", "", "N", kAblate, Group::Ablation,
        "rtm_run computes the input products of N steps at once (default: 1 or what is predicted faster)",
        number(&CL::chunk, 1, 1024)},
       {"--emit", "", "network|kernel", kCompile | kDump, Group::Developer, "print this IR instead of generating code",
        oneOf(&CL::emit, {"network", "kernel"})},
       {"--dump-dir", "", "DIR", kAblate, Group::Developer, "one numbered IR file per pass", text(&CL::dumpDir)},
       {"--stop-after", "", "PASS", kDump | kOpt | kCompile, Group::Developer,
        "stop after this pass; 'parse': before all", text(&CL::stopAfter)},
       {"--passes", "", "A,B", kOpt, Group::Developer, "run these passes in this order", storePasses},
       {"--corrupt-weight", "", "N", kVerify, Group::Developer,
        "set kept weight number N (modulo their count) to zero in the packed bytes: verify must fail",
        [](CommandLine &line, const std::string &value) {
          static const Store store = [](CommandLine &into, const std::string &given) -> std::string {
            uint64_t parsed = 0;
            const auto [end, status] = std::from_chars(given.data(), given.data() + given.size(), parsed);
            if (status != std::errc() || end != given.data() + given.size()) {
              return fmt::format("is '{}'; a number is needed", given);
            }
            into.corruptWeight = parsed;
            return {};
          };
          return store(line, value);
        }}});
}

}  // namespace

const std::vector<OptionSpec> &optionTable() {
  static const std::vector<OptionSpec> table = [] {
    std::vector<OptionSpec> options;
    addFiles(options);
    for (OptionSpec &option : pruneOptions()) options.push_back(std::move(option));
    addCommon(options);
    addExecution(options);
    addDeveloper(options);
    return options;
  }();
  return table;
}

const std::vector<CommandSpec> &commandTable() {
  static const std::vector<CommandSpec> table = {
      {Command::Compile, "compile", "MODEL.yaml", true, "write kernel.cpp and kernel.h (the default command)"},
      {Command::Inspect, "inspect", "MODEL.yaml", true, "the pattern: schemes, groups, loads, bytes, predicted time"},
      {Command::Run, "run", "MODEL.yaml", true, "compile, load and run a sequence: x.npy -> y.npy"},
      {Command::Verify, "verify", "MODEL.yaml", true, "generated code against the reference interpreter"},
      {Command::Bench, "bench", "MODEL.yaml", true, "time per step, bytes, GB/s, roofline share"},
      {Command::Machine, "machine", "", false, "measure this machine: bandwidth, multiply-add rates, barrier"},
      {Command::Opt, "opt", "IR.yaml", true, "run passes on an IR file and print the result"},
      {Command::Dump, "dump", "MODEL.yaml", true, "print the network IR or the kernel IR"},
      {Command::Tune, "tune", "MODEL.yaml", false, "search for schedules (not available yet)"},
      {Command::Prune, "prune", "MODEL.yaml", true, "project dense weights onto a structure (one shot)"},
      {Command::Import, "import", "MODEL.onnx", false, "ONNX to model.yaml (not available yet)"}};
  return table;
}

const CommandSpec &specOf(Command command) {
  return commandTable()[static_cast<size_t>(command)];
}

std::string_view commandName(Command command) {
  return specOf(command).name;
}

}  // namespace rtmc::driver
