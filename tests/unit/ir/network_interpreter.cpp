// The interpreter against PyTorch's numbers, and against itself where two ways must agree.
#include "ir/network_interpreter.h"

#include "ir/network_yaml.h"
#include "unit/ir/network_reference.h"
#include "unit/ir/random_network.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace rtmc::ir;

namespace {

Network parsed(const char *yaml) {
  auto network = parseNetwork(yaml, "");
  if (!network) FAIL(llvm::toString(network.takeError()));
  return std::move(*network);
}

}  // namespace

TEST_CASE("every op computes what PyTorch computes") {
  REQUIRE(kReferenceCases.size() >= 17);
  for (const ReferenceCase &reference : kReferenceCases) {
    CAPTURE(reference.name);
    NetworkInterpreter interpreter(parsed(reference.yaml));
    std::vector<Bounded> out = interpreter.run(reference.in, reference.steps);
    REQUIRE(out.size() == reference.out.size());
    for (size_t i = 0; i < out.size(); ++i) {
      CAPTURE(i);
      CHECK(std::fabs(out[i].value - reference.out[i]) <= 1e-14 + 1e-13 * std::fabs(reference.out[i]));
    }
  }
}

TEST_CASE("steps and a run are the same") {
  for (uint32_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    RandomNetwork random(seed);
    Network network = random.make(true, 9);
    REQUIRE(verify(network).empty());
    std::vector<float> in = random.sequence(network, 4);
    NetworkInterpreter interpreter(network);
    std::vector<Bounded> whole = interpreter.run(in, 4);
    NetworkState state = interpreter.zeroState();
    for (size_t t = 0; t < 4; ++t) {
      std::vector<Bounded> out =
          step(network, state, std::span(in).subspan(t * network.inputSize(), network.inputSize()), {});
      for (size_t i = 0; i < out.size(); ++i) CHECK(out[i].value == whole[t * out.size() + i].value);
    }
  }
}

TEST_CASE("bounds do not change values; masks are respected before apply-masks has run") {
  for (uint32_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    RandomNetwork random(seed);
    Network network = random.make(false, 9), applied = network;
    for (Layer &layer : applied.layers) {
      auto apply = [](Tensor &tensor) {
        for (size_t i = 0; i < tensor.mask.size(); ++i)
          if (tensor.mask[i] == 0) tensor.values[i] = 0;
        tensor.mask.clear();
      };
      if (auto *linear = std::get_if<Linear>(&layer.op)) apply(linear->weight), apply(linear->bias);
      if (auto *cells = recurrences(layer))
        for (Recurrence &r : *cells)
          for (Tensor *t : {&r.weightIh, &r.weightHh, &r.biasIh, &r.biasHh, &r.peephole, &r.weightHr}) apply(*t);
    }
    std::vector<float> in = random.sequence(network, 3);
    InterpreterOptions options;
    options.bounds = true;
    std::vector<Bounded> plain = run(network, in, 3, {}), bounded = run(network, in, 3, options);
    std::vector<Bounded> cut = run(applied, in, 3, {});
    for (size_t i = 0; i < plain.size(); ++i) {
      CHECK(plain[i].value == cut[i].value);
      CHECK(plain[i].error == 0);
      CHECK(bounded[i].error > 0);
      CHECK(std::fabs(plain[i].value - bounded[i].value) <= 1e-12);
    }
  }
}

