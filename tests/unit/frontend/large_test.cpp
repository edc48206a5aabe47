// Models and weight files at the limits: what is hostile must cost seconds, not hours.
#include "support/growth.h"
#include "unit/frontend/model_file.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>
#include <string>
#include <vector>

namespace rtmc {
namespace {

/// A model of `count` layers that fit no tensor, one of unknown inputs, one of unknown keys.
std::array<std::string, 3> wrongModels(int count) {
  std::string good = "layers:\n", unknown = "layers:\n", keys = "layers:\n  - {name: a, op: linear, size: 1";
  for (int i = 0; i < count; ++i) {
    good += fmt::format("  - {{name: l{}, op: linear, size: 3}}\n", i);
    unknown += fmt::format("  - {{name: l{}, op: linear, size: 3, input: nobody{}}}\n", i, i);
    keys += fmt::format(", key{}: 1", i);
  }
  return {good + "outputs: l1\n", unknown + "outputs: l1\n", keys + "}\noutputs: a\n"};
}

std::vector<test::TestTensor> strangers(int count) {
  std::vector<test::TestTensor> tensors;
  for (int i = 0; i < count; ++i)
    tensors.push_back(test::countingTensor(fmt::format("tensor_number_{}", i), "F32", {1}));
  return tensors;
}

}  // namespace

TEST_CASE("tens of thousands of layers, mistakes and tensors") {
  constexpr int kTimes = 16;
  const auto few = wrongModels(40000 / kTimes), many = wrongModels(40000);
  const std::vector<test::TestTensor> fewTensors = strangers(20000 / kTimes), manyTensors = strangers(20000);
  for (size_t i = 0; i < many.size(); ++i) {
    const test::LoadResult result = test::load(many[i], manyTensors);
    CHECK(!result.loaded);
    CHECK(result.messages.find("more messages") != std::string::npos);
    CHECK(result.messages.size() < 60000);
    // Layers times tensors, or any other square, would be 256 times as much.
    constexpr double kLimit = 4 * kTimes;
    const double ratio =
        test::growth(kLimit, [&] { test::load(few[i], fewTensors); }, [&] { test::load(many[i], manyTensors); });
    MESSAGE(kTimes << " times the input takes " << ratio << " times as long");
    CHECK(ratio <= kLimit);
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
