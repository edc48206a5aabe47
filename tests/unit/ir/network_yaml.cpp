// The network IR's text: print -> parse -> print is the same, and what is malformed is an error, never a crash.
#include "ir/network_yaml.h"

#include "ir/constants.h"
#include "unit/ir/random_network.h"

#include <doctest/doctest.h>
#include <yaml-cpp/yaml.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

using namespace rtmc::ir;

namespace {

/// A folder of its own for this program's files, gone at the end.
struct Folder {
  std::string path = std::string(RTMC_BINARY_DIR) + "/test_network_yaml";
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  void write(const std::string &name, const std::string &bytes) const {
    std::ofstream(path + "/" + name, std::ios::binary) << bytes;
  }
};

Network parsed(const std::string &yaml, const std::string &folder) {
  auto network = parseNetwork(yaml, folder);
  if (!network) FAIL(llvm::toString(network.takeError()) << "\n" << yaml);
  return std::move(*network);
}

std::string errorOf(const std::string &yaml, const std::string &folder = "") {
  auto network = parseNetwork(yaml, folder);
  return network ? "" : llvm::toString(network.takeError());
}

/// Every optional field set to something, where `verify` allows it.
void annotate(Network &network, RandomNetwork &random) {
  network.passes = {"apply-masks", "fold-constants"};
  network.folded = {12, 3, 4, uint64_t{1} << 40};
  for (Input &input : network.inputs) input.range = Range{-0.1f, 3e-39f};
  Structure structure{Scheme::Bsp, 64, 256, 0.98765432101234567, {}};
  for (Layer &layer : network.layers) {
    layer.range = Range{-1, 1};
    if (random.coin()) {
      layer.userSize = layer.size;
      std::vector<uint32_t> units;
      for (uint32_t i = 0; i < layer.size; ++i) units.push_back(i);
      layer.keptUnits.assign(layer.direction == Direction::Both ? 2 : 1, units);
    }
    if (auto *linear = std::get_if<Linear>(&layer.op)) {
      linear->constantRows.assign(layer.size, 0);
      linear->structure = structure;
      linear->weight.source = "odd name: \"quoted\", #1 \x01 \xc3\xa9";
    }
    if (auto *cells = recurrences(layer))
      for (Recurrence &cell : *cells) {
        cell.constantRows.assign(gateCount(layer), std::vector<uint8_t>(layer.size, 0));
        cell.structureIh.assign(gateCount(layer), structure);
        cell.structureHh.assign(gateCount(layer), Structure{Scheme::Dense, 0, 0, 1, {}});
        cell.structureHr = Structure{Scheme::Row, 0, 0, 0.5, {}};
        cell.weightIh.promise = structure;
        cell.weightHh.source = "rnn.hh";
      }
  }
}

constexpr const char *kSmall = R"(rtm_network: 1
name: small
inputs:
  - {name: x, size: 2}
layers:
  - name: y
    op: linear
    size: 1
    inputs: [x]
    activation: relu
    weight:
      name: y.weight
      shape: [1, 2]
      values: [0.1, -0]
outputs: [y]
)";

std::string replaced(std::string text, const std::string &from, const std::string &to) {
  size_t place = text.find(from);
  REQUIRE(place != std::string::npos);
  return text.replace(place, from.size(), to);
}

}  // namespace

TEST_CASE("the text of a small network is what the document shows") {
  CHECK(print(parsed(kSmall, ""), "unused").yaml == kSmall);
}

TEST_CASE("print, parse, print: every field of random networks") {
  Folder folder;
  for (uint32_t seed = 1; seed <= 120; ++seed) {
    CAPTURE(seed);
    RandomNetwork random(seed);
    Network network = random.make(false, seed % 3 == 0 ? 40 : 5);
    if (seed % 2 == 0) annotate(network, random);
    REQUIRE(verify(network).empty());
    Printed first = print(network, "net.safetensors");
    folder.write("net.safetensors", first.constants);
    Network again = parsed(first.yaml, folder.path);
    Printed second = print(again, "net.safetensors");
    CHECK(first.yaml == second.yaml);
    CHECK(first.constants == second.constants);

    // The text alone could agree on a loss: compare what it stands for.
    CHECK(again.passes == network.passes);
    CHECK(again.folded.droppedWeights == network.folded.droppedWeights);
    REQUIRE(again.layers.size() == network.layers.size());
    for (size_t i = 0; i < network.layers.size(); ++i) {
      const Layer &a = network.layers[i], &b = again.layers[i];
      CHECK(a.keptUnits == b.keptUnits);
      CHECK(a.userSize == b.userSize);
      CHECK(a.inputs == b.inputs);
      CHECK(a.range.has_value() == b.range.has_value());
      REQUIRE(a.op.index() == b.op.index());
      if (const auto *cells = recurrences(a)) {
        const Recurrence &left = cells->front(), &right = recurrences(b)->front();
        CHECK(left.weightIh.values == right.weightIh.values);
        CHECK(left.weightHh.mask == right.weightHh.mask);
        CHECK(left.weightHh.source == right.weightHh.source);
        CHECK(left.constantRows == right.constantRows);
        CHECK(left.weightIh.promise.fill == right.weightIh.promise.fill);
        CHECK(left.structureIh.size() == right.structureIh.size());
        CHECK(left.structureHr.scheme == right.structureHr.scheme);
      } else {
        CHECK(std::get<Linear>(a.op).weight.source == std::get<Linear>(b.op).weight.source);
        CHECK(std::get<Linear>(a.op).constantRows == std::get<Linear>(b.op).constantRows);
        CHECK(std::get<Linear>(a.op).structure.blockColumns == std::get<Linear>(b.op).structure.blockColumns);
      }
    }
  }
}

