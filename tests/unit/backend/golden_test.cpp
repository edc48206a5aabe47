// The whole text that a small model becomes, so that a reviewer sees what a change of templates or layout does to it.
// --update-expected rewrites the files; random weights are kept out of them: values come from a formula.
#include "emitted_model.h"
#include "test_options.h"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

using namespace rtmc;
using namespace rtmc::testing;

namespace {

ir::Tensor tensor(const std::string &name, std::vector<uint32_t> shape, uint32_t keepOneIn) {
  ir::Tensor out;
  out.name = out.source = name;
  out.shape = shape;
  const size_t columns = shape.size() == 2 ? shape[1] : 1, count = shape[0] * columns;
  for (size_t i = 0; i < count; ++i) {
    const size_t row = i / columns, column = i % columns;
    const bool kept = (row / 8 + column) % keepOneIn == 0;
    out.values.push_back(kept ? static_cast<float>(static_cast<int>((row * 7 + column * 3) % 11) - 5) / 16 : 0.0f);
  }
  return out;
}

/// GRU 6 -> 16 with one kept column in three per eight rows, then 5 phones.
ir::Network smallGru() {
  ir::Network network;
  network.name = "small_gru";
  network.inputs.push_back({"features", 6, {}, {}});
  ir::Recurrence recurrence;
  recurrence.weightIh = tensor("gru0.weight_ih", {48, 6}, 3);
  recurrence.weightHh = tensor("gru0.weight_hh", {48, 16}, 3);
  recurrence.biasIh = tensor("gru0.bias_ih", {48}, 1);
  ir::Gru gru;
  gru.directions.push_back(recurrence);
  ir::Layer first;
  first.name = "gru0";
  first.size = 16;
  first.inputs = {{ir::ValueRef::Kind::Input, 0}};
  first.op = gru;
  ir::Linear linear;
  linear.weight = tensor("phones.weight", {5, 16}, 2);
  linear.bias = tensor("phones.bias", {5}, 1);
  linear.activation = ir::Activation::LogSoftmax;
  ir::Layer second;
  second.name = "phones";
  second.size = 5;
  second.inputs = {{ir::ValueRef::Kind::Layer, 0}};
  second.op = linear;
  network.layers = {first, second};
  network.outputs = {{ir::ValueRef::Kind::Layer, 1}};
  return network;
}

/// Kernels have tests of their own; here they would only repeat each change of theirs.
std::string withoutKernels(const std::string &text) {
  const size_t begin = text.find("// ---- kernels\n"), end = text.find("// ---- matrices\n");
  REQUIRE(begin != std::string::npos);
  REQUIRE(end != std::string::npos);
  return text.substr(0, begin) + "// ---- kernels (left out)\n\n" + text.substr(end);
}

void checkText(const std::string &name, const std::string &text) {
  const std::string path = std::string(RTMC_SOURCE_DIR) + "/tests/unit/backend/expected/" + name;
  if (test::updateExpected()) {
    std::ofstream(path, std::ios::binary) << text;
    return;
  }
  std::ifstream in(path, std::ios::binary);
  std::ostringstream expected;
  expected << in.rdbuf();
  CHECK_MESSAGE(expected.str() == text, path << " differs; --update-expected rewrites it");
}

}  // namespace

TEST_CASE("a small GRU, whole") {
  const ir::Network network = smallGru();
  REQUIRE(ir::verify(network).empty());
  BuildOptions options;
  options.triple = "x86_64-linux-gnu";
  options.cpu = "x86-64-v3";
  options.unroll = ir::Unroll::None;
  const backend::Emitted emitted = emitChecked(packedProgram(network, options));
  checkText("small_gru.cpp", withoutKernels(emitted.files[0].bytes));
  checkText("small_gru.h", emitted.files[1].bytes);
}
