// Names, masks, gate order and number formats of weights.
#include "unit/frontend/model_file.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

namespace rtmc {
namespace {

using test::countingTensor;
using test::countingValues;
using test::load;
using test::TestTensor;

std::vector<float> floats(const std::vector<double> &values) {
  return {values.begin(), values.end()};
}

const std::string kLinear = "layers:\n  - {name: out, op: linear, size: 2}\noutputs: [out]\n";

const ir::Tensor &linearWeight(const test::LoadResult &result) {
  REQUIRE_MESSAGE(result.loaded, result.messages);
  return std::get<ir::Linear>(result.network().layers[0].op).weight;
}

const ir::Recurrence &recurrence(const test::LoadResult &result, size_t direction = 0) {
  REQUIRE_MESSAGE(result.loaded, result.messages);
  return (*ir::recurrences(result.network().layers[0]))[direction];
}

TestTensor constant(std::string name, std::vector<uint64_t> shape, double value, std::string dtype = "F32") {
  TestTensor tensor = countingTensor(std::move(name), std::move(dtype), std::move(shape));
  std::fill(tensor.values.begin(), tensor.values.end(), value);
  return tensor;
}

}  // namespace

TEST_CASE("F32, F16, BF16 and F64 give the same exact values") {
  for (const char *dtype : {"F32", "F16", "BF16", "F64"}) {
    CAPTURE(dtype);
    const auto result = load(kLinear, std::vector{countingTensor("out.weight", dtype, {2, 3})});
    CHECK(linearWeight(result).values == floats(countingValues(6)));
    CHECK(linearWeight(result).mask.empty());
    CHECK(linearWeight(result).name == "out.weight");
    CHECK(linearWeight(result).shape == std::vector<uint32_t>{2, 3});
  }
}

TEST_CASE("masks of every dtype; the values stay apart") {
  for (const char *dtype : {"BOOL", "U8", "I8", "I64", "F32", "F16", "BF16", "F64"}) {
    CAPTURE(dtype);
    TestTensor mask = constant("out.weight_mask", {2, 3}, 1, dtype);
    mask.values[1] = 0;
    mask.values[4] = -0.0;
    const auto result = load(kLinear, std::vector{countingTensor("out.weight", "F32", {2, 3}), mask});
    CHECK(linearWeight(result).values == floats(countingValues(6)));
    CHECK(linearWeight(result).mask == std::vector<uint8_t>{1, 0, 1, 1, 0, 1});
  }
}

TEST_CASE("PyTorch's _orig and _mask, and a mask under a name of its own") {
  TestTensor mask = constant("out.weight_mask", {2, 3}, 1, "F32");
  mask.values[5] = 0;
  const std::vector<uint8_t> expected = {1, 1, 1, 1, 1, 0};
  CHECK(linearWeight(load(kLinear, std::vector{countingTensor("out.weight_orig", "F32", {2, 3}), mask})).mask ==
        expected);
  mask.name = "somewhere";
  const auto named = load(
      "layers:\n  - {name: out, op: linear, size: 2, tensors: {weight: fc.w, weight_mask: somewhere}}\noutputs: "
      "[out]\n",
      std::vector{countingTensor("fc.w", "F32", {2, 3}), mask});
  CHECK(linearWeight(named).mask == expected);
  CHECK(linearWeight(named).source == "fc.w");
}

TEST_CASE("a weight that is not finite counts only where the mask keeps it") {
  TestTensor weight = countingTensor("out.weight", "F32", {2, 3});
  weight.values[4] = std::numeric_limits<double>::quiet_NaN();
  TestTensor mask = constant("out.weight_mask", {2, 3}, 1, "U8");
  CHECK(load(kLinear, std::vector{weight, mask}).messages.find("'out.weight' is NaN at [1, 1]") != std::string::npos);
  mask.values[4] = 0;
  CHECK(linearWeight(load(kLinear, std::vector{weight, mask})).values[4] == 0);
}

TEST_CASE("gate_order brings stacked gates and their masks into r, z, n and i, f, g, o") {
  struct Expected {
    const char *op, *order;
    std::vector<float> gates;  // canonical gate by gate: its place in the file
  };
  const std::vector<Expected> cases = {{"gru", "rzn", {0, 1, 2}},      {"gru", "zrn", {1, 0, 2}},
                                       {"gru", "nzr", {2, 1, 0}},      {"gru", "zrh", {1, 0, 2}},
                                       {"gru", "nrz", {1, 2, 0}},      {"lstm", "ifgo", {0, 1, 2, 3}},
                                       {"lstm", "iofc", {0, 2, 3, 1}}, {"lstm", "gofi", {3, 2, 0, 1}}};
  for (const Expected &c : cases) {
    CAPTURE(c.op);
    CAPTURE(c.order);
    const uint64_t gates = c.gates.size(), size = 2;
    std::vector<TestTensor> tensors;
    for (const auto &[name, columns] :
         {std::pair<std::string, uint64_t>{"weight_ih", 3}, {"weight_hh", 2}, {"bias_ih", 0}, {"bias_hh", 0}}) {
      std::vector<uint64_t> shape = {gates * size};
      if (columns) shape.push_back(columns);
      TestTensor t = countingTensor("a." + name, "F32", shape);
      const size_t piece = t.values.size() / gates;
      for (size_t i = 0; i < t.values.size(); ++i) t.values[i] = static_cast<double>(i / piece);  // place in the file
      TestTensor mask = t;
      mask.name += "_mask";
      for (double &v : mask.values) v = v == 1;
      tensors.push_back(t);
      tensors.push_back(mask);
    }
    std::string layer = std::string("{name: a, size: 2, op: ") + c.op + ", gate_order: " + c.order;
    if (gates == 3) layer += ", reset: after";
    const auto result = load("layers:\n  - " + layer + "}\noutputs: [a]\n", tensors);
    const ir::Recurrence &r = recurrence(result);
    for (const ir::Tensor *t : {&r.weightIh, &r.weightHh, &r.biasIh, &r.biasHh}) {
      const size_t piece = t->values.size() / gates;
      for (size_t i = 0; i < t->values.size(); ++i) {
        REQUIRE(t->values[i] == c.gates[i / piece]);
        REQUIRE(t->mask[i] == (t->values[i] == 1));
      }
    }
  }
}

TEST_CASE("a list stacks one tensor per gate, in gate order, each with its own mask or none") {
  std::vector<TestTensor> tensors = {countingTensor("a.weight_ih", "F32", {6, 3}),
                                     constant("ur", {2, 2}, 1),
                                     constant("uz_orig", {2, 2}, 2),
                                     constant("uz_mask", {2, 2}, 0, "U8"),
                                     constant("un", {2, 2}, 3),
                                     constant("br", {2}, 1),
                                     constant("bz", {2}, 2),
                                     constant("bn", {2}, 3)};
  tensors[4].values[1] = 0;
  const auto result = load(
      R"(layers:
  - {name: a, op: gru, size: 2, reset: after, gate_order: znr, tensors: {weight_hh: [uz, un, ur], bias_hh: [bz, bn, br]}}
outputs: [a]
)",
      tensors);
  const ir::Recurrence &r = recurrence(result);
  CHECK(r.weightHh.values == std::vector<float>{1, 1, 1, 1, 2, 2, 2, 2, 3, 0, 3, 3});
  CHECK(r.weightHh.mask == std::vector<uint8_t>{1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 1, 1});
  CHECK(r.biasHh.values == std::vector<float>{1, 1, 2, 2, 3, 3});
  CHECK(r.biasHh.mask.empty());
  CHECK(r.weightHh.source == "uz, un, ur");
}

