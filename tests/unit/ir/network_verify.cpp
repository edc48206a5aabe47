// One network that is accepted, and for each rule one change that is not.
#include "ir/network.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>

using namespace rtmc::ir;

namespace {

Tensor tensor(std::string name, std::vector<uint32_t> shape) {
  Tensor result;
  result.name = std::move(name);
  result.shape = std::move(shape);
  result.values.assign(size_t{result.rows()} * result.columns(), 0.5f);
  return result;
}

Recurrence recurrence(const std::string &prefix, uint32_t rows, uint32_t inputs, uint32_t outputs) {
  Recurrence result;
  result.weightIh = tensor(prefix + ".weight_ih", {rows, inputs});
  result.weightHh = tensor(prefix + ".weight_hh", {rows, outputs});
  result.biasIh = tensor(prefix + ".bias_ih", {rows});
  return result;
}

Layer layer(std::string name, uint32_t size, std::vector<ValueRef> inputs) {
  Layer result;
  result.name = std::move(name);
  result.size = size;
  result.inputs = std::move(inputs);
  return result;
}

constexpr ValueRef::Kind kInput = ValueRef::Kind::Input, kLayer = ValueRef::Kind::Layer;

/// x[2], s[3] -> gru[4] (both directions) -> lstm[3] with peepholes and projection 2 -> rnn[5] -> linear[2].
Network accepted() {
  Network network;
  network.name = "net";
  network.inputs = {{"x", 2, Range{-1, 1}, {}}, {"s", 3, std::nullopt, {}}};
  Layer gru = layer("gru", 4, {{kInput, 0}, {kInput, 1}});
  gru.direction = Direction::Both;
  gru.op = Gru{false, {recurrence("gru.a", 12, 5, 4), recurrence("gru.b", 12, 5, 4)}};
  Layer lstm = layer("lstm", 3, {{kLayer, 0}});
  Lstm op{true, 2, {recurrence("lstm", 12, 8, 2)}};
  op.directions[0].peephole = tensor("lstm.peephole", {9});
  op.directions[0].weightHr = tensor("lstm.weight_hr", {2, 3});
  lstm.op = op;
  Layer rnn = layer("rnn", 5, {{kLayer, 1}});
  rnn.op = Rnn{Activation::Relu, {recurrence("rnn", 5, 2, 5)}};
  Layer linear = layer("y", 2, {{kLayer, 2}, {kInput, 0}});
  Linear dense;
  dense.weight = tensor("y.weight", {2, 7});
  dense.activation = Activation::Softmax;
  linear.op = dense;
  network.layers = {gru, lstm, rnn, linear};
  network.outputs = {{kLayer, 3}, {kLayer, 0}};
  return network;
}

Recurrence &cell(Network &network, size_t index) {
  return recurrences(network.layers[index])->front();
}
Linear &dense(Network &network) {
  return std::get<Linear>(network.layers[3].op);
}

struct Rule {
  const char *message;
  std::function<void(Network &)> breakIt;
};

const Rule kRules[] = {
    {"version is 2", [](Network &n) { n.version = 2; }},
    {"network name 'a b' is no C identifier", [](Network &n) { n.name = "a b"; }},
    {"input name '1' is no C identifier", [](Network &n) { n.inputs[0].name = "1"; }},
    {"layer name '' is no C identifier", [](Network &n) { n.layers[0].name = ""; }},
    {"the name 'x' is used twice", [](Network &n) { n.layers[1].name = "x"; }},
    {"there is no input", [](Network &n) { n.inputs.clear(); }},
    {"input 's': size 0 is not in", [](Network &n) { n.inputs[1].size = 0; }},
    {"input 's': size 268435457 is not in", [](Network &n) { n.inputs[1].size = (1u << 28) + 1; }},
    {"the inputs have 268435458 values", [](Network &n) { n.inputs[1].size = 1u << 28; }},
    {"input 'x': range [2, 1]", [](Network &n) { n.inputs[0].range = Range{2, 1}; }},
    {"layer 'rnn': range", [](Network &n) { n.layers[2].range = Range{0, INFINITY}; }},
    {"there is no layer", [](Network &n) { n.layers.clear(); }},
    {"layer 'gru': size 0 is not in", [](Network &n) { n.layers[0].size = 0; }},
    {"layer 'lstm': projection", [](Network &n) { std::get<Lstm>(n.layers[1].op).projection = UINT32_MAX; }},
    {"layer 'rnn': it reads nothing", [](Network &n) { n.layers[2].inputs.clear(); }},
    {"layer 'gru': it reads input 2 of 2", [](Network &n) { n.layers[0].inputs[0].index = 2; }},
    {"layer 'lstm': it reads layer 1, which is not before", [](Network &n) { n.layers[1].inputs[0].index = 1; }},
    {"there is no output", [](Network &n) { n.outputs.clear(); }},
    {"an output names value 4 of 4", [](Network &n) { n.outputs[0].index = 4; }},
    {"layer 'gru': it is an output, but units were dropped",
     [](Network &n) {
       n.layers[0].userSize = 5;
       n.layers[0].keptUnits = {{0, 1, 2, 4}, {0, 1, 2, 3}};
     }},
    {"the outputs have 268435464 values", [](Network &n) { n.layers[3].size = 1u << 28; }},
    {"layer 'y': it reads 402653184 values",
     [](Network &n) {
       n.inputs[0].size = 1u << 27;
       n.layers[3].inputs.assign(3, {kInput, 0});
     }},
    {"layer 'y': a linear layer has no direction", [](Network &n) { n.layers[3].direction = Direction::Backward; }},
    {"an rnn's activation is tanh or relu",
     [](Network &n) { std::get<Rnn>(n.layers[2].op).activation = Activation::Sigmoid; }},
    {"layer 'gru': it has 1 directions; 2 needed", [](Network &n) { recurrences(n.layers[0])->pop_back(); }},
    {"layer 'rnn': it has 0 directions; 1 needed", [](Network &n) { recurrences(n.layers[2])->clear(); }},
    {"weight_ih is missing", [](Network &n) { cell(n, 0).weightIh = {}; }},
    {"weight_hh is missing", [](Network &n) { cell(n, 2).weightHh = {}; }},
    {"peephole is missing", [](Network &n) { cell(n, 1).peephole = {}; }},
    {"weight_hr is missing", [](Network &n) { cell(n, 1).weightHr = {}; }},
    {"weight is missing", [](Network &n) { dense(n).weight = {}; }},
    {"bias_ih has values but no shape", [](Network &n) { cell(n, 0).biasIh.shape.clear(); }},
    {"peephole does not belong to this op", [](Network &n) { cell(n, 0).peephole = tensor("p", {12}); }},
    {"weight_hr does not belong to this op", [](Network &n) { cell(n, 2).weightHr = tensor("p", {5, 5}); }},
    {"weight_ih is [12, 4]; [12, 5] needed", [](Network &n) { cell(n, 0).weightIh = tensor("w", {12, 4}); }},
    {"weight_hh is [12, 3]; [12, 2] needed", [](Network &n) { cell(n, 1).weightHh = tensor("w", {12, 3}); }},
    {"weight_hh is [24]; [12, 2] needed", [](Network &n) { cell(n, 1).weightHh = tensor("w", {24}); }},
    {"bias_ih is [5, 1]; [5] needed", [](Network &n) { cell(n, 2).biasIh = tensor("b", {5, 1}); }},
    {"bias_hh is [4]; [5] needed", [](Network &n) { cell(n, 2).biasHh = tensor("b", {4}); }},
    {"peephole is [3]; [9] needed", [](Network &n) { cell(n, 1).peephole = tensor("p", {3}); }},
    {"weight_hr is [3, 2]; [2, 3] needed", [](Network &n) { cell(n, 1).weightHr = tensor("r", {3, 2}); }},
    {"weight is [2, 5]; [2, 7] needed", [](Network &n) { dense(n).weight = tensor("w", {2, 5}); }},
    {"bias is [3]; [2] needed", [](Network &n) { dense(n).bias = tensor("b", {3}); }},
    {"weight has 13 values; its shape has 14", [](Network &n) { dense(n).weight.values.pop_back(); }},
    {"the mask of weight has 3 values", [](Network &n) { dense(n).weight.mask = {1, 1, 1}; }},
    {"weight[4] is nan", [](Network &n) { dense(n).weight.values[4] = NAN; }},
    {"weight_hh[0] is -inf", [](Network &n) { cell(n, 0).weightHh.values[0] = -INFINITY; }},
    {"weight has no name", [](Network &n) { dense(n).weight.name.clear(); }},
    {"the tensor name 'rnn.weight_ih' is used twice", [](Network &n) { dense(n).weight.name = "rnn.weight_ih"; }},
    {"the promise of weight: block needs a block", [](Network &n) { dense(n).weight.promise.scheme = Scheme::Block; }},
    {"structure: bsp needs a block", [](Network &n) { dense(n).structure = {Scheme::Bsp, 0, 4, 1, {}}; }},
    {"structure_ih: fill is 1.5", [](Network &n) { cell(n, 2).structureIh = {{Scheme::Dense, 0, 0, 1.5, {}}}; }},
    {"structure_hh of 1 gates; it has 4", [](Network &n) { cell(n, 1).structureHh.resize(1); }},
    {"structure_hr: fill is nan", [](Network &n) { cell(n, 1).structureHr.fill = std::nan(""); }},
    {"constant rows of 2 gates; it has 3", [](Network &n) { cell(n, 0).constantRows.resize(2); }},
    {"constant rows of gate h are 4; 5 needed", [](Network &n) { cell(n, 2).constantRows = {{0, 0, 0, 0}}; }},
    {"constant rows of gate y are 1; 2 needed", [](Network &n) { dense(n).constantRows = {0}; }},
    {"2 is neither 0 nor 1", [](Network &n) { dense(n).constantRows = {0, 2}; }},
    {"row 1 of gate y is called constant, but 'y.weight' has a weight in it",
     [](Network &n) { dense(n).constantRows = {0, 1}; }},
    {"row 2 of gate h is called constant, but 'rnn.weight_hh'",
     [](Network &n) {
       for (size_t i = 4; i < 6; ++i) cell(n, 2).weightIh.values[i] = 0;
       cell(n, 2).constantRows = {{0, 0, 1, 0, 0}};
     }},
    {"row 0 of gate o is called constant, but has a peephole",
     [](Network &n) {
       Recurrence &r = cell(n, 1);
       for (size_t i = 9 * 8; i < 10 * 8; ++i) r.weightIh.values[i] = 0;
       for (size_t i = 9 * 2; i < 10 * 2; ++i) r.weightHh.values[i] = 0;
       r.constantRows.assign(4, {0, 0, 0});
       r.constantRows[3][0] = 1;
     }},
    {"it has a user size of 6, but no list of kept units", [](Network &n) { n.layers[2].userSize = 6; }},
    {"kept units of 2 directions; 1 needed",
     [](Network &n) {
       n.layers[2].userSize = 5;
       n.layers[2].keptUnits.assign(2, {0, 1, 2, 3, 4});
     }},
    {"the user's size is 4, but 5 units are kept",
     [](Network &n) {
       n.layers[2].userSize = 4;
       n.layers[2].keptUnits = {{0, 1, 2, 3, 4}};
     }},
    {"4 kept units; its size is 5",
     [](Network &n) {
       n.layers[2].userSize = 9;
       n.layers[2].keptUnits = {{0, 1, 2, 3}};
     }},
    {"kept units must ascend and lie below 9; entry 4 is 9",
     [](Network &n) {
       n.layers[2].userSize = 9;
       n.layers[2].keptUnits = {{0, 1, 2, 3, 9}};
     }},
    {"kept units must ascend and lie below 9; entry 2 is 1",
     [](Network &n) {
       n.layers[2].userSize = 9;
       n.layers[2].keptUnits = {{0, 1, 1, 3, 4}};
     }},
};

}  // namespace

