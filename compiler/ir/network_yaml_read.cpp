#include "ir/network_words.h"
#include "ir/network_yaml.h"
#include "ir/yaml_reader.h"
#include "support/names.h"

#include <fmt/format.h>

namespace rtmc::ir {

namespace {

class Parser {
 public:
  explicit Parser(const std::string &directory) : constants_(directory) {}

  llvm::Expected<Network> run(const std::string &yaml) {
    Network network;
    try {
      readNetwork(YAML::Load(yaml), network);
    } catch (const YAML::Exception &error) {
      errors_.fail(error.what());
    }
    if (llvm::Error error = errors_.take()) return error;
    std::vector<std::string> broken = verify(network);
    if (!broken.empty()) return llvm::createStringError(fmt::format("{}", fmt::join(broken, "\n")));
    return network;
  }

 private:
  void readNetwork(const YAML::Node &, Network &);
  void readInput(const YAML::Node &, Network &);
  void readLayer(const YAML::Node &, Network &);
  void readLinear(YamlMap &, Linear &);
  std::vector<Recurrence> readDirections(YamlMap &);
  Recurrence readRecurrence(const YAML::Node &);
  Tensor readTensor(YamlMap &, std::string_view role);
  Structure readStructure(const YAML::Node &, std::string_view what);
  std::vector<Structure> readStructures(YamlMap &, std::string_view key);
  std::optional<Range> readRange(YamlMap &);
  std::vector<ValueRef> readValues(YamlMap &, std::string_view key);
  size_t readWord(YamlMap &, std::string_view key, std::span<const std::string_view> words);

