// The interpreter against the formulas written out, and its count of loads.
#include "ir/kernel_interpreter.h"

#include "kernel_fixture.h"
#include "test_options.h"

#include <doctest/doctest.h>

using namespace rtmc;
using namespace rtmc::test;
using G = GruIds;

namespace {

double sigmoid(double v) {
  return 1 / (1 + std::exp(-v));
}

std::vector<float> randomInput(size_t count, uint64_t seedValue) {
  std::mt19937_64 random(seedValue);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> values(count);
  for (float &v : values) v = normal(random);
  return values;
}

/// The fixture's GRU, straight from the cell equations in the program's order of units. Rounding of weights: `round`.
struct Formula {
  const Program &p;  // Stage::Lowered: has the matrices
  Precision precision;
  std::vector<double> h = std::vector<double>(8);

  double dot(Id weights, uint32_t row, const std::vector<double> &x) const {
    double sum = 0;
    for (uint32_t c = 0; c < x.size(); ++c) sum += double{roundTo(precision, at(p.weights[weights], row, c))} * x[c];
    return sum;
  }
  std::vector<double> step(const std::vector<double> &x) {
    std::vector<double> z(p.buffers[G::gateZ].init.begin(), p.buffers[G::gateZ].init.end()), rh(8), out(8);
    for (uint32_t slot = 0; slot < G::slots; ++slot)
      if (const uint32_t unit = p.spaces[G::z].order[slot]; unit != kNone)
        z[unit] = sigmoid(p.buffers[G::biasZ].init[slot] + dot(2, slot, x) + dot(3, slot, h));
    for (uint32_t u = 0; u < 8; ++u) rh[u] = h[u] * sigmoid(p.buffers[G::biasR].init[u] + dot(0, u, x) + dot(1, u, h));
    for (uint32_t u = 0; u < 8; ++u) {
      const double n = std::tanh(p.buffers[G::biasN].init[u] + dot(4, u, x) + dot(5, u, rh));
      h[u] = z[u] * h[u] + (1 - z[u]) * n;
      out[p.spaces[G::units].order[u]] = h[u];
    }
    return out;
  }
};

void checkAgainstFormula(Stage stage, Precision precision, double tolerance) {
  const Program lowered = gruProgram(Stage::Lowered, precision), program = gruProgram(stage, precision);
  constexpr size_t kSteps = 6;
  const std::vector<float> in = randomInput(kSteps * G::inputs, 5);
  KernelInterpreter interpreter(program);
  CHECK(interpreter.inputSize() == G::inputs);
  CHECK(interpreter.outputSize() == G::size);
  for (int repeat = 0; repeat < 2; ++repeat) {
    Formula formula{lowered, stage == Stage::Packed ? precision : Precision::F32};
    const std::vector<double> found = interpreter.run(in, kSteps);
    REQUIRE(found.size() == kSteps * G::size);
    for (size_t t = 0; t < kSteps; ++t) {
      const std::vector<double> expected =
          formula.step({in.begin() + static_cast<long>(t * 5), in.begin() + static_cast<long>(t * 5 + 5)});
      for (size_t i = 0; i < 8; ++i) CHECK(found[t * 8 + i] == doctest::Approx(expected[i]).epsilon(tolerance));
    }
    interpreter.reset();  // the second round starts from zero again
  }
}

}  // namespace

TEST_CASE("a GRU follows its equations at every stage") {
  for (const Stage stage : {Stage::Lowered, Stage::Grouped, Stage::Partitioned, Stage::Packed}) {
    checkAgainstFormula(stage, Precision::F32, 1e-12);
    checkAgainstFormula(stage, Precision::F16, 1e-12);
  }
  checkAgainstFormula(Stage::Packed, Precision::BF16, 2e-2);  // the odd entries round otherwise than alone
}

TEST_CASE("the state goes on between calls, and reset makes it zero") {
  const Program program = gruProgram(Stage::Packed);
  const std::vector<float> in = randomInput(4 * G::inputs, 6);
  KernelInterpreter whole(program), parts(program);
  const std::vector<double> expected = whole.run(in, 4);
  std::vector<double> found;
  for (size_t t = 0; t < 4; ++t) {
    const std::vector<double> one = parts.run(std::span(in).subspan(t * 5, 5), 1);
    found.insert(found.end(), one.begin(), one.end());
  }
  CHECK(found == expected);
  CHECK(parts.run(in, 4) != expected);
  parts.reset();
  CHECK(parts.run(in, 4) == expected);
  CHECK(parts.run({}, 0).empty());
}

