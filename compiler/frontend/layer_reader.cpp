// The keys of one layer: op, size, what belongs to the op, tensors, promises.
#include "frontend/model_reader.h"
#include "frontend/roles.h"
#include "support/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace rtmc::frontend {
namespace {

using Choices = std::span<const std::string_view>;

constexpr auto kOps = std::to_array<std::string_view>({"gru", "lstm", "rnn", "linear"});
constexpr auto kResets = std::to_array<std::string_view>({"before", "after"});
constexpr auto kDirections = std::to_array<std::string_view>({"forward", "backward", "both"});
constexpr auto kRnnActivations = std::to_array<std::string_view>({"tanh", "relu"});
constexpr auto kLinearActivations =
    std::to_array<std::string_view>({"none", "relu", "sigmoid", "tanh", "softmax", "log_softmax"});
constexpr auto kSchemes =
    std::to_array<std::string_view>({"auto", "dense", "bsp", "bcr", "csb", "block", "row", "column", "unstructured"});

class LayerReader {
 public:
  LayerReader(MapReader &map, ir::Layer &layer, LayerSpec &spec, Diagnostics &diagnostics)
      : map_(map), layer_(layer), spec_(spec), diagnostics_(diagnostics) {}

  bool read() {
    const YamlNode *op = map_.require("op", "an op is one of " + orList(kOps));
    const auto choice = op ? readChoice(*op, "op", kOps, diagnostics_) : std::nullopt;
    const YamlNode *size = map_.require("size");
    if (size) {
      spec_.sizeWhere = size->where;
      layer_.size = readSize(*size, "size", kMaxSize, diagnostics_).value_or(0);
    }
    if (!choice) return false;  // which keys are right is unknown, so that none is called wrong
    spec_.op = kOps[*choice];
    if (!layer_.name.empty()) map_.rename(fmt::format("{} layer {}", spec_.op, quoted(layer_.name)));
    bool good = layer_.size != 0;
    if (spec_.op == "gru") readGru();
    if (spec_.op == "lstm") good &= readLstm();
    if (spec_.op == "rnn") readRnn();
    if (spec_.op == "linear") readLinear();
    readTensors();
    readSparsity();
    return good;
  }

 private:
  void readGru() {
    ir::Gru gru;
    if (const YamlNode *reset = map_.require("reset",
                                             "'after' applies the reset gate to the product (PyTorch, ONNX with "
                                             "linear_before_reset=1), 'before' to the state"))
      gru.resetAfter = readChoice(*reset, "reset", kResets, diagnostics_) == 1;
    layer_.op = std::move(gru);
    readDirection();
    readGateOrder("rzn", {{'h', 'n'}, {'c', 'n'}});
  }

  bool readLstm() {
    ir::Lstm lstm;
    bool good = true;
    if (const YamlNode *peepholes = map_.get("peepholes"))
      lstm.peepholes = readBool(*peepholes, "peepholes", diagnostics_).value_or(false);
    if (const YamlNode *projection = map_.get("projection")) {
      spec_.projectionWhere = projection->where;
      lstm.projection = readSize(*projection, "projection", kMaxSize, diagnostics_).value_or(0);
      good = lstm.projection != 0;
    }
    layer_.op = std::move(lstm);
    readDirection();
    readGateOrder("ifgo", {{'c', 'g'}});
    return good;
  }

  void readRnn() {
    ir::Rnn rnn;
    if (const YamlNode *activation = map_.get("activation"))
      if (readChoice(*activation, "activation", kRnnActivations, diagnostics_) == 1)
        rnn.activation = ir::Activation::Relu;
    layer_.op = std::move(rnn);
    readDirection();
  }

  void readLinear() {
    ir::Linear linear;
    if (const YamlNode *activation = map_.get("activation"))
      linear.activation = static_cast<ir::Activation>(
          readChoice(*activation, "activation", kLinearActivations, diagnostics_).value_or(0));
    static_assert(static_cast<size_t>(ir::Activation::LogSoftmax) + 1 == kLinearActivations.size());
    layer_.op = std::move(linear);
  }

  void readDirection() {
    if (const YamlNode *direction = map_.get("direction"))
      layer_.direction =
          static_cast<ir::Direction>(readChoice(*direction, "direction", kDirections, diagnostics_).value_or(0));
  }

  /// `others`: letters that other frameworks use for a gate, and ours.
  void readGateOrder(std::string_view canonical, const std::vector<std::pair<char, char>> &others) {
    const YamlNode *node = map_.get("gate_order");
    if (!node) return;
    const auto text = readText(*node, "gate_order", diagnostics_);
    if (!text) return;
    std::vector<uint32_t> order;
    for (char letter : *text) {
      for (const auto &[theirs, ours] : others)
        if (letter == theirs) letter = ours;
      const size_t gate = canonical.find(letter);
      if (gate == std::string_view::npos || std::find(order.begin(), order.end(), gate) != order.end()) break;
      order.push_back(static_cast<uint32_t>(gate));
    }
    if (order.size() != canonical.size() || text->size() != canonical.size()) {
      diagnostics_.error(
          "gate-order", node->where,
          fmt::format("'gate_order' is {}; the letters {} in some order are needed", quoted(*text), quoted(canonical)));
      return;
    }
    spec_.gateOrder = std::move(order);
  }