TEST_CASE("large constants that are missing or changed are errors") {
  Folder folder;
  RandomNetwork random(3);
  Network network;
  do network = random.make(true, 40);
  while (print(network, "a.safetensors").constants.empty());
  Printed printed = print(network, "a.safetensors");
  CHECK(errorOf(printed.yaml, folder.path).find("a.safetensors") != std::string::npos);
  folder.write("a.safetensors", "not a safetensors file");
  CHECK_FALSE(errorOf(printed.yaml, folder.path).empty());
  std::string changed = printed.constants;
  changed.back() ^= 1;
  folder.write("a.safetensors", changed);
  CHECK(errorOf(printed.yaml, folder.path).find("hash") != std::string::npos);
  folder.write("a.safetensors", printed.constants);
  CHECK(errorOf(printed.yaml, folder.path).empty());
  std::string outside = printed.yaml;
  size_t place = outside.find("file: a.safetensors");
  outside.replace(place, 19, "file: ../a.safetensors");
  CHECK(errorOf(outside, folder.path).find("beside") != std::string::npos);
}

TEST_CASE("malformed text is an error that says where") {
  const std::string small = kSmall;
  struct Case {
    const char *from, *to, *message;
  };
  const Case cases[] = {
      {"rtm_network: 1", "rtm: 1", "'rtm_network' is missing"},
      {"rtm_network: 1", "rtm_network: 2", "version is 2"},
      {"rtm_network: 1", "rtm_network: one", "a number in range is needed"},
      {"name: small\n", "", "'name' is missing"},
      {"name: small\n", "name: small\nname: again\n", "stands twice"},
      {"name: small\n", "name: small\nnmae: x\n", "'nmae' is unknown"},
      {"name: small\n", "name: [small]\n", "'name' must be a name"},
      {"size: 2}", "size: -2}", "a number in range is needed"},
      {"size: 2}", "size: 4294967296}", "a number in range is needed"},
      {"size: 2}", "size: [2]}", "a list or map"},
      {"size: 2}", "size: 2, range: [0]}", "'range' must be [low, high]"},
      {"size: 2}", "size: 2, range: [1, 0]}", "range"},
      {"op: linear", "op: conv", "'op' is 'conv'"},
      {"    op: linear\n", "", "'op' is missing"},
      {"inputs: [x]", "inputs: [z]", "no input and no earlier layer"},
      {"inputs: [x]", "inputs: [y]", "no input and no earlier layer"},
      {"inputs: [x]", "inputs: x", "'inputs' must be a list"},
      {"activation: relu", "activation: gelu", "'activation' is 'gelu'"},
      {"activation: relu", "peepholes: true", "'peepholes' is unknown"},
      {"shape: [1, 2]", "shape: [2, 1]", "weight is [2, 1]; [1, 2] needed"},
      {"shape: [1, 2]", "shape: [4294967295, 4294967295]", "needed"},
      {"values: [0.1, -0]", "values: [0.1]", "weight has 1 values"},
      {"values: [0.1, -0]", "values: [0.1, hello]", "'hello' is no F32 value"},
      {"values: [0.1, -0]", "values: [0.1, .nan]", "weight[1] is nan"},
      {"values: [0.1, -0]", "values: [0.1, 1e99]", "no F32 value"},
      {"values: [0.1, -0]", "values: {file: a, tensor: b, hsah: c}", "no key 'hsah'"},
      {"values: [0.1, -0]", "values: 7", "a constant is a list"},
      {"      values: [0.1, -0]\n", "", "'values' is missing"},
      {"values: [0.1, -0]", "values: [0.1, -0]\n      mask: [1, 256]", "no U8 value"},
      {"values: [0.1, -0]", "values: [0.1, -0]\n      promise: {scheme: bsq}", "'bsq' is no scheme"},
      {"values: [0.1, -0]", "values: [0.1, -0]\n      promise: {scheme: bsp, block: [2]}", "'block' must be"},
      {"outputs: [y]", "outputs: [q]", "no input and no earlier layer"},
      {"outputs: [y]", "outputs: [[y]]", "list of names"},
      {"outputs: [y]\n", "", "there is no output"},
      {"outputs: [y]", "outputs: [y", "line"},
      {"- name: y", "- name: x", "used twice"},
  };
  for (const Case &test : cases) {
    CAPTURE(test.to);
    std::string error = errorOf(replaced(small, test.from, test.to));
    CAPTURE(error);
    CHECK(error.find(test.message) != std::string::npos);
  }
  CHECK(errorOf(replaced(small, "activation: relu", "activation: gelu")).starts_with("line 6:"));
  for (const char *garbage : {"", "~", "7", "[]", "[1, 2", "{{{{", "a: b: c", "- - - -", "&a [*a]", "\t",
                              "\xff\xfe\x00", "rtm_network: *x", "? [a]\n: b", "rtm_network: 1\n---\nrtm_network: 1"}) {
    CAPTURE(garbage);
    CHECK_FALSE(errorOf(garbage).empty());
  }
  CHECK_FALSE(errorOf(std::string(200000, '[')).empty());
}