TEST_CASE("a right network is accepted") {
  CHECK(verify(accepted()) == std::vector<std::string>{});
}

TEST_CASE("every rule refuses what breaks it, and names it") {
  for (const Rule &rule : kRules) {
    CAPTURE(rule.message);
    Network network = accepted();
    rule.breakIt(network);
    std::vector<std::string> messages = verify(network);
    bool found = false;
    for (const std::string &message : messages) found = found || message.find(rule.message) != std::string::npos;
    CAPTURE(messages.empty() ? std::string("accepted") : messages.front());
    CHECK(found);
  }
}

TEST_CASE("annotations that are right are accepted") {
  Network network = accepted();
  Recurrence &rnn = cell(network, 2);
  rnn.weightIh.values[4] = 0;
  rnn.weightIh.mask.assign(rnn.weightIh.values.size(), 1);
  rnn.weightIh.mask[5] = 0;  // pruned by its mask though not zero
  for (size_t i = 10; i < 15; ++i) rnn.weightHh.values[i] = 0;
  rnn.constantRows = {{0, 0, 1, 0, 0}};
  network.layers[2].userSize = 9;
  network.layers[2].keptUnits = {{0, 2, 4, 6, 8}};
  // A projected layer may be an output and lose units all the same.
  network.layers[1].userSize = 7;
  network.layers[1].keptUnits = {{1, 2, 6}};
  network.outputs.push_back({kLayer, 1});
  CHECK(verify(network) == std::vector<std::string>{});
}

TEST_CASE("sizes follow ops, directions and projections") {
  Network network = accepted();
  CHECK_FALSE(network.causal());
  CHECK(network.inputSize() == 5);
  CHECK(network.outputSize() == 10);
  CHECK(sizeOf(network, {kLayer, 0}) == 8);
  CHECK(sizeOf(network, {kLayer, 1}) == 2);
  CHECK(inputSizeOf(network, network.layers[3]) == 7);
  CHECK(gateName(network.layers[0], 1) == "z");
  CHECK(gateName(network.layers[1], 2) == "g");
  CHECK(gateName(network.layers[3], 0) == "y");
  for (Scheme scheme : {Scheme::Auto, Scheme::Dense, Scheme::Bsp, Scheme::Bcr, Scheme::Csb, Scheme::Block, Scheme::Row,
                        Scheme::Column, Scheme::Unstructured})
    CHECK(parseScheme(schemeName(scheme)) == scheme);
  CHECK_FALSE(parseScheme("Bsp"));
}
