// The bounds: f32 evaluations in random orders stay inside, and a changed weight does not.
#include "ir/network_interpreter.h"
#include "unit/ir/float_network.h"
#include "unit/ir/random_network.h"

#include <doctest/doctest.h>

#include <cmath>

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

using namespace rtmc::ir;

namespace {

struct Tightness {
  double largest = 0;  // |float - value| / error
  size_t values = 0;
};

void compare(const std::vector<Bounded> &expected, std::span<const float> computed, Tightness &tightness) {
  REQUIRE(expected.size() == computed.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(i);
    CAPTURE(expected[i].value);
    CAPTURE(expected[i].error);
    CAPTURE(computed[i]);
    CHECK(accepts(expected[i], double{computed[i]}));
    if (std::isfinite(expected[i].error))
      tightness.largest =
          std::max(tightness.largest, std::fabs(double{computed[i]} - expected[i].value) / expected[i].error);
    ++tightness.values;
  }
}

}  // namespace

TEST_CASE("float32 in any order of summation stays inside the bounds of whole sequences") {
  Tightness tightness;
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    RandomNetwork random(seed);
    Network network = random.make(seed % 2 == 0, seed % 5 == 0 ? 60 : 9);
    std::vector<float> in = random.sequence(network, 3);
    InterpreterOptions options;
    options.bounds = true;
    std::vector<Bounded> expected = run(network, in, 3, options);
    FloatNetwork floats(network, seed);
    compare(expected, floats.run(in, 3), tightness);
  }
  MESSAGE("largest share of the bound that was used: " << tightness.largest << " in " << tightness.values << " values");
  CHECK(tightness.values > 1000);
  CHECK(tightness.largest > 0.05);  // a bound far from what happens would prove nothing
}

TEST_CASE("states keep their bounds from step to step, each step from the same state") {
  Tightness tightness;
  for (uint32_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    RandomNetwork random(seed);
    Network network = random.make(true, 12);
    InterpreterOptions options;
    options.bounds = true;
    NetworkInterpreter interpreter(network, options);
    FloatNetwork floats(network, seed);
    std::vector<float> in = random.sequence(network, 5);
    std::vector<float> floatState(interpreter.stateSize());
    for (size_t t = 0; t < 5; ++t) {
      std::span<const float> x = std::span(in).subspan(t * network.inputSize(), network.inputSize());
      NetworkState state{{floatState.begin(), floatState.end()}};
      std::vector<double> errors;
      std::vector<Bounded> expected = interpreter.step(state, x, &errors);
      compare(expected, floats.step(floatState, x), tightness);
      std::vector<Bounded> states;
      for (size_t i = 0; i < errors.size(); ++i) states.push_back({state.values[i], errors[i]});
      compare(states, floatState, tightness);
    }
  }
  CHECK(tightness.values > 1000);
}

#ifdef __SSE2__
TEST_CASE("flushed denormals stay inside the bounds") {
  Tightness tightness;
  for (uint32_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    RandomNetwork random(seed);
    Network network = random.make(true, 9);
    for (Layer &layer : network.layers)  // without biases tiny values stay tiny
      if (auto *linear = std::get_if<Linear>(&layer.op)) linear->bias = Tensor{};
    std::vector<float> in = random.sequence(network, 2);
    for (float &value : in) value *= 3e-38f;
    InterpreterOptions options;
    options.bounds = true;
    std::vector<Bounded> expected = run(network, in, 2, options);
    unsigned mode = _mm_getcsr();
    _mm_setcsr(mode | 0x8040);  // flush to zero, denormals are zero
    std::vector<float> computed = FloatNetwork(network, seed).run(in, 2);
    _mm_setcsr(mode);
    compare(expected, computed, tightness);
  }
  CHECK(tightness.values > 500);
}
#endif

TEST_CASE("half-precision chains of four terms stay inside their bounds") {
  Tightness tightness;
  for (uint32_t seed = 1; seed <= 150; ++seed) {
    CAPTURE(seed);
    RandomNetwork random(seed);
    Network network = random.make(true, seed % 5 == 0 ? 60 : 9);
    std::vector<float> in = random.sequence(network, 2);
    InterpreterOptions options;
    options.bounds = options.halfChains = true;
    FloatNetwork floats(network, seed, true);
    compare(run(network, in, 2, options), floats.run(in, 2), tightness);
  }
  MESSAGE("largest share of the bound that was used: " << tightness.largest << " in " << tightness.values << " values");
  CHECK(tightness.values > 1000);
  CHECK(tightness.largest > 0.05);
}