TEST_CASE("groups that leave a weight out compute something else") {
  Program program = gruProgram(Stage::Grouped);
  const std::vector<float> in = randomInput(3 * G::inputs, 7);
  const std::vector<double> good = KernelInterpreter(program).run(in, 3);
  program.weights[0].groups[0].columns.pop_back();
  CHECK(!verify(program).empty());
  CHECK(KernelInterpreter(program).run(in, 3) != good);
}

TEST_CASE("every single packed value matters") {
  const Program good = gruProgram(Stage::Packed);
  const std::vector<float> in = randomInput(3 * G::inputs, 8);
  const std::vector<double> expected = KernelInterpreter(good).run(in, 3);
  size_t changed = 0, zeroes = 0;
  for (Id id = 0; id < good.weights.size(); ++id) {
    const Packed &packed = *good.weights[id].packed;
    for (const TileRun &run : packed.runs)
      for (uint64_t i = 0; i < packed.tileBytes(run); i += 4) {
        Program broken = good;
        uint8_t *value = broken.weights[id].packed->values.data() + run.value + i;
        float before = 0;
        std::memcpy(&before, value, 4);
        std::memset(value, 0, 4);
        const bool differs = KernelInterpreter(broken).run(in, 3) != expected;
        CHECK(differs == (before != 0));
        (before != 0 ? changed : zeroes) += 1;
      }
  }
  CHECK(changed > 50);
  CHECK(zeroes > 20);
}

TEST_CASE("loads of x") {
  const std::vector<float> in = randomInput(2 * G::inputs, 9);
  const Program lowered = gruProgram(Stage::Lowered), grouped = gruProgram(Stage::Grouped),
                packed = gruProgram(Stage::Packed);
  KernelInterpreter a(lowered), b(grouped), c(packed);
  for (KernelInterpreter *i : {&a, &b, &c}) i->run(in, 2);
  for (const Weights &w : lowered.weights) {
    CHECK(a.loads().at(w.name) == 2 * w.nonzeros);
    CHECK(b.loads().at(w.name) == 2 * 2 * w.columns);  // two groups of all columns
    CHECK(c.loads().at(w.name) == 2 * 2 * w.columns);  // one tile per share
  }
}

TEST_CASE("loads of tiles: one per tile and entry element, one per lane where lanes gather") {
  std::mt19937_64 random(3);
  Program p;
  p.name = "loads";
  p.buffers = {buffer("in", 8, Lifetime::In, kNone), buffer("y", 16, Lifetime::Scratch, kNone)};
  Weights w = randomWeights("w", 16, 8, 1.0, random);
  Packer packer(w, Precision::BF16);
  packer.add({tile(4, 2, 2), {0, 1, 2, 3, 4, 5, 6, 7}, {0, 2, 6}, {}});  // 2 tiles, 3 -> 4 entries of 2
  packer.add({tile(4, 1, 1, "ig"), {9, 8, 11}, {}, {{{0, 1, 2, kNone}, {3, 4, kNone, kNone}}}});
  packer.endShare();
  w.packed = packer.packed;
  w.rowBegin = w.columnIndex = {};
  w.values = {};
  p.weights = {w};
  Section section;
  section.phases.resize(1);
  section.phases[0].ops.emplace_back(MatMul{"w", 0, 0, 0, 1});
  p.sections = {section};
  for (const std::string &message : verify(p)) FAIL(message);
  KernelInterpreter interpreter(p);
  interpreter.run(randomInput(8, 1), 1);
  CHECK(interpreter.loads().at("w") == 2 * 4 * 2 + 2 * 4);
}

