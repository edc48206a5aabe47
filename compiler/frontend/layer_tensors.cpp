#include "frontend/layer_tensors.h"

#include "frontend/tensor_lookup.h"
#include "support/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

namespace rtmc::frontend {
namespace {

/// The place of a row-major index: "[3, 5]".
std::string indexText(size_t index, const std::vector<uint64_t> &shape) {
  if (shape.size() < 2) return fmt::format("[{}]", index);
  return fmt::format("[{}, {}]", index / shape[1], index % shape[1]);
}

class LayerLoader {
 public:
  LayerLoader(const ir::Network &network, ir::Layer &layer, const LayerSpec &spec,
              const std::vector<WeightFileName> &files, WeightStore &store, Diagnostics &diagnostics,
              const TensorSink &sink)
      : layer_(layer),
        spec_(spec),
        store_(store),
        diagnostics_(diagnostics),
        sink_(sink),
        look_(network, layer, spec, files, store, diagnostics) {}

  void load() {
    for (const Role &role : rolesOf(layer_, look_.inputSize())) loadRole(role);
    if (!missingBiases_.empty())
      diagnostics_.note(
          "missing-bias", layer_.where,
          fmt::format("{} {} not in the weight files and count{} as zero", fmt::join(missingBiases_, " and "),
                      missingBiases_.size() > 1 ? "are" : "is", missingBiases_.size() > 1 ? "" : "s"));
  }

 private:
  void loadRole(const Role &role) {
    bool renamed = false, maskRenamed = false;
    TensorNames names = look_.namesOf(role, "", &renamed);
    const TensorNames maskNames = look_.namesOf(role, "_mask", &maskRenamed);
    if (names.sources.empty() || maskNames.sources.empty()) return;  // reported when the model was read
    // PyTorch's pruned modules save <name>_orig and <name>_mask.
    std::vector<bool> original(names.sources.size());
    bool found = true;
    for (size_t i = 0; i < names.sources.size(); ++i) {
      const std::string &source = names.sources[i];
      if (store_.has(source)) continue;
      original[i] = store_.has(source + "_orig");
      if (original[i]) continue;
      found = false;
      if (renamed || !role.optional) look_.missing(whatOf(role, false), source, names.where);
    }
    if (!found) {
      if (role.optional && !renamed) missingBiases_.push_back("bias " + quoted(names.sources[0]));
      return;
    }
    ir::Tensor tensor;
    std::vector<uint8_t> mask;
    Dtype dtype = Dtype::F32;
    if (!loadValues(role, names, original, tensor, dtype)) return;
    const bool maskLoaded =
        maskRenamed ? loadMask(role, maskNames, mask) : loadMasksBeside(role, names, original, tensor, mask);
    if (!maskLoaded || !checkFinite(role, names, original, tensor, mask)) return;
    tensor.mask = std::move(mask);
    if (role.gateOrdered && !spec_.gateOrder.empty()) {
      reorder(tensor.values, role.pieces);
      reorder(tensor.mask, role.pieces);
    }
    tensor.name = layer_.name + "." + role.name;
    tensor.source = fmt::format("{}", fmt::join(names.sources, ", "));
    tensor.shape = role.shape;
    tensor.where = names.where;
    if (role.matrix) tensor.promise = promiseOf(role);
    sink_(layer_, role, std::move(tensor), dtype);
  }

  /// Values in the file's gate order, pieces one after the other.
  bool loadValues(const Role &role, const TensorNames &names, const std::vector<bool> &original, ir::Tensor &tensor,
                  Dtype &dtype) {
    bool good = true;
    for (size_t i = 0; i < names.sources.size(); ++i) {
      const std::string source = names.sources[i] + (original[i] ? "_orig" : "");
      TensorInfo info;
      const WeightStore::Entry *entry = look_.lookUp(role, source, names, false, info);
      good &= entry != nullptr;
      if (!good) continue;  // the other pieces are still looked at
      auto bytes = entry->file->read(entry->index);
      if (!bytes) {
        look_.damaged(*entry, names.where, bytes.takeError());
        return false;
      }
      std::vector<float> values = toFloats(info, bytes->bytes);
      if (entry->mapped) entry->mapped->drop(bytes->bytes);
      dtype = i == 0 || dtype == info.dtype ? info.dtype : Dtype::F32;
      if (tensor.values.empty())
        tensor.values = std::move(values);
      else
        tensor.values.insert(tensor.values.end(), values.begin(), values.end());
    }
    return good;
  }

  bool appendMask(const Role &role, const TensorNames &names, const std::string &source, std::vector<uint8_t> &mask) {
    TensorInfo info;
    const WeightStore::Entry *entry = look_.lookUp(role, source, names, true, info);
    if (!entry) return false;
    auto bytes = entry->file->read(entry->index);
    if (!bytes) {
      look_.damaged(*entry, names.where, bytes.takeError());
      return false;
    }
    std::optional<size_t> nan;
    const std::vector<uint8_t> piece = toMask(info, bytes->bytes, &nan);
    if (entry->mapped) entry->mapped->drop(bytes->bytes);
    if (nan) {
      diagnostics_.error("weight-not-finite", names.where,
                         fmt::format("mask {} is NaN at {}", quoted(source), indexText(*nan, info.shape)));
      return false;
    }
    mask.insert(mask.end(), piece.begin(), piece.end());
    return true;
  }