TEST_CASE("cut or disturbed anywhere, the text is read or refused, never worse") {
  RandomNetwork random(5);
  Network network = random.make(false, 3);
  annotate(network, random);
  std::string text = print(network, "none").yaml;
  for (size_t i = 0; i < text.size(); i += 3) (void)errorOf(text.substr(0, i));
  const std::string marks = "[]{}:,-&*!|>'\"#%@`? \n0";
  size_t refused = 0;
  for (int i = 0; i < 1500; ++i) {
    std::string disturbed = text;
    for (uint32_t n = 0, count = 1 + random.below(3); n < count; ++n)
      disturbed[random.below(static_cast<uint32_t>(text.size()))] =
          marks[random.below(static_cast<uint32_t>(marks.size()))];
    refused += !errorOf(disturbed).empty();
  }
  CHECK(refused > 500);
}

TEST_CASE("numbers keep every bit") {
  RandomNetwork random(1);
  std::vector<float> values = {0.0f, -0.0f, 1e-45f, 3.4028235e38f, 0.1f, INFINITY, -INFINITY, 16777216.0f};
  for (int i = 0; i < 2000; ++i) {
    uint32_t bits = random.below(UINT32_MAX);
    float value;
    std::memcpy(&value, &bits, 4);
    if (value == value) values.push_back(value);
  }
  for (float value : values) {
    float back = 1;
    CAPTURE(yamlNumber(value));
    REQUIRE(parseNumber(yamlNumber(value), back));
    CHECK(std::memcmp(&value, &back, 4) == 0);
  }
  float back = 0;
  CHECK(yamlNumber(std::numeric_limits<float>::quiet_NaN()) == ".nan");
  CHECK(parseNumber(".nan", back));
  CHECK(back != back);
  for (const char *bad : {"", "-", "inf", "nan", "1 ", " 1", "1x", "0x10", "1e999", "--1", "+1"}) {
    CAPTURE(bad);
    CHECK_FALSE(parseNumber(bad, back));
  }
  uint8_t byte = 0;
  CHECK_FALSE(parseNumber("256", byte));
  CHECK_FALSE(parseNumber("-1", byte));
}

TEST_CASE("constants: short ones inline, long ones in the file, any name") {
  std::vector<uint32_t> shortOnes(kInlineValues, 7), longOnes(kInlineValues + 1, 4000000000u);
  std::vector<uint8_t> bytes(1000, 255);
  ConstantWriter writer("c.safetensors");
  std::string inlined = writer.indices("a", shortOnes), stored = writer.indices("a", longOnes);
  std::string second = writer.bytes("a", bytes);
  CHECK(inlined.starts_with("[7, 7"));
  CHECK(stored.find("tensor: a,") != std::string::npos);
  CHECK(second.find("tensor: \"a#2\"") != std::string::npos);
  Folder folder;
  folder.write("c.safetensors", writer.finish());
  ConstantReader reader(folder.path);
  CHECK(llvm::cantFail(reader.indices(YAML::Load(inlined))) == shortOnes);
  CHECK(llvm::cantFail(reader.indices(YAML::Load(stored))) == longOnes);
  CHECK(llvm::cantFail(reader.bytes(YAML::Load(second))) == bytes);
  auto wrongType = reader.floats(YAML::Load(stored));
  REQUIRE_FALSE(wrongType);
  CHECK(llvm::toString(wrongType.takeError()).find("is U32; F32 is needed") != std::string::npos);
  CHECK(ConstantWriter("none").finish().empty());
  for (const std::string &name : {std::string("plain.name_1"), std::string("true"), std::string(), std::string("a: b"),
                                  std::string("\"\\\n\t\x01"), std::string("\xc3\xa9\xff"), std::string("nul\0x", 5)}) {
    std::string text = yamlString(name), back = YAML::Load("[" + text + "]")[0].Scalar();
    CHECK(yamlString(back) == text);
  }
}