  YamlErrors errors_;
  ConstantReader constants_;
  std::map<std::string, ValueRef> values_;  // by name: inputs, then the layers so far
};

/// Index into `words`; absent: the first.
size_t Parser::readWord(YamlMap &map, std::string_view key, std::span<const std::string_view> words) {
  if (!map.has(key)) return 0;
  std::string word = map.text(key);
  if (std::optional<size_t> index = indexOf(words, word)) return *index;
  map.fail(fmt::format("'{}' is {}; one of {} is needed", key, quoted(word), fmt::join(words, ", ")));
  return 0;
}

std::optional<Range> Parser::readRange(YamlMap &map) {
  if (!map.has("range")) return std::nullopt;
  std::vector<float> bounds = map.numbers<float>("range");
  if (bounds.size() == 2) return Range{bounds[0], bounds[1]};
  map.fail("'range' must be [low, high]");
  return std::nullopt;
}

std::vector<ValueRef> Parser::readValues(YamlMap &map, std::string_view key) {
  std::vector<ValueRef> values;
  for (const std::string &name : map.texts(key)) {
    auto found = values_.find(name);
    if (found == values_.end())
      map.fail(fmt::format("'{}' names {}, which is no input and no earlier layer", key, quoted(name)));
    else
      values.push_back(found->second);
  }
  return values;
}

Structure Parser::readStructure(const YAML::Node &node, std::string_view what) {
  YamlMap map(errors_, node, std::string(what));
  Structure structure;
  std::string name = map.text("scheme", true);
  if (std::optional<Scheme> scheme = parseScheme(name))
    structure.scheme = *scheme;
  else
    map.fail(fmt::format("{} is no scheme", quoted(name)));
  if (map.has("block")) {
    std::vector<uint32_t> block = map.numbers<uint32_t>("block");
    if (block.size() != 2) return map.fail("'block' must be [rows, columns]"), structure;
    structure.blockRows = block[0];
    structure.blockColumns = block[1];
  }
  structure.fill = map.number<double>("fill", 1.0);
  map.done();
  return structure;
}

std::vector<Structure> Parser::readStructures(YamlMap &map, std::string_view key) {
  std::vector<Structure> structures;
  for (const YAML::Node &node : map.list(key)) structures.push_back(readStructure(node, key));
  return structures;
}

Tensor Parser::readTensor(YamlMap &owner, std::string_view role) {
  Tensor tensor;
  const YAML::Node *node = owner.node(role);
  if (node == nullptr) return tensor;
  YamlMap map(errors_, *node, std::string(role));
  tensor.name = map.text("name", true);
  tensor.source = map.text("source");
  if (const YAML::Node *promise = map.node("promise")) tensor.promise = readStructure(*promise, "promise");
  tensor.shape = map.numbers<uint32_t>("shape");
  if (const YAML::Node *values = map.node("values", tensor.present()))
    tensor.values = errors_.take(constants_.floats(*values));
  if (const YAML::Node *mask = map.node("mask")) tensor.mask = errors_.take(constants_.bytes(*mask));
  map.done();
  return tensor;
}

Recurrence Parser::readRecurrence(const YAML::Node &node) {
  YamlMap map(errors_, node, "direction");
  Recurrence recurrence;
  recurrence.weightIh = readTensor(map, "weight_ih");
  recurrence.weightHh = readTensor(map, "weight_hh");
  recurrence.biasIh = readTensor(map, "bias_ih");
  recurrence.biasHh = readTensor(map, "bias_hh");
  recurrence.peephole = readTensor(map, "peephole");
  recurrence.weightHr = readTensor(map, "weight_hr");
  for (const YAML::Node &rows : map.list("constant_rows"))
    recurrence.constantRows.push_back(errors_.take(constants_.bytes(rows)));
  recurrence.structureIh = readStructures(map, "structure_ih");
  recurrence.structureHh = readStructures(map, "structure_hh");
  if (const YAML::Node *structure = map.node("structure_hr"))
    recurrence.structureHr = readStructure(*structure, "structure_hr");
  map.done();
  return recurrence;
}

std::vector<Recurrence> Parser::readDirections(YamlMap &map) {
  std::vector<Recurrence> directions;
  for (const YAML::Node &node : map.list("directions")) directions.push_back(readRecurrence(node));
  return directions;
}

void Parser::readLinear(YamlMap &map, Linear &linear) {
  linear.activation = static_cast<Activation>(readWord(map, "activation", kActivationNames));
  linear.weight = readTensor(map, "weight");
  linear.bias = readTensor(map, "bias");
  if (const YAML::Node *rows = map.node("constant_rows")) linear.constantRows = errors_.take(constants_.bytes(*rows));
  if (const YAML::Node *structure = map.node("structure")) linear.structure = readStructure(*structure, "structure");
}

void Parser::readLayer(const YAML::Node &node, Network &network) {
  YamlMap map(errors_, node, "layer");
  Layer layer;
  layer.name = map.text("name", true);
  map.node("op", true);
  size_t op = readWord(map, "op", kOpNames);
  layer.size = map.requiredNumber<uint32_t>("size");
  layer.inputs = readValues(map, "inputs");
  layer.direction = static_cast<Direction>(readWord(map, "direction", kDirectionNames));
  layer.range = readRange(map);
  layer.userSize = map.number<uint32_t>("user_size");
  for (const YAML::Node &units : map.list("kept_units"))
    layer.keptUnits.push_back(errors_.take(constants_.indices(units)));
  if (kOpNames[op] == "gru") {
    static constexpr std::string_view kResets[] = {"before", "after"};
    bool resetAfter = readWord(map, "reset", kResets) == 1;
    layer.op = Gru{resetAfter, readDirections(map)};
  } else if (kOpNames[op] == "lstm") {
    bool peepholes = map.flag("peepholes");
    uint32_t projection = map.number<uint32_t>("projection");
    layer.op = Lstm{peepholes, projection, readDirections(map)};
  } else if (kOpNames[op] == "rnn") {
    Activation activation = map.has("activation")
                                ? static_cast<Activation>(readWord(map, "activation", kActivationNames))
                                : Activation::Tanh;
    layer.op = Rnn{activation, readDirections(map)};
  } else {
    readLinear(map, layer.op.emplace<Linear>());
  }
  map.done();
  ValueRef self{ValueRef::Kind::Layer, static_cast<uint32_t>(network.layers.size())};
  if (!values_.emplace(layer.name, self).second) map.fail(fmt::format("the name {} is used twice", quoted(layer.name)));
  network.layers.push_back(std::move(layer));
}

void Parser::readInput(const YAML::Node &node, Network &network) {
  YamlMap map(errors_, node, "input");
  Input input;
  input.name = map.text("name", true);
  input.size = map.requiredNumber<uint32_t>("size");
  input.range = readRange(map);
  map.done();
  ValueRef self{ValueRef::Kind::Input, static_cast<uint32_t>(network.inputs.size())};
  if (!values_.emplace(input.name, self).second) map.fail(fmt::format("the name {} is used twice", quoted(input.name)));
  network.inputs.push_back(std::move(input));
}

void Parser::readNetwork(const YAML::Node &root, Network &network) {
  YamlMap map(errors_, root, "network");
  network.version = map.requiredNumber<uint32_t>("rtm_network");
  network.name = map.text("name", true);
  network.passes = map.texts("passes");
  for (const YAML::Node &node : map.list("inputs")) readInput(node, network);
  for (const YAML::Node &node : map.list("layers")) readLayer(node, network);
  network.outputs = readValues(map, "outputs");
  if (const YAML::Node *node = map.node("folded")) {
    YamlMap folded(errors_, *node, "folded");
    network.folded.constantGateRows = folded.number<uint64_t>("constant_gate_rows");
    network.folded.constantGates = folded.number<uint64_t>("constant_gates");
    network.folded.droppedUnits = folded.number<uint64_t>("dropped_units");
    network.folded.droppedWeights = folded.number<uint64_t>("dropped_weights");
    folded.done();
  }
  map.done();
}

}  // namespace

llvm::Expected<Network> parseNetwork(const std::string &yaml, const std::string &directory) {
  return Parser(directory).run(yaml);
}

}  // namespace rtmc::ir