  std::vector<Role> roles() {
    ir::Layer copy = layer_;
    return rolesOf(copy, 1);
  }

  void unknownTensor(const YamlNode &key, const std::vector<std::string> &known) {
    Diagnostic &d = diagnostics_.error(
        "unknown-tensor", key.where,
        fmt::format("{} layer {} has no tensor {}", spec_.op, quoted(layer_.name), quoted(key.text)));
    const std::string nearest = nearestName(key.text, known);
    d.notes.push_back({key.where, nearest.empty() ? fmt::format("its tensors are {}", fmt::join(known, ", "))
                                                  : fmt::format("did you mean {}?", quoted(nearest))});
  }

  void readTensors() {
    const YamlNode *node = map_.get("tensors");
    if (!node) return;
    if (!node->isMap()) {
      diagnostics_.error(
          "value-type", node->where,
          fmt::format("'tensors' is {}; a map of tensors to their names is needed", node->description()));
      return;
    }
    const std::vector<Role> all = roles();
    std::vector<std::string> known;
    known.reserve(2 * all.size());
    for (const Role &role : all) known.push_back(role.name);
    for (const Role &role : all) known.push_back(role.name + "_mask");
    for (const auto &[key, value] : node->members) {
      const auto found = std::find(known.begin(), known.end(), key.text);
      if (found == known.end()) {
        unknownTensor(key, known);
        continue;
      }
      const Role &role = all[static_cast<size_t>(found - known.begin()) % all.size()];
      TensorNames names;
      names.where = key.where;
      names.list = value.isSequence();
      for (const YamlNode *text : readTexts(value, key.text, diagnostics_)) names.sources.push_back(text->text);
      if (names.list && !names.sources.empty() && names.sources.size() != role.pieces) {
        diagnostics_.error("weight-shape", value.where,
                           fmt::format("{} lists {} tensors; {} are needed, one per gate", quoted(key.text),
                                       names.sources.size(), role.pieces));
        names.sources.clear();
      }
      spec_.tensors[key.text] = std::move(names);
    }
  }

  void readSparsity() {
    const YamlNode *node = map_.get("sparsity");
    if (!node) return;
    std::vector<std::string> matrices;
    for (const Role &role : roles())
      if (role.matrix) matrices.push_back(role.name);
    MapReader map(*node, "'sparsity'", diagnostics_);
    if (map.get("scheme") || map.get("block")) readPromise(map, "");
    for (const std::string &matrix : matrices) {
      const YamlNode *own = map.get(matrix);
      if (!own) continue;
      MapReader reader(*own, "the promise of " + quoted(matrix), diagnostics_);
      readPromise(reader, matrix);
      reader.finish();
    }
    map.finish();
  }

  void readPromise(MapReader &map, const std::string &tensor) {
    ir::Structure promise;
    promise.where = map.where();
    const YamlNode *scheme = map.require("scheme");
    const YamlNode *block = map.get("block");
    const auto choice = scheme ? readChoice(*scheme, "scheme", kSchemes, diagnostics_) : std::nullopt;
    if (!choice) return;
    promise.where = scheme->where;
    promise.scheme = *ir::parseScheme(kSchemes[*choice]);
    const bool blocked = promise.scheme == ir::Scheme::Bsp || promise.scheme == ir::Scheme::Bcr ||
                         promise.scheme == ir::Scheme::Csb || promise.scheme == ir::Scheme::Block;
    if (blocked != (block != nullptr)) {
      const Location where = block ? map.keyWhere("block") : scheme->where;
      diagnostics_.error("block-shape", where,
                         fmt::format("the scheme {} {}", quoted(kSchemes[*choice]),
                                     blocked ? "needs 'block: [rows, columns]'" : "has no blocks"));
      return;
    }
    if (block && !readBlock(*block, promise)) return;
    spec_.promises[tensor] = promise;
  }

  bool readBlock(const YamlNode &block, ir::Structure &promise) {
    if (!block.isSequence() || block.items.size() != 2) {
      diagnostics_.error(
          "block-shape", block.where,
          fmt::format("'block' is {}; [rows, columns] is needed",
                      block.isSequence() ? fmt::format("a list of {}", block.items.size()) : block.description()));
      return false;
    }
    const auto rows = readSize(block.items[0], "block", kMaxSize, diagnostics_);
    const auto columns = readSize(block.items[1], "block", kMaxSize, diagnostics_);
    promise.blockRows = rows.value_or(0);
    promise.blockColumns = columns.value_or(0);
    return rows && columns;
  }

  MapReader &map_;
  ir::Layer &layer_;
  LayerSpec &spec_;
  Diagnostics &diagnostics_;
};

}  // namespace

bool readLayerBody(MapReader &map, ir::Layer &layer, LayerSpec &spec, Diagnostics &diagnostics) {
  return LayerReader(map, layer, spec, diagnostics).read();
}

}  // namespace rtmc::frontend
