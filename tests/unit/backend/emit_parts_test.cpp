// Parts of emitted code that random networks seldom have: runs of blocks and of stripes that go through one kernel
// together, and gates of any number of scattered values. Against the interpreter, and bit by bit against the same
// network cut or unrolled otherwise.
#include "emitted_model.h"

#include "ir/kernel_interpreter.h"
#include "test_options.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>
#include <random>

using namespace rtmc;
using namespace rtmc::testing;

namespace {

constexpr size_t kSteps = 3;
using Random = std::mt19937_64;

ir::Tensor tensor(Random &random, std::string name, std::vector<uint32_t> shape) {
  ir::Tensor made;
  made.name = made.source = std::move(name);
  made.shape = std::move(shape);
  made.values.resize(size_t{made.rows()} * made.columns());
  std::normal_distribution<float> normal(0, 0.3f);
  for (float &value : made.values) value = normal(random);
  return made;
}

ir::Network networkOf(uint32_t inputs, ir::Layer layer) {
  ir::Network network;
  network.name = "parts";
  network.inputs.push_back({"x", inputs, std::nullopt, {}});
  layer.name = "layer";
  layer.inputs.push_back({ir::ValueRef::Kind::Input, 0});
  network.layers.push_back(std::move(layer));
  network.outputs.push_back({ir::ValueRef::Kind::Layer, 0});
  return network;
}

/// Leaves stripes of one to `most` rows, each with columns of its own, whose numbers repeat.
void keepStripes(Random &random, ir::Tensor &weights, uint32_t most) {
  const uint32_t rows = weights.rows(), columns = weights.columns();
  for (uint32_t top = 0, end; top < rows; top = end) {
    end = std::min<uint32_t>(rows, top + 1 + random() % most);
    std::vector<bool> kept(columns, false);
    std::fill_n(kept.begin(), 20 + random() % 2 * 9, true);
    std::shuffle(kept.begin(), kept.end(), random);
    for (uint32_t row = top; row < end; ++row)
      for (uint32_t column = 0; column < columns; ++column)
        if (!kept[column]) weights.values[size_t{row} * columns + column] = 0;
  }
}

ir::Network stripes(Random &random, uint32_t rows, uint32_t columns, uint32_t most) {
  ir::Linear linear;
  linear.weight = tensor(random, "layer.weight", {rows, columns});
  linear.bias = tensor(random, "layer.bias", {rows});
  keepStripes(random, linear.weight, most);
  ir::Layer layer;
  layer.size = rows;
  layer.op = std::move(linear);
  return networkOf(columns, std::move(layer));
}

ir::Network stripesOfGru(Random &random, uint32_t size, uint32_t inputs, uint32_t most) {
  ir::Recurrence r;
  r.weightIh = tensor(random, "layer.weight_ih", {3 * size, inputs});
  r.weightHh = tensor(random, "layer.weight_hh", {3 * size, size});
  for (ir::Tensor *weights : {&r.weightIh, &r.weightHh}) keepStripes(random, *weights, most);
  ir::Layer layer;
  layer.size = size;
  layer.op = ir::Gru{true, {std::move(r)}};
  return networkOf(inputs, std::move(layer));
}

/// Blocks of 4 x 4: most block rows have few, some none, one all of them.
ir::Network blocks(Random &random, uint32_t rows, uint32_t columns) {
  ir::Linear linear;
  linear.weight = tensor(random, "layer.weight", {rows, columns});
  linear.bias = tensor(random, "layer.bias", {rows});
  for (uint32_t top = 0; top < rows; top += 4)
    for (uint32_t left = 0; left < columns; left += 4) {
      if (top == 8 || random() % columns < 8) continue;
      for (uint32_t row = top; row < top + 4; ++row)
        std::fill_n(linear.weight.values.begin() + static_cast<ptrdiff_t>(size_t{row} * columns + left), 4, 0.0f);
    }
  ir::Layer layer;
  layer.size = rows;
  layer.op = std::move(linear);
  return networkOf(columns, std::move(layer));
}

/// A GRU whose rows are dead where `dead(gate, unit)` says so.
ir::Network partlyConstant(Random &random, uint32_t size, bool resetAfter,
                           const std::function<bool(uint32_t, uint32_t)> &dead, uint32_t inputs = 8) {
  ir::Recurrence r;
  r.weightIh = tensor(random, "layer.weight_ih", {3 * size, inputs});
  r.weightHh = tensor(random, "layer.weight_hh", {3 * size, size});
  r.biasIh = tensor(random, "layer.bias_ih", {3 * size});
  for (uint32_t gate = 0; gate < 3; ++gate)
    for (uint32_t unit = 0; unit < size; ++unit) {
      if (!dead(gate, unit)) continue;
      for (ir::Tensor *matrix : {&r.weightIh, &r.weightHh})
        std::fill_n(matrix->values.begin() + static_cast<ptrdiff_t>((size_t{gate} * size + unit) * matrix->columns()),
                    matrix->columns(), 0.0f);
    }
  ir::Layer layer;
  layer.size = size;
  layer.op = ir::Gru{resetAfter, {std::move(r)}};
  return networkOf(inputs, std::move(layer));
}

/// Gates r, z, n have so many live rows, anywhere.
ir::Network scattered(Random &random, uint32_t size, const std::array<uint32_t, 3> &live) {
  std::array<std::vector<uint32_t>, 3> rank;
  for (std::vector<uint32_t> &units : rank) {
    units.resize(size);
    std::iota(units.begin(), units.end(), 0u);
    std::shuffle(units.begin(), units.end(), random);
  }
  return partlyConstant(random, size, false,
                        [&](uint32_t gate, uint32_t unit) { return rank[gate][unit] >= live[gate]; });
}

/// Live rows are runs of 1 to `longest`, between single dead ones.
ir::Network inRuns(Random &random, uint32_t size, uint32_t longest, bool resetAfter) {
  std::array<std::vector<bool>, 3> dead;
  for (std::vector<bool> &units : dead)
    while (units.size() < size) {
      units.insert(units.end(), 1 + random() % longest, false);
      units.push_back(true);
    }
  return partlyConstant(random, size, resetAfter, [&](uint32_t gate, uint32_t unit) { return dead[gate][unit]; });
}

/// One schedule for all matrices, whose loops are not unrolled.
BuildOptions optionsOf(const std::string &cpu, Precision precision, ir::Format format, const ir::Lanes &lanes,
                       uint32_t tile) {
  ir::Schedule schedule;
  schedule.format = format;
  schedule.lanes = lanes;
  schedule.tile = tile;
  schedule.precision = precision;
  schedule.unroll = ir::Unroll::None;
  BuildOptions options;
  options.cpu = cpu;
  options.precision = precision;
  options.schedules["*"] = schedule;
  return options;
}

/// The interpreter's numbers; the same bits from each compiler, on several threads, and from `other` unrolling.
void check(const ir::Network &network, BuildOptions options, const char *text, ir::Unroll other) {
  const size_t steps = std::max<size_t>(kSteps, options.chunk);
  const std::vector<float> in = randomInput(5, steps * network.inputSize());
  const std::vector<std::string> compilers = hostCompilers();
  std::vector<float> first;
  const auto run = [&](size_t with) {
    const ir::Program program = packedProgram(network, options);
    const backend::Emitted emitted = emitChecked(program);
    for (size_t i = 0; i < std::min(with, compilers.size()); ++i) {
      const LoadedModel model(emitted, program.name, compilers[i]);
      const std::vector<float> out = model.run(in, steps);
      CHECK(model.runStepwise(in, steps) == out);
      if (first.empty()) {
        CHECK(emitted.files[0].bytes.find(text) != std::string::npos);
        ir::KernelInterpreter interpreter(program);
        interpreter.reset();
        const std::vector<double> expected = interpreter.run(in, steps);
        REQUIRE(expected.size() == out.size());
        double worst = 0;
        for (size_t k = 0; k < out.size(); ++k)
          worst = std::max(worst, std::abs(expected[k] - double{out[k]}) / (1 + std::abs(expected[k])));
        CHECK(worst < 5e-5);
        first = out;
      }
      CHECK(out == first);
    }
  };
  run(compilers.size());
  options.alwaysCut = true;
  options.threads = 3;
  run(1);
  if (other == ir::Unroll::Auto) return;
  options.threads = 1;
  for (auto &[name, schedule] : options.schedules) schedule.unroll = other;
  run(1);
}

}  // namespace

