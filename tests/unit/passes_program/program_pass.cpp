#include "program_pass.h"

#include <algorithm>
#include <cmath>

namespace rtmc::passes::test {

Bench::Bench(uint32_t lanes) {
  context.diagnostics = &diagnostics;
  context.target.triple = "x86_64-unknown-linux-gnu";
  context.target.cpu = "test";
  context.target.lanes = lanes;
  context.machine = shippedMachine("generic-x86-64", "x86_64-unknown-linux-gnu");
}

bool runUpTo(Module &module, Context &context, const std::string &last) {
  RunOptions options;
  options.stopAfter = last;
  return runPasses(module, context, options);
}

ir::Program lowered(const ir::Network &network, Context &context, const std::string &last) {
  Module module;
  module.network = network;
  const bool ran = runUpTo(module, context, last);
  REQUIRE_MESSAGE(ran, context.diagnostics->render());
  REQUIRE(module.program.has_value());
  return std::move(*module.program);
}

std::string textOf(const ir::Program &program) {
  const ir::Printed printed = ir::print(program, "constants.safetensors");
  // The bytes stand for long constants: equal texts and equal bytes are equal programs.
  return printed.yaml + printed.constants;
}

std::vector<float> randomInput(uint64_t seed, size_t count) {
  std::mt19937_64 random(seed ^ 0x9e3779b97f4a7c15u);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(count);
  for (float &v : values) v = uniform(random);
  return values;
}

std::vector<double> outputs(const ir::Program &program, uint64_t seed, size_t steps) {
  ir::KernelInterpreter interpreter(program);
  return interpreter.run(randomInput(seed, steps * interpreter.inputSize()), steps);
}

double worst(const std::vector<double> &a, const std::vector<double> &b) {
  REQUIRE(a.size() == b.size());
  double difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double here = std::abs(a[i] - b[i]) / (1 + std::abs(a[i]));
    if (!(here <= difference)) difference = here;  // a NaN stays
  }
  return difference;
}

}  // namespace rtmc::passes::test