TEST_CASE("losing one weight that matters breaks the bound") {
  RandomNetwork random(7);
  for (int i = 0; i < 50; ++i) {
    CAPTURE(i);
    Network network;
    network.name = "n";
    network.inputs = {{"x", 200, std::nullopt, {}}};
    Layer layer;
    layer.name = "y";
    layer.size = 20;
    layer.inputs = {{ValueRef::Kind::Input, 0}};
    Linear linear;
    linear.weight = random.tensor("y.weight", {20, 200});
    linear.weight.mask.clear();
    linear.activation = Activation::Sigmoid;
    size_t place = random.below(20 * 200);
    linear.weight.values[place] = 0.1f;
    layer.op = linear;
    network.layers = {layer};
    network.outputs = {{ValueRef::Kind::Layer, 0}};
    Network broken = network;
    std::get<Linear>(broken.layers[0].op).weight.values[place] = 0;
    std::vector<float> in = random.sequence(network, 1);
    in[place % 200] = 0.5f;
    InterpreterOptions options;
    options.bounds = true;
    auto expected = run(network, in, 1, options), found = run(broken, in, 1, {});
    size_t row = place / 200;
    // Where the sigmoid is flat a weight hardly matters: look where it is not.
    if (expected[row].value < 0.001 || expected[row].value > 0.999) continue;
    CHECK_FALSE(accepts(expected[row], found[row].value));
  }
}

TEST_CASE("half-precision chains and weight errors widen the bound, by name where names are given") {
  RandomNetwork random(11);
  Network network;
  do network = random.make(true, 20);
  while (!std::holds_alternative<Gru>(network.layers[0].op));
  network.layers.resize(1);
  network.outputs = {{ValueRef::Kind::Layer, 0}};
  std::vector<float> in = random.sequence(network, 1);
  InterpreterOptions plain, all, one, other, weights;
  plain.bounds = all.bounds = one.bounds = other.bounds = weights.bounds = true;
  all.halfChains = one.halfChains = other.halfChains = true;
  one.halfMatrices = {"layer0.weight_ih.n"};
  other.halfMatrices = {"another.weight_ih.n"};
  weights.weightError = 0x1p-9;
  double sums[5] = {};
  const InterpreterOptions *cases[] = {&plain, &all, &one, &other, &weights};
  for (int i = 0; i < 5; ++i)
    for (const Bounded &value : run(network, in, 1, *cases[i])) sums[i] += value.error;
  CHECK(sums[1] > 10 * sums[0]);
  CHECK(sums[2] > sums[0]);
  CHECK(sums[2] < sums[1]);
  CHECK(sums[3] == sums[0]);
  CHECK(sums[4] > 5 * sums[0]);
}

TEST_CASE("single operations: the extremes of their intervals lie inside") {
  BoundedMath math{true};
  for (double value : {-100.0, -20.0, -3.0, -0.5, -1e-3, 0.0, 1e-30, 0.2, 2.0, 18.0, 90.0})
    for (double error : {0.0, 1e-8, 1e-4, 0.1, 3.0}) {
      CAPTURE(value);
      CAPTURE(error);
      double inside =
          std::max(0.0, error - 1e-14 * std::fabs(value) - 1e-9 * error);  // our own sums here round as well
      for (double x : {value - inside, value, value + inside}) {
        CHECK(accepts(math.sigmoid({value, error}), 1 / (1 + std::exp(-x))));
        CHECK(accepts(math.tanh({value, error}), std::tanh(x)));
        CHECK(accepts(math.relu({value, error}), std::max(x, 0.0)));
        CHECK(accepts(math.mul({value, error}, {3, 0.5}), x * 3.5));
        CHECK(accepts(math.add({value, error}, {3, 0.5}), x + 2.5));
        for (double z : {0.0, 0.3, 1.0})
          CHECK(accepts(math.lerp({z, 0.01}, {value, error}, {0.5, 0.1}), (z + 0.01) * x + (1 - z - 0.01) * 0.6));
      }
      // Not much more than that.
      double moved = 1 / (1 + std::exp(-value - error)) - 1 / (1 + std::exp(-value + error));
      CHECK(math.sigmoid({value, error}).error <= std::max(0.5 * moved * (1 + 4 * error) + 1e-6, 2 * moved));
      for (bool log : {false, true}) {
        Bounded bounded[3] = {{value, error}, {0.25, 0.01}, {-1, 0}};
        math.softmax(bounded, log);
        for (double sign : {-1.0, 1.0}) {
          double a = std::exp(value + sign * error), b = std::exp(0.25 - sign * 0.01), c = std::exp(-1.0);
          double p[3] = {a / (a + b + c), b / (a + b + c), c / (a + b + c)};
          for (int i = 0; i < 3; ++i) CHECK(accepts(bounded[i], log ? std::log(p[i]) : p[i]));
        }
      }
    }
}