  /// The mask that `tensors:` names.
  bool loadMask(const Role &role, const TensorNames &names, std::vector<uint8_t> &mask) {
    bool good = true;
    for (const std::string &source : names.sources) {
      if (!store_.has(source)) {
        look_.missing("mask", source, names.where);
        good = false;
      } else {
        good &= appendMask(role, names, source, mask);
      }
    }
    return good;
  }

  /// The masks beside the tensors, by their names. Where only some pieces have one, the others' zeros are theirs.
  bool loadMasksBeside(const Role &role, const TensorNames &names, const std::vector<bool> &original,
                       const ir::Tensor &tensor, std::vector<uint8_t> &mask) {
    bool any = false, good = true;
    for (size_t i = 0; i < names.sources.size(); ++i) {
      const std::string source = names.sources[i] + "_mask";
      any |= store_.has(source);
      if (!store_.has(source) && original[i]) {
        look_.missing("mask", source, names.where, fmt::format("; {} needs it", quoted(names.sources[i] + "_orig")));
        good = false;
      }
    }
    if (!any || !good) return good;
    const size_t piece = tensor.values.size() / names.sources.size();
    for (size_t i = 0; i < names.sources.size(); ++i) {
      const std::string source = names.sources[i] + "_mask";
      if (store_.has(source)) {
        if (!appendMask(role, names, source, mask)) return false;
        continue;
      }
      for (size_t j = i * piece; j < (i + 1) * piece; ++j) mask.push_back(tensor.values[j] != 0);
    }
    return true;
  }

  bool checkFinite(const Role &role, const TensorNames &names, const std::vector<bool> &original, ir::Tensor &tensor,
                   const std::vector<uint8_t> &mask) {
    size_t first = 0, count = 0;
    for (size_t i = 0; i < tensor.values.size(); ++i) {
      if (std::isfinite(tensor.values[i])) continue;
      if (!mask.empty() && mask[i] == 0) {
        tensor.values[i] = 0;
        continue;
      }
      if (count++ == 0) first = i;
    }
    if (count == 0) return true;
    const size_t piece = tensor.values.size() / names.sources.size();
    const std::string source = names.sources[first / piece] + (original[first / piece] ? "_orig" : "");
    const float value = tensor.values[first];
    Diagnostic &d = diagnostics_.error("weight-not-finite", names.where,
                                       fmt::format("{} {} is {} at {}", whatOf(role, false), quoted(source),
                                                   std::isnan(value) ? "NaN"
                                                   : value > 0       ? "infinite"
                                                                     : "-infinite",
                                                   indexText(first % piece, pieceShape(role, names))));
    if (count > 1) d.notes.push_back({names.where, fmt::format("{} of its values are not finite", count)});
    return false;
  }

  /// From the file's gate order to the canonical one.
  template <typename T>
  void reorder(std::vector<T> &values, uint32_t pieces) const {
    if (values.empty()) return;
    const size_t piece = values.size() / pieces;
    std::vector<T> out(values.size());
    for (uint32_t place = 0; place < pieces; ++place)
      std::copy_n(values.begin() + static_cast<ptrdiff_t>(place * piece), piece,
                  out.begin() + static_cast<ptrdiff_t>(spec_.gateOrder[place] * piece));
    values = std::move(out);
  }

  ir::Structure promiseOf(const Role &role) const {
    for (const std::string &key : {role.name, std::string(role.base), std::string()})
      if (const auto found = spec_.promises.find(key); found != spec_.promises.end()) return found->second;
    return {};
  }

  ir::Layer &layer_;
  const LayerSpec &spec_;
  WeightStore &store_;
  Diagnostics &diagnostics_;
  const TensorSink &sink_;
  TensorLookup look_;
  std::vector<std::string> missingBiases_;
};

}  // namespace

void loadTensors(ModelSpec &spec, WeightStore &store, Diagnostics &diagnostics, const TensorSink &sink) {
  constexpr size_t kEnough = 200;  // messages after which the next layer's mistakes would not be shown anyway
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    if (diagnostics.hasErrors() && diagnostics.all().size() > kEnough) return;
    if (spec.layers[i].complete)
      LayerLoader(spec.network, spec.network.layers[i], spec.layers[i], spec.weights, store, diagnostics, sink).load();
  }
  if (diagnostics.hasErrors()) return;
  // A tensor under a layer's name that nobody reads is most often a key that was forgotten (`peepholes: true`).
  std::unordered_map<std::string_view, const ir::Layer *> layers;
  for (const ir::Layer &layer : spec.network.layers) layers.emplace(layer.name, &layer);
  for (const std::string &name : store.names()) {
    const auto layer = layers.find(std::string_view(name).substr(0, name.find('.')));
    if (store.used(name) || layer == layers.end() || name == layer->first) continue;
    diagnostics.warning("unused-tensor", layer->second->where,
                        fmt::format("tensor {} of the weight files is not read by this layer", quoted(name)));
  }
}

}  // namespace rtmc::frontend