TEST_CASE("runs of blocks that are computed together have the sums of one by one") {
  Random random(test::seed(11));
  for (const std::string &cpu : runnableCpus()) {
    const uint32_t lanes = cpu == "x86-64-v4" ? 16 : cpu == "x86-64-v3" ? 8 : 0;
    if (lanes == 0) continue;
    CAPTURE(cpu);
    for (const Precision precision : {Precision::F32, Precision::F16, Precision::BF16}) {
      if (lanes == 8 && precision == Precision::F16) continue;
      CAPTURE(precisionName(precision));
      const ir::Lanes vector = {lanes, lanes / 4, false};  // one to a row block
      const BuildOptions options = optionsOf(cpu, precision, ir::Format::Block, vector, 4 * vector.rows());
      for (const uint32_t columns : {64u, 2048u}) {  // 8 and 16 bits of a column's index
        CAPTURE(columns);
        check(blocks(random, 512, columns), options, lanes == 16 ? "_x4(" : "_x2(", ir::Unroll::Tile);
      }
    }
  }
}

TEST_CASE("blocks for a chunk of steps, as many at a time as the nearest cache holds rows of x") {
  Random random(test::seed(16));
  for (const std::string &cpu : runnableCpus()) {
    const uint32_t lanes = cpu == "x86-64-v4" ? 16 : cpu == "x86-64-v3" ? 8 : 0;
    if (lanes == 0) continue;
    CAPTURE(cpu);
    for (const Precision precision : {Precision::F32, Precision::BF16}) {
      CAPTURE(precisionName(precision));
      BuildOptions options = optionsOf(cpu, precision, ir::Format::Block, {lanes, 4, false}, 16);
      options.chunk = 7;
      check(blocks(random, 512, 1000), options, "first += 4,", ir::Unroll::Tile);
      check(blocks(random, 128, 2048), options, lanes == 8 ? "first += 2," : "first += 4,", ir::Unroll::Tile);
    }
  }
}

