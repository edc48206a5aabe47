// The pipeline keeps the meaning of a network: after every pass the interpreter gives the same numbers, for random
// networks, schedules, targets and thread counts.
#include "ir/kernel_interpreter.h"
#include "ir/network_interpreter.h"
#include "passes/pass.h"
#include "random_network.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

using namespace rtmc;

namespace {

uint64_t firstSeed() {
  const char *given = std::getenv("RTMC_TEST_SEED");
  return given ? std::strtoull(given, nullptr, 10) : 1;
}

passes::Context contextFor(uint64_t seed, Diagnostics &diagnostics) {
  passes::Context context;
  context.diagnostics = &diagnostics;
  const uint32_t lanes[] = {16, 8, 4, 1};
  context.target.lanes = lanes[seed % 4];
  context.target.cpu = "test";
  context.machine = passes::shippedMachine(seed % 2 ? "sapphirerapids" : "generic-x86-64", "x86_64-linux-gnu");
  context.options.threads = 1 + static_cast<uint32_t>(seed / 3 % 4);
  if (seed % 5 == 0)
    context.machine.barrierNs = context.machine.handoverNs =
        0;  // makes the partition use all threads on small networks
  context.options.chunk = 1 + static_cast<uint32_t>(seed / 12 % 4);
  context.options.fold = seed % 7 != 0;
  context.options.permute = seed % 11 != 0;
  context.options.reorder = seed % 13 != 0;
  context.options.shareLoads = seed % 17 != 0;
  context.options.compact = seed % 19 != 0;
  return context;
}

std::vector<float> randomInput(uint64_t seed, size_t count) {
  std::mt19937_64 random(seed ^ 0x9e3779b97f4a7c15u);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> values(count);
  for (float &v : values) v = normal(random);
  return values;
}

double worst(const std::vector<ir::Bounded> &expected, const std::vector<double> &found) {
  REQUIRE(expected.size() == found.size());
  double difference = 0;
  for (size_t i = 0; i < found.size(); ++i)
    difference = std::max(difference, std::abs(expected[i].value - found[i]) / (1 + std::abs(expected[i].value)));
  return difference;
}

void checkSeed(uint64_t seed, Precision precision, double tolerance) {
  CAPTURE(seed);
  const ir::Network network = testing::randomNetwork(seed, {.maxSize = seed % 10 == 9 ? 200u : 40u});
  constexpr size_t kSteps = 5;
  const std::vector<float> input = randomInput(seed, kSteps * network.inputSize());
  const auto expected = ir::run(network, input, kSteps, {});
  Diagnostics diagnostics;
  passes::Context context = contextFor(seed, diagnostics);
  context.options.precision = precision;
  passes::Module module;
  module.network = network;
  for (const passes::Pass &pass : passes::pipeline()) {
    CAPTURE(pass.name);
    passes::RunOptions one;
    one.only = {pass.name};
    const bool ran = passes::runPasses(module, context, one);
    REQUIRE_MESSAGE(ran, diagnostics.render());
    if (!module.program) {
      const auto now = ir::run(*module.network, input, kSteps, {});
      std::vector<double> values;
      for (const ir::Bounded &b : now) values.push_back(b.value);
      CHECK(worst(expected, values) < 1e-5);
      continue;
    }
    ir::KernelInterpreter interpreter(*module.program);
    interpreter.reset();
    const std::vector<double> found = interpreter.run(input, kSteps);
    CHECK(worst(expected, found) <
          (module.program->weights.empty() || !module.program->weights[0].packed ? 1e-5 : tolerance));
    if (pass.name == "share-loads" || pass.name == "pack") {
      if (pass.name == "pack" || module.program->shares == 1) {
        uint64_t counted = 0;
        for (const auto &[name, loads] : interpreter.loads()) counted += loads;
        if (pass.name == "pack") CHECK(counted == module.program->loads.after * kSteps);
      }
    }
  }
}

}  // namespace

TEST_CASE("the interpreter's result survives every pass, f32") {
  const uint64_t first = firstSeed();
  MESSAGE("seeds from " << first << "; RTMC_TEST_SEED chooses another");
  for (uint64_t seed = first; seed < first + 250; ++seed) checkSeed(seed, Precision::F32, 1e-5);
}

TEST_CASE("16-bit weights stay within their precision") {
  const uint64_t first = firstSeed();
  for (uint64_t seed = first; seed < first + 60; ++seed) checkSeed(seed, Precision::F16, 2e-2);
  for (uint64_t seed = first; seed < first + 60; ++seed) checkSeed(seed, Precision::BF16, 1e-1);
}
