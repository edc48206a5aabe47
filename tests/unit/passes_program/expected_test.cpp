// Every tests/passes/<pass>.<case>.yaml of the program passes: a network, a line `---`, and the kernel IR after the
// pipeline up to that pass (or the messages where the pass refuses). Vectors of 4 floats on the shipped generic-x86-64.
// A first line `# options: {threads: 2, ...}` sets options of the context, `# schedules: {...}` gives schedules.
// `--update-expected` rewrites the second part.
#include "ir/network_yaml.h"
#include "pass_cases.h"
#include "program_pass.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <functional>
#include <map>

namespace rtmc::passes::test {
namespace {

/// Predicted times say more of the cost model's constants than of a pass; partition_test.cpp judges them.
std::string withoutCosts(const std::string &text) {
  std::string kept;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.size(), text.find('\n', begin) + 1);
    const std::string line = text.substr(begin, end - begin);
    if (line.find("cost_ns:") == std::string::npos) kept += line;
    begin = end;
  }
  return kept;
}

/// What stands behind `# <key>: ` in the comments on top; empty where nothing does.
std::string comment(const std::string &text, const std::string &key) {
  const std::string start = "# " + key + ": ";
  for (size_t begin = 0; begin < text.size() && text[begin] == '#';) {
    const size_t end = text.find('\n', begin);
    if (text.compare(begin, start.size(), start) == 0)
      return text.substr(begin + start.size(), end - begin - start.size());
    begin = end + 1;
  }
  return "";
}

void setOptions(const std::string &text, Context &context) {
  Options &o = context.options;
  const std::map<std::string, std::function<void(const YAML::Node &)>> known = {
      {"threads", [&](const YAML::Node &n) { o.threads = n.as<uint32_t>(); }},
      {"precision", [&](const YAML::Node &n) { o.precision = parsePrecision(n.as<std::string>()).value(); }},
      {"fold", [&](const YAML::Node &n) { o.fold = n.as<bool>(); }},
      {"permute", [&](const YAML::Node &n) { o.permute = n.as<bool>(); }},
      {"reorder", [&](const YAML::Node &n) { o.reorder = n.as<bool>(); }},
      {"share_loads", [&](const YAML::Node &n) { o.shareLoads = n.as<bool>(); }},
      {"compact", [&](const YAML::Node &n) { o.compact = n.as<bool>(); }},
      {"chunk", [&](const YAML::Node &n) { o.chunk = n.as<uint32_t>(); }},
      {"half_arithmetic", [&](const YAML::Node &n) { context.target.halfArithmetic = n.as<bool>(); }},
      {"barrier_ns", [&](const YAML::Node &n) { context.machine.barrierNs = n.as<double>(); }},
      {"handover_ns", [&](const YAML::Node &n) { context.machine.handoverNs = n.as<double>(); }},
      {"scatter_ns", [&](const YAML::Node &n) { context.machine.scatterNs = n.as<double>(); }},
  };
  for (const auto &entry : YAML::Load(text)) known.at(entry.first.as<std::string>())(entry.second);
}

void setUp(const std::string &text, Context &context) {
  if (const std::string options = comment(text, "options"); !options.empty()) setOptions(options, context);
  if (const std::string schedules = comment(text, "schedules"); !schedules.empty()) {
    auto parsed = ir::parseSchedules("schedules: " + schedules + "\n");
    REQUIRE_MESSAGE(parsed, llvm::toString(parsed.takeError()));
    context.schedules = std::move(*parsed);
  }
}

/// Rounding is for pack (weights) and choose-schedule (half-precision copies of x); every other pass keeps every
/// number.
double tolerance(const std::string &pass, Precision precision) {
  if ((pass != "pack" && pass != "choose-schedule") || precision == Precision::F32) return 1e-6;
  return precision == Precision::F16 ? 2e-3 : 2e-2;
}

/// The pass before `pass` in the pipeline.
std::string passBefore(const std::string &pass) {
  const auto &list = pipeline();
  const auto found = std::find_if(list.begin(), list.end(), [&](const Pass &p) { return p.name == pass; });
  return std::prev(found)->name;
}

void checkMeaning(const std::string &pass, const ir::Network &network, const Module &before, const ir::Program &after,
                  Precision precision) {
  constexpr size_t kSteps = 4;
  const std::vector<double> found = outputs(after, 1, kSteps);
  std::vector<double> expected;
  if (before.program) {
    expected = outputs(*before.program, 1, kSteps);
  } else {
    for (const ir::Bounded &b : ir::run(network, randomInput(1, kSteps * network.inputSize()), kSteps, {}))
      expected.push_back(b.value);
  }
  CHECK(worst(expected, found) < tolerance(pass, precision));
}

void checkCase(const std::string &pass, const PassCase &file) {
  llvm::Expected<ir::Network> parsed = ir::parseNetwork(file.input(), kCaseFolder.string());
  REQUIRE_MESSAGE(parsed, llvm::toString(parsed.takeError()));
  Bench bench;
  setUp(file.input(), bench.context);
  Module module;
  module.network = *parsed;
  REQUIRE(runUpTo(module, bench.context, passBefore(pass)));
  const Module before = module;
  RunOptions one;
  one.only = {pass};
  const bool ran = runPasses(module, bench.context, one);
  CHECK(ran != bench.diagnostics.hasErrors());
  std::string found;
  for (const Diagnostic &d : bench.diagnostics.all()) found += "# " + d.message + "\n";
  if (ran) found += withoutCosts(ir::print(*module.program, "constants.safetensors").yaml);
  file.check(found);
  if (ran) checkMeaning(pass, *parsed, before, *module.program, bench.context.options.precision);
}

void checkAll(const std::string &pass, const std::string &prefix, size_t atLeast) {
  forEachPassCase(prefix, atLeast, [&](const PassCase &file) { checkCase(pass, file); });
}

}  // namespace

TEST_CASE("lower-cells makes what is expected") {
  checkAll("lower-cells", "lower_cells", 6);
}
TEST_CASE("choose-schedule makes what is expected") {
  checkAll("choose-schedule", "choose_schedule", 4);
}
TEST_CASE("reorder-rows makes what is expected") {
  checkAll("reorder-rows", "reorder_rows", 4);
}
TEST_CASE("share-loads makes what is expected") {
  checkAll("share-loads", "share_loads", 2);
}
TEST_CASE("partition makes what is expected") {
  checkAll("partition", "partition", 3);
}
TEST_CASE("pack makes what is expected") {
  checkAll("pack", "pack", 6);
}

}  // namespace rtmc::passes::test