TEST_CASE("dropped units are zero in the state and ignored when it is read") {
  // Two of four units are gone; the LSTM's c keeps its places in the user's order.
  Network network;
  network.name = "n";
  network.inputs = {{"x", 1, std::nullopt, {}}};
  Layer layer;
  layer.name = "l";
  layer.size = 2;
  layer.userSize = 4;
  layer.keptUnits = {{1, 3}};
  layer.inputs = {{ValueRef::Kind::Input, 0}};
  Recurrence cell;
  cell.weightIh = {"l.weight_ih", "", {8, 1}, std::vector<float>(8, 0.5f), {}, {}, {}};
  cell.weightHh = {"l.weight_hh", "", {8, 1}, std::vector<float>(8, 0.25f), {}, {}, {}};
  cell.weightHr = {"l.weight_hr", "", {1, 2}, {1, 2}, {}, {}, {}};
  layer.op = Lstm{false, 1, {cell}};
  network.layers = {layer};
  network.outputs = {{ValueRef::Kind::Layer, 0}};
  REQUIRE(verify(network).empty());
  REQUIRE(stateSize(network) == 5);  // one projected h, four c

  InterpreterOptions options;
  options.bounds = true;
  NetworkInterpreter interpreter(network, options);
  NetworkState clean{{0.1, 0, 0.2, 0, 0.3}}, dirty{{0.1, 77, 0.2, -5, 0.3}};
  const float in[] = {0.5f};
  std::vector<double> error;
  auto out = interpreter.step(clean, in, &error), again = interpreter.step(dirty, in);
  CHECK(out[0].value == again[0].value);
  CHECK(clean.values == dirty.values);
  CHECK(clean.values[1] == 0);
  CHECK(clean.values[3] == 0);
  CHECK(clean.values[2] != 0);
  CHECK(clean.values[4] > clean.values[2]);
  CHECK(error[1] == 0);
  CHECK(error[2] > 0);
}

TEST_CASE("a network that is not causal has no state") {
  Network network = parsed(R"(
rtm_network: 1
name: n
inputs: [{name: x, size: 1}]
layers:
  - {name: r, op: rnn, size: 1, inputs: [x], direction: backward, directions: [
      {weight_ih: {name: a, shape: [1, 1], values: [1]}, weight_hh: {name: b, shape: [1, 1], values: [1]}}]}
outputs: [r]
)");
  CHECK(stateSize(network) == 0);
  const float in[] = {0, 0, 1};
  auto out = NetworkInterpreter(network).run(in, 3);
  CHECK(out[2].value == doctest::Approx(std::tanh(1.0)));
  CHECK(out[0].value == doctest::Approx(std::tanh(std::tanh(std::tanh(1.0)))));
}

TEST_CASE("NaN and infinities in the input") {
  // y0 reads x0, y1 reads x1, y2 reads nothing: its pruned columns may still meet the NaN in a kernel.
  Network network = parsed(R"(
rtm_network: 1
name: n
inputs: [{name: x, size: 2}]
layers:
  - {name: y, op: linear, size: 3, inputs: [x], weight: {name: w, shape: [3, 2], values: [1, 0, 0, 1, 1, 1]}}
outputs: [y]
)");
  InterpreterOptions options;
  options.bounds = true;
  NetworkInterpreter interpreter(network, options);
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  NetworkState state;
  const float one[] = {1, NAN};
  auto out = interpreter.step(state, one);
  CHECK(accepts(out[0], nan));  // 1 * 1 + 0 * NaN, or the pruned weight is skipped
  CHECK(accepts(out[0], 1));
  CHECK(accepts(out[1], nan));
  CHECK_FALSE(accepts(out[1], 1));
  CHECK(accepts(out[2], nan));
  CHECK_FALSE(accepts(out[2], infinity));
  const float two[] = {INFINITY, 1};
  out = interpreter.step(state, two);
  CHECK(accepts(out[0], infinity));
  CHECK_FALSE(accepts(out[0], 3e38));
  CHECK(accepts(out[2], infinity));
  CHECK_FALSE(accepts(out[2], nan));
  const float three[] = {INFINITY, -INFINITY};
  out = interpreter.step(state, three);
  CHECK(accepts(out[2], nan));
  CHECK_FALSE(accepts(out[2], infinity));
  const float four[] = {3e38f, 3e38f};
  out = interpreter.step(state, four);
  CHECK(accepts(out[0], 3e38f));
  CHECK(accepts(out[2], infinity));  // overflows in floats
}