TEST_CASE("peepholes keep i, f, o whatever the gate order, from one tensor or three") {
  std::vector<TestTensor> tensors = {countingTensor("a.weight_ih", "F32", {8, 3}),
                                     countingTensor("a.weight_hh", "F32", {8, 2}), constant("pi", {2}, 1),
                                     constant("pf", {2}, 2), constant("po", {2}, 3)};
  const auto result = load(
      "layers:\n  - {name: a, op: lstm, size: 2, peepholes: true, gate_order: ogfi, tensors: {peephole: [pi, pf, "
      "po]}}\n"
      "outputs: [a]\n",
      tensors);
  CHECK(recurrence(result).peephole.values == std::vector<float>{1, 1, 2, 2, 3, 3});
}

TEST_CASE("the backward half of both directions follows a renamed forward half") {
  const std::vector<TestTensor> tensors = {constant("rnn.weight_ih_l0", {2, 3}, 1),
                                           constant("rnn.weight_ih_l0_reverse", {2, 3}, 2), constant("u", {2, 2}, 3),
                                           constant("v", {2, 2}, 4)};
  const auto result = load(
      "layers:\n  - {name: a, op: rnn, size: 2, direction: both, tensors: {weight_ih: rnn.weight_ih_l0, weight_hh: u, "
      "weight_hh_reverse: v}}\noutputs: [a]\n",
      tensors);
  CHECK(recurrence(result, 0).weightIh.values[0] == 1);
  CHECK(recurrence(result, 1).weightIh.values[0] == 2);
  CHECK(recurrence(result, 0).weightHh.values[0] == 3);
  CHECK(recurrence(result, 1).weightHh.values[0] == 4);
  CHECK(recurrence(result, 1).weightHh.source == "v");
}

TEST_CASE("a backward layer alone uses the plain names") {
  const auto result = load("layers:\n  - {name: a, op: rnn, size: 2, direction: backward}\noutputs: [a]\n",
                           std::vector{constant("a.weight_ih", {2, 3}, 1), constant("a.weight_hh", {2, 2}, 2)});
  CHECK(recurrence(result).weightIh.values[0] == 1);
}

}  // namespace rtmc
