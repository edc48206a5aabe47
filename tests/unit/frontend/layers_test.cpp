// What the keys of model.yaml become in the network.
#include "unit/frontend/model_file.h"

#include <doctest/doctest.h>

namespace rtmc {
namespace {

using test::countingTensor;
using test::load;
using test::TestTensor;
using Kind = ir::ValueRef::Kind;

std::vector<TestTensor> recurrent(const std::string &layer, uint64_t gates, uint64_t size, uint64_t input,
                                  uint64_t output, const std::string &suffix = "") {
  return {countingTensor(layer + ".weight_ih" + suffix, "F32", {gates * size, input}),
          countingTensor(layer + ".weight_hh" + suffix, "F32", {gates * size, output}),
          countingTensor(layer + ".bias_ih" + suffix, "F32", {gates * size}),
          countingTensor(layer + ".bias_hh" + suffix, "F32", {gates * size})};
}

std::vector<TestTensor> operator+(std::vector<TestTensor> a, const std::vector<TestTensor> &b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

TEST_CASE("every op with every key") {
  const auto result = load(
      R"(rtm: 1
name: demo
weights: weights.safetensors
inputs:
  - {name: x, size: 3, range: [-1, 1.5]}
  - {name: y, size: 2}
layers:
  - {name: a, op: gru, size: 4, reset: before, direction: backward}
  - {name: b, op: gru, size: 5, reset: after, direction: both, input: [y, a]}
  - {name: c, op: lstm, size: 6, peepholes: true, projection: 2, range: [-2e0, +3]}
  - {name: d, op: lstm, size: 3, peepholes: false, input: x}
  - {name: e, op: rnn, size: 2, activation: relu, input: [d, c]}
  - {name: f, op: rnn, size: 2}
  - {name: g, op: linear, size: 7, activation: log_softmax}
outputs: [g, c, y]
)",
      recurrent("a", 3, 4, 5, 4) + recurrent("b", 3, 5, 6, 5) + recurrent("b", 3, 5, 6, 5, "_reverse") +
          recurrent("c", 4, 6, 10, 2) +
          std::vector{countingTensor("c.peephole", "F32", {18}), countingTensor("c.weight_hr", "F32", {2, 6})} +
          recurrent("d", 4, 3, 3, 3) + recurrent("e", 1, 2, 5, 2) + recurrent("f", 1, 2, 2, 2) +
          std::vector{countingTensor("g.weight", "F32", {7, 2}), countingTensor("g.bias", "F32", {7})});
  CHECK(result.messages == "");
  REQUIRE(result.loaded);
  const ir::Network &n = result.network();
  CHECK(n.name == "demo");
  REQUIRE(n.layers.size() == 7);
  CHECK(n.inputs[0].range->low == -1.0f);
  CHECK(n.inputs[0].range->high == 1.5f);
  CHECK(n.layers[0].inputs == std::vector<ir::ValueRef>{{Kind::Input, 0}, {Kind::Input, 1}});  // all inputs
  CHECK(n.layers[1].inputs == std::vector<ir::ValueRef>{{Kind::Input, 1}, {Kind::Layer, 0}});
  CHECK(n.layers[2].inputs == std::vector<ir::ValueRef>{{Kind::Layer, 1}});  // the layer before
  CHECK(n.outputs == std::vector<ir::ValueRef>{{Kind::Layer, 6}, {Kind::Layer, 2}, {Kind::Input, 1}});
  CHECK(n.layers[0].direction == ir::Direction::Backward);
  CHECK(!std::get<ir::Gru>(n.layers[0].op).resetAfter);
  CHECK(std::get<ir::Gru>(n.layers[1].op).resetAfter);
  CHECK(std::get<ir::Gru>(n.layers[1].op).directions.size() == 2);
  CHECK(std::get<ir::Gru>(n.layers[1].op).directions[1].weightHh.name == "b.weight_hh_reverse");
  const auto &c = std::get<ir::Lstm>(n.layers[2].op);
  CHECK(c.peepholes);
  CHECK(c.projection == 2);
  CHECK(c.directions[0].weightHr.present());
  CHECK(n.layers[2].range->low == -2.0f);
  CHECK(n.layers[2].range->high == 3.0f);
  CHECK(std::get<ir::Rnn>(n.layers[4].op).activation == ir::Activation::Relu);
  CHECK(std::get<ir::Rnn>(n.layers[5].op).activation == ir::Activation::Tanh);
  CHECK(std::get<ir::Linear>(n.layers[6].op).activation == ir::Activation::LogSoftmax);
  CHECK(!n.causal());
  CHECK(ir::verify(n).empty());
}

TEST_CASE("a missing bias is absent and said so; the files are listed for the depfile") {
  const auto result = load("layers:\n  - {name: out, op: linear, size: 2}\noutputs: out\n",
                           std::vector{countingTensor("out.weight", "F32", {2, 3})});
  REQUIRE(result.loaded);
  CHECK(result.messages.find("bias 'out.bias' is not in the weight files and counts as zero [missing-bias]") !=
        std::string::npos);
  CHECK(!std::get<ir::Linear>(result.network().layers[0].op).bias.present());
  REQUIRE(result.loaded->files.size() == 2);
  CHECK(result.loaded->files[0].ends_with("/model.yaml"));
  CHECK(result.loaded->files[1].ends_with("/weights.safetensors"));
}

TEST_CASE("promises are kept per tensor, the layer's for those without one") {
  const auto result = load(
      R"(layers:
  - name: a
    op: gru
    size: 4
    reset: after
    direction: both
    sparsity: {scheme: bsp, block: [2, 3], weight_hh: {scheme: row}, weight_hh_reverse: {scheme: block, block: [4, 1]}}
  - {name: b, op: linear, size: 2, sparsity: {weight: {scheme: dense}}}
outputs: [b]
)",
      recurrent("a", 3, 4, 3, 4) + recurrent("a", 3, 4, 3, 4, "_reverse") +
          std::vector{countingTensor("b.weight", "F32", {2, 8}), countingTensor("b.bias", "F32", {2})});
  REQUIRE_MESSAGE(result.loaded, result.messages);
  const auto &directions = std::get<ir::Gru>(result.network().layers[0].op).directions;
  CHECK(directions[0].weightIh.promise.scheme == ir::Scheme::Bsp);
  CHECK(directions[0].weightIh.promise.blockRows == 2);
  CHECK(directions[0].weightIh.promise.blockColumns == 3);
  CHECK(directions[0].weightIh.promise.where.line == 11);
  CHECK(directions[0].weightHh.promise.scheme == ir::Scheme::Row);
  CHECK(directions[1].weightIh.promise.scheme == ir::Scheme::Bsp);
  CHECK(directions[1].weightHh.promise.scheme == ir::Scheme::Block);
  CHECK(directions[0].biasIh.promise.scheme == ir::Scheme::Auto);
  CHECK(std::get<ir::Linear>(result.network().layers[1].op).weight.promise.scheme == ir::Scheme::Dense);
}

TEST_CASE("what cannot be read is the environment's failure, what is wrong is the user's") {
  const auto missing = test::loadFiles("layers:\n  - {name: out, op: linear, size: 2}\noutputs: out\n", {});
  CHECK(!missing.loaded);
  CHECK(missing.environment);
  const auto damaged = test::loadFiles("layers:\n  - {name: out, op: linear, size: 2}\noutputs: out\n",
                                       {{"weights.safetensors", "short"}});
  CHECK(!damaged.loaded);
  CHECK(!damaged.environment);
  Diagnostics diagnostics;
  bool environment = false;
  CHECK(!frontend::loadModel("/nonexistent/model.yaml", diagnostics, &environment));
  CHECK(environment);
  CHECK(diagnostics.render() ==
        "error: cannot open '/nonexistent/model.yaml': No such file or directory [file-read]\n");
}

TEST_CASE("a byte order mark is no part of the text") {
  const auto result = load("\xef\xbb\xbfrtm: 2\n", std::vector<TestTensor>{});
  CHECK(result.messages.find(":1:6: error: the model has version '2'") != std::string::npos);
}

}  // namespace rtmc
