// Models and weight files at the limits: what is hostile must cost seconds, not hours.
#include "unit/frontend/model_file.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <chrono>
#include <functional>

namespace rtmc {
namespace {

double secondsOf(const std::function<void()> &work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

TEST_CASE("tens of thousands of layers, mistakes and tensors") {
  std::vector<test::TestTensor> tensors;
  for (int i = 0; i < 20000; ++i)
    tensors.push_back(test::countingTensor(fmt::format("tensor_number_{}", i), "F32", {1}));
  std::string good = "layers:\n", unknown = "layers:\n", keys = "layers:\n  - {name: a, op: linear, size: 1";
  for (int i = 0; i < 40000; ++i) {
    good += fmt::format("  - {{name: l{}, op: linear, size: 3}}\n", i);
    unknown += fmt::format("  - {{name: l{}, op: linear, size: 3, input: nobody{}}}\n", i, i);
    keys += fmt::format(", key{}: 1", i);
  }
  for (const std::string &yaml : {good + "outputs: l1\n", unknown + "outputs: l1\n", keys + "}\noutputs: a\n"}) {
    test::LoadResult result;
    const double seconds = secondsOf([&] { result = test::load(yaml, tensors); });
    CHECK(!result.loaded);
    CHECK(result.messages.find("more messages") != std::string::npos);
    CHECK(result.messages.size() < 60000);
    CHECK_MESSAGE(seconds < 20, seconds);  // under sanitizers on a busy machine; quadratic work takes far longer
  }
}

TEST_CASE("a model of ten thousand layers loads") {
  std::vector<test::TestTensor> tensors;
  std::string yaml = "layers:\n";
  for (int i = 0; i < 10000; ++i) {
    yaml += fmt::format("  - {{name: l{}, op: linear, size: 3}}\n", i);
    tensors.push_back(test::countingTensor(fmt::format("l{}.weight", i), "F16", {3, 3}));
  }
  const auto result = test::load(yaml + "outputs: l9999\n", tensors);  // 10000 notes on missing biases stop nothing
  REQUIRE_MESSAGE(result.loaded, result.messages);
  CHECK(result.network().layers.size() == 10000);
  CHECK(std::get<ir::Linear>(result.network().layers[9999].op).weight.present());
}

}  // namespace rtmc
