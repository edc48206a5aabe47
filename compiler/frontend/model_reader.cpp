// The model as a whole: names, references between layers, inputs and outputs.
#include "frontend/model_reader.h"

#include "support/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <unordered_map>
#include <utility>

namespace rtmc::frontend {
namespace {

constexpr size_t kMaxNameBytes = 128;
constexpr size_t kSuggestions = 50;  // each looks at all names; a hostile file has very many of both

std::string lowerCase(std::string text) {
  for (char &c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

class ModelReader {
 public:
  ModelReader(const YamlNode &root, Diagnostics &diagnostics) : root_(root), diagnostics_(diagnostics) {}

  std::optional<ModelSpec> read() {
    MapReader map(root_, "the model", diagnostics_);
    if (!map.isMap() || !readVersion(map)) return std::nullopt;
    spec_.network.where = root_.where;
    if (const YamlNode *name = map.require("name")) readModelName(*name);
    if (const YamlNode *weights = map.require("weights"))
      for (const YamlNode *file : readTexts(*weights, "weights", diagnostics_))
        spec_.weights.push_back({file->text, file->where});
    const std::vector<YamlNode> *inputs = readList(map, "inputs"), *layers = readList(map, "layers");
    if (layers) noteLayerNames(*layers);
    if (inputs)
      for (const YamlNode &input : *inputs) readInput(input);
    if (layers)
      for (const YamlNode &layer : *layers) readLayer(layer);
    if (const YamlNode *outputs = map.require("outputs")) readOutputs(*outputs);
    map.finish();
    return std::move(spec_);
  }

 private:
  bool readVersion(MapReader &map) {
    const YamlNode *version = map.require("rtm", "the first line of a model file is 'rtm: 1'");
    if (!version) return false;
    if (version->isScalar() && !version->quoted && version->text == "1") return true;
    diagnostics_.error("version", version->where,
                       fmt::format("the model has version {}; this rtmc reads version 1", version->description()));
    return false;
  }

  /// The items of a list with at least one; null after an error.
  const std::vector<YamlNode> *readList(MapReader &map, std::string_view key) {
    const YamlNode *node = map.require(key);
    if (!node) return nullptr;
    if (node->isSequence() && !node->items.empty()) return &node->items;
    if (node->isSequence() || node->kind == YamlNode::Kind::Null)
      diagnostics_.error("model-empty", node->where,
                         fmt::format("{} has no entry; at least one is needed", quoted(key)));
    else
      diagnostics_.error("value-type", node->where,
                         fmt::format("{} is {}; a list is needed", quoted(key), node->description()));
    return nullptr;
  }

  /// A name that generated code can use; "" after an error.
  std::string checkedName(const YamlNode &node) {
    const auto text = readText(node, "name", diagnostics_);
    if (!text) return {};
    std::string complaint;
    if (!isIdentifier(*text))
      complaint = "is not a C identifier; letters, digits and '_' are, and no digit first";
    else if (isReservedWord(*text))
      complaint = "is a keyword of C or C++";
    else if ((*text)[0] == '_' || text->find("__") != std::string::npos)
      complaint = "is reserved in C and C++: a '_' at its start or two in a row";
    else if (*text == "rtm" || *text == "rtmc" || text->starts_with("rtm_"))
      complaint = "clashes with the names of the runtime, which start with 'rtm'";
    else if (text->size() > kMaxNameBytes)
      complaint = fmt::format("has {} letters; at most {} are allowed", text->size(), kMaxNameBytes);
    if (complaint.empty()) return *text;
    diagnostics_.error("name-invalid", node.where, fmt::format("the name {} {}", quoted(*text), complaint));
    return {};
  }

  void readModelName(const YamlNode &node) { spec_.network.name = checkedName(node); }

  /// Also makes `ref` known by the name. "" where it is wrong or taken.
  std::string newName(const YamlNode &node, ir::ValueRef ref) {
    std::string name = checkedName(node);
    if (name.empty()) {
      if (node.isScalar()) values_.emplace(node.text, ref);  // so that its readers are not called wrong too
      return name;
    }
    const auto [first, added] = taken_.emplace(lowerCase(name), &node);
    if (added) {
      values_.emplace(name, ref);
      return name;
    }
    const bool same = first->second->text == name;
    diagnostics_
        .error("duplicate-name", node.where,
               same ? fmt::format("the name {} is used twice", quoted(name))
                    : fmt::format("the names {} and {} differ only in case, which generated names do not keep apart",
                                  quoted(first->second->text), quoted(name)))
        .notes.push_back({first->second->where, "used here first"});
    return {};
  }

  void readInput(const YamlNode &node) {
    ir::Input input;
    input.where = node.where;
    const auto index = static_cast<uint32_t>(spec_.network.inputs.size());
    MapReader map(node, "an input", diagnostics_);
    if (const YamlNode *name = map.require("name")) {
      input.where = name->where;
      input.name = newName(*name, {ir::ValueRef::Kind::Input, index});
      if (!input.name.empty()) map.rename("input " + quoted(input.name));
    }
    if (const YamlNode *size = map.require("size"))
      input.size = readSize(*size, "size", kMaxSize, diagnostics_).value_or(0);
    if (const YamlNode *range = map.get("range")) input.range = readRange(*range, diagnostics_);
    map.finish();
    spec_.network.inputs.push_back(std::move(input));
  }

  void noteLayerNames(const std::vector<YamlNode> &layers) {
    for (const YamlNode &layer : layers)
      for (const auto &[key, value] : layer.members)
        if (key.text == "name" && value.isScalar()) layerNames_.emplace(value.text, &value);
  }

  void readLayer(const YamlNode &node) {
    ir::Layer layer;
    LayerSpec extra;
    layer.where = node.where;
    layer.op = ir::Linear();
    const auto index = static_cast<uint32_t>(spec_.network.layers.size());
    MapReader map(node, "a layer", diagnostics_);
    const YamlNode *name = map.require("name");
    if (name) {
      layer.where = name->where;
      if (name->isScalar()) layer.name = name->text;
      if (!layer.name.empty()) map.rename("layer " + quoted(layer.name));
    }
    const bool body = map.isMap() && readLayerBody(map, layer, extra, diagnostics_);
    sizeKnown_.push_back(body);
    bool inputs = true;
    if (const YamlNode *input = map.get("input"))
      inputs = readReferences(*input, "input", layer.inputs);
    else
      defaultInput(layer, index);
    if (const YamlNode *range = map.get("range")) layer.range = readRange(*range, diagnostics_);
    if (!extra.op.empty()) map.finish();
    // Last, so that a layer that reads itself is found.
    if (name) layer.name = newName(*name, {ir::ValueRef::Kind::Layer, index});
    extra.complete = body && inputs && !layer.name.empty() && vectorFits(layer.inputs, layer.where, "the layer reads");
    spec_.network.layers.push_back(std::move(layer));
    spec_.layers.push_back(std::move(extra));
  }

  void defaultInput(ir::Layer &layer, uint32_t index) {
    if (index > 0) {
      layer.inputs = {{ir::ValueRef::Kind::Layer, index - 1}};
      return;
    }
    for (uint32_t i = 0; i < spec_.network.inputs.size(); ++i) layer.inputs.push_back({ir::ValueRef::Kind::Input, i});
  }

  bool readReferences(const YamlNode &node, std::string_view key, std::vector<ir::ValueRef> &out) {
    const std::vector<const YamlNode *> texts = readTexts(node, key, diagnostics_);
    const size_t wanted = node.isSequence() ? node.items.size() : 1;
    for (const YamlNode *text : texts) {
      const auto found = values_.find(text->text);
      if (found != values_.end())
        out.push_back(found->second);
      else
        unknownReference(*text);
    }
    return out.size() == wanted && wanted != 0;
  }

  void unknownReference(const YamlNode &text) {
    const auto later = layerNames_.find(text.text);
    if (later != layerNames_.end()) {
      diagnostics_
          .error(
              "layer-order", text.where,
              fmt::format("{} is not computed yet; a layer reads inputs and the layers before it", quoted(text.text)))
          .notes.push_back({later->second->where, "it is this layer"});
      return;
    }
    Diagnostic &d = diagnostics_.error("unknown-name", text.where,
                                       fmt::format("no input or layer has the name {}", quoted(text.text)));
    if (++unknownReferences_ > kSuggestions) return;
    std::vector<std::string> names;
    names.reserve(values_.size());
    for (const auto &value : values_) names.push_back(value.first);
    std::sort(names.begin(), names.end());
    const std::string nearest = nearestName(text.text, names);
    if (!nearest.empty()) d.notes.push_back({text.where, fmt::format("did you mean {}?", quoted(nearest))});
  }

  /// True where all sizes are known and their sum is not too large.
  bool vectorFits(const std::vector<ir::ValueRef> &refs, const Location &where, std::string_view what) {
    uint64_t total = 0;
    for (const ir::ValueRef ref : refs) {
      const bool input = ref.kind == ir::ValueRef::Kind::Input;
      if (input ? spec_.network.inputs[ref.index].size == 0 : !sizeKnown_[ref.index]) return false;
      total += ir::sizeOf(spec_.network, ref);
    }
    if (total <= kMaxVector) return total != 0;
    diagnostics_.error("size-invalid", where,
                       fmt::format("{} {} values; at most {} are supported", what, total, kMaxVector));
    return false;
  }

  void readOutputs(const YamlNode &node) {
    if (node.kind == YamlNode::Kind::Null || (node.isSequence() && node.items.empty())) {
      diagnostics_.error("model-empty", node.where, "'outputs' has no entry; at least one is needed");
      return;
    }
    if (readReferences(node, "outputs", spec_.network.outputs))
      vectorFits(spec_.network.outputs, node.where, "the outputs have");
    std::vector<ir::ValueRef> all(spec_.network.inputs.size());
    for (uint32_t i = 0; i < all.size(); ++i) all[i] = {ir::ValueRef::Kind::Input, i};
    if (!all.empty()) vectorFits(all, spec_.network.inputs[0].where, "the inputs have");
  }

  const YamlNode &root_;
  Diagnostics &diagnostics_;
  ModelSpec spec_;
  size_t unknownReferences_ = 0;
  std::vector<bool> sizeKnown_;                                   // per layer
  std::unordered_map<std::string, ir::ValueRef> values_;          // that can be read by now
  std::unordered_map<std::string, const YamlNode *> taken_;       // lower-case names
  std::unordered_map<std::string, const YamlNode *> layerNames_;  // of all layers, also later ones
};

}  // namespace

std::optional<ModelSpec> readModel(const std::shared_ptr<const SourceFile> &file, Diagnostics &diagnostics) {
  const std::optional<YamlNode> root = parseYaml(file, diagnostics);
  if (!root) return std::nullopt;
  return ModelReader(*root, diagnostics).read();
}

}  // namespace rtmc::frontend