TEST_CASE("stripes of few rows are computed two at once where two sums per row are all") {
  Random random(test::seed(15));
  struct Case {
    const char *cpu;
    uint32_t lanes, most, columns;  // up to `most` rows: one vector, two, and three; 8 and 16 bits of a column's index
  };
  const std::vector<std::string> here = runnableCpus();
  for (const Case &c : {Case{"x86-64-v3", 8, 4, 700}, Case{"x86-64-v3", 8, 20, 90}, Case{"x86-64", 4, 9, 90}}) {
    if (std::find(here.begin(), here.end(), c.cpu) == here.end()) continue;
    CAPTURE(c.cpu);
    CAPTURE(c.most);
    BuildOptions options = optionsOf(c.cpu, Precision::BF16, ir::Format::Bspc, {c.lanes}, 4 * c.lanes);
    check(stripes(random, 300, c.columns, c.most), options, "_x2(", ir::Unroll::Tile);
    // A chunk's kernels take several steps instead; a chunk of one step has pairs as well.
    options.chunk = 2;
    check(stripesOfGru(random, 96, c.columns, c.most), options, "_alone(", ir::Unroll::Tile);
    check(stripes(random, 300, c.columns, c.most), options, "_x2(", ir::Unroll::Tile);
  }
}

TEST_CASE("gates of any number of scattered values") {
  Random random(test::seed(12));
  for (const char *cpu : {"portable", "x86-64-v3", "x86-64-v4"}) {
    const std::vector<std::string> here = runnableCpus();
    if (std::find(here.begin(), here.end(), cpu) == here.end()) continue;
    CAPTURE(cpu);
    using Live = std::array<uint32_t, 3>;
    for (const Live &live : {Live{1, 15, 16}, Live{17, 33, 47}, Live{48, 49, 80}}) {
      CAPTURE(live[0]);
      BuildOptions options;
      options.cpu = cpu;
      check(scattered(random, 256, live), options, "scatterEach(", ir::Unroll::Auto);
    }
  }
}

TEST_CASE("gates whose values lie in runs of units") {
  Random random(test::seed(13));
  for (const char *cpu : {"x86-64", "x86-64-v3", "x86-64-v4"}) {
    const std::vector<std::string> here = runnableCpus();
    if (std::find(here.begin(), here.end(), cpu) == here.end()) continue;
    CAPTURE(cpu);
    for (const bool resetAfter : {false, true})  // after: the candidate reads the reset gate through its map, too
      for (const uint32_t longest : {24u, 60u}) {
        CAPTURE(resetAfter);
        CAPTURE(longest);
        BuildOptions options;
        options.cpu = cpu;
        check(inRuns(random, 256, longest, resetAfter), options, "copyRun<", ir::Unroll::Auto);
      }
  }
}

TEST_CASE("tiles for a chunk of steps: two at once, or four sum by sum, then two and a last one") {
  Random random(test::seed(14));
  const auto none = [](uint32_t, uint32_t) { return false; };
  struct Case {
    uint32_t inputs, chunk;
    const char *call;
  };
  for (const std::string &cpu : runnableCpus()) {
    if (cpu == "portable") continue;
    CAPTURE(cpu);
    for (const Precision precision : {Precision::F32, Precision::BF16})
      for (const Case &c : {Case{19, 3, "_s2(values"}, Case{1101, 7, "_s4o(values"}}) {
        CAPTURE(precisionName(precision));
        CAPTURE(c.chunk);
        BuildOptions options;
        options.cpu = cpu;
        options.precision = precision;
        options.chunk = c.chunk;
        check(partlyConstant(random, 208, true, none, c.inputs), options, c.call, ir::Unroll::Tile);
      }
  }
}