TEST_CASE("sections: once, forward, backward; values kept for all steps; swapped states") {
  // once: k = 0.5. forward: s_next = s + x * k, kept in `sums`. backward: t = t + sums, out = t.
  Program p;
  p.name = "sections";
  p.causal = false;
  p.buffers = {buffer("in", 1, Lifetime::In, kNone),        buffer("out", 1, Lifetime::Out, kNone),
               buffer("k", 1, Lifetime::Scratch, kNone),    buffer("s", 1, Lifetime::State, kNone),
               buffer("s_next", 1, Lifetime::State, kNone), buffer("sums", 1, Lifetime::Scratch, kNone),
               buffer("t", 1, Lifetime::State, kNone)};
  p.buffers[5].allSteps = true;
  const auto section = [](std::string name, SectionKind kind, bool backward, std::vector<EwInstr> body) {
    Elementwise e;
    e.name = name;
    e.count = 1;
    e.body = std::move(body);
    Phase phase;
    phase.name = name;
    phase.ops.emplace_back(std::move(e));
    return Section{std::move(name), kind, backward, {phase}, {}};
  };
  p.sections = {
      section("once", SectionKind::Once, false,
              {load(2, "k"), number(0.5f, "half"), compute(EwOp::Add, "sum", 0, 1), store(2, 2)}),
      section("forward", SectionKind::PerStep, false,
              {load(3, "s"), load(0, "x"), load(2, "k"), compute(EwOp::Fma, "n", 1, 2, 0), store(4, 3), store(5, 3)}),
      section("backward", SectionKind::PerStep, true,
              {load(6, "t"), load(5, "sum"), compute(EwOp::Add, "n", 0, 1), store(6, 2), store(1, 2)})};
  p.sections[1].swaps = {{3, 4}};
  for (const std::string &message : verify(p)) FAIL(message);
  KernelInterpreter interpreter(p);
  const std::vector<float> in = {2, 4, 6};
  const std::vector<double> expected = {1 + 3 + 6, 3 + 6, 6};
  CHECK(interpreter.run(in, 3) == expected);
  CHECK(interpreter.run(in, 3) == expected);  // each call is a whole sequence
  CHECK(interpreter.run(std::span(in).first(1), 1) == std::vector<double>{1});
}

TEST_CASE("every elementwise operation, half-precision stores and softmax") {
  Program p;
  p.name = "operations";
  p.buffers = {buffer("in", 4, Lifetime::In, kNone), buffer("out", 8, Lifetime::Out, kNone),
               buffer("half", 4, Lifetime::Scratch, kNone), buffer("a", 1, Lifetime::Scratch, kNone),
               buffer("logits", 4, Lifetime::Scratch, kNone)};
  p.buffers[2].dtype = DType::F16;
  Elementwise copy;
  copy.name = "copy";
  copy.count = 4;
  copy.body = {load(0, "x"), store(2, 0), store(4, 0)};
  Elementwise all;  // over one element
  all.name = "all";
  all.count = 1;
  all.body = {load(2, "x", false, 1),           number(3, "three"),
              compute(EwOp::Add, "", 0, 1),     compute(EwOp::Sub, "", 0, 1),
              compute(EwOp::Mul, "", 2, 3),     compute(EwOp::Fma, "", 4, 1, 0),
              compute(EwOp::Lerp, "", 0, 1, 4), compute(EwOp::Sigmoid, "", 6),
              compute(EwOp::Tanh, "", 0),       compute(EwOp::Relu, "", 3),
              compute(EwOp::Relu, "", 0),       compute(EwOp::Add, "", 5, 7),
              compute(EwOp::Add, "", 11, 8),    compute(EwOp::Add, "", 12, 9),
              compute(EwOp::Add, "", 13, 10),   store(3, 14)};
  Elementwise show;
  show.name = "show";
  show.count = 1;
  show.body = {load(3, "a"), store(1, 0, false, 7)};
  Phase phase;
  phase.ops = {copy, all, show, Softmax{"softmax", 4, 1, 0, 3, false}, Softmax{"log", 4, 1, 3, 4, true}};
  p.sections = {Section{"step", SectionKind::PerStep, false, {phase}, {}}};
  for (const std::string &message : verify(p)) FAIL(message);

  const std::vector<float> in = {0.1f, 1.0001f, -2, 50};
  const std::vector<double> out = KernelInterpreter(p).run(in, 1);
  const double x = halfToFloat(floatToHalf(1.0001f));
  CHECK(x != 1.0001f);
  const double product = (x + 3) * (x - 3), lerp = x * 3 + (1 - x) * product;
  CHECK(out[7] == doctest::Approx(product * 3 + x + sigmoid(lerp) + std::tanh(x) + 0 + x).epsilon(1e-14));
  const double v0 = in[0], v1 = in[1];
  const double sum = std::exp(v0) + std::exp(v1) + std::exp(-2.0);
  CHECK(out[0] == doctest::Approx(std::exp(v0) / sum).epsilon(1e-14));
  CHECK(out[2] == doctest::Approx(std::exp(-2.0) / sum).epsilon(1e-14));
  CHECK(out[3] == doctest::Approx(v0 - 50).epsilon(1e-12));  // nearly: the largest leads by 49
  CHECK(out[6] == doctest::Approx(0).epsilon(1e-12));
}
