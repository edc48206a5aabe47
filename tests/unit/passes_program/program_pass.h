// Owns: what the tests of the program passes share: a fixed context, its options as text, running the pipeline up to a
// pass, and the numbers of the interpreter.
#pragma once

#include "ir/kernel_interpreter.h"
#include "ir/kernel_yaml.h"
#include "ir/network_interpreter.h"
#include "passes/pass.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace rtmc::passes::test {

/// A context on the shipped generic-x86-64 with `lanes` floats per vector, and its diagnostics.
struct Bench {
  Diagnostics diagnostics;
  Context context;
  explicit Bench(uint32_t lanes = 4);
  Bench(const Bench &) = delete;
};

/// Runs the pipeline from where the module stands, up to and including `last` ("": all). False: an error was reported.
bool runUpTo(Module &, Context &, const std::string &last);
/// The same from a network; requires success.
ir::Program lowered(const ir::Network &, Context &, const std::string &last = "");

std::string textOf(const ir::Program &);

/// Uniform in [-1, 1].
std::vector<float> randomInput(uint64_t seed, size_t count);
/// What the interpreter of the kernel IR gives for `steps` steps of random input from the zero state.
std::vector<double> outputs(const ir::Program &, uint64_t seed, size_t steps);
/// Largest |a - b| / (1 + |a|).
double worst(const std::vector<double> &a, const std::vector<double> &b);

}  // namespace rtmc::passes::test
