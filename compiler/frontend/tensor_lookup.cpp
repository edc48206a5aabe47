#include "frontend/tensor_lookup.h"

#include "support/names.h"

#include <fmt/format.h>

#include <utility>

namespace rtmc::frontend {
namespace {

constexpr std::string_view kWeightDtypes = "F32, F16, BF16 or F64 (in .npz '<f4', '<f2' or '<f8')";

std::string shapeText(const std::vector<uint64_t> &shape) {
  if (shape.size() > 32) return fmt::format("an array of {} dimensions", shape.size());
  return shape.empty() ? "a single number" : fmt::format("{}", fmt::join(shape, "x"));
}

std::string opText(std::string_view op) {
  if (op == "gru") return "a GRU";
  if (op == "lstm") return "an LSTM";
  return op == "rnn" ? "an RNN" : "a linear layer";
}

}  // namespace

TensorLookup::TensorLookup(const ir::Network &network, const ir::Layer &layer, const LayerSpec &spec,
                           const std::vector<WeightFileName> &files, WeightStore &store, Diagnostics &diagnostics)
    : layer_(layer),
      spec_(spec),
      files_(files),
      store_(store),
      diagnostics_(diagnostics),
      inputSize_(ir::inputSizeOf(network, layer)) {}

TensorNames TensorLookup::namesOf(const Role &role, std::string_view suffix, bool *renamed) const {
  const auto own = spec_.tensors.find(role.name + std::string(suffix));
  *renamed = true;
  if (own != spec_.tensors.end()) return own->second;
  const auto forward = spec_.tensors.find(std::string(role.base) + std::string(suffix));
  if (role.reverse && forward != spec_.tensors.end()) {
    TensorNames names = forward->second;
    for (std::string &source : names.sources) source += "_reverse";
    return names;
  }
  *renamed = false;
  return {{layer_.name + "." + role.name + std::string(suffix)}, false, layer_.where};
}

std::vector<uint64_t> pieceShape(const Role &role, const TensorNames &names) {
  std::vector<uint64_t> shape(role.shape.begin(), role.shape.end());
  if (names.list) shape[0] /= role.pieces;
  return shape;
}

std::string_view whatOf(const Role &role, bool mask) {
  return mask ? "mask" : role.optional ? "bias" : "weight";
}

void TensorLookup::missing(std::string_view what, const std::string &source, const Location &where,
                           std::string_view why) {
  Diagnostic &d = diagnostics_.error("missing-weight", where,
                                     fmt::format("{} {} is not in the weight files{}", what, quoted(source), why));
  std::vector<std::string> near = nearestNames(source, store_.names(), 3);
  for (std::string &name : near) name = quoted(name);
  const Location file = files_.empty() ? where : files_[0].where;
  d.notes.push_back({file, near.empty() ? "the weight files hold no tensor"
                                        : fmt::format("the nearest names there are {}", fmt::join(near, ", "))});
}

const WeightStore::Entry *TensorLookup::lookUp(const Role &role, const std::string &source, const TensorNames &names,
                                               bool mask, TensorInfo &info) {
  const WeightStore::Entry *entry = store_.find(source);
  if (!entry->otherPath.empty()) {
    diagnostics_.error(
        "weight-duplicate", names.where,
        fmt::format("tensor {} is in {} and in {}", quoted(source), quoted(entry->path), quoted(entry->otherPath)));
    return nullptr;
  }
  auto found = entry->file->info(entry->index);
  if (!found) {
    damaged(*entry, names.where, found.takeError());
    return nullptr;
  }
  info = std::move(*found);
  const bool wrongShape = !checkShape(role, source, names, mask, info);
  if (mask ? info.dtype == Dtype::Other : !isFloat(info.dtype)) {
    const bool swapped = info.dtypeName.size() > 1 && info.dtypeName[0] == '>';
    diagnostics_.error("weight-dtype", names.where,
                       fmt::format("{} {} has the dtype {}{}; {} is needed", mask ? "mask" : "weight", quoted(source),
                                   quoted(info.dtypeName), swapped ? " (big-endian)" : "",
                                   mask ? "a float, an integer or bool" : kWeightDtypes));
    return nullptr;
  }
  return wrongShape ? nullptr : entry;
}

void TensorLookup::damaged(const WeightStore::Entry &entry, const Location &where, llvm::Error error) {
  diagnostics_.error("file-damaged", where,
                     fmt::format("{} cannot be read: {}", quoted(entry.path), llvm::toString(std::move(error))));
}

bool TensorLookup::checkShape(const Role &role, const std::string &source, const TensorNames &names, bool mask,
                              const TensorInfo &info) {
  const std::vector<uint64_t> needed = pieceShape(role, names);
  if (info.shape == needed) return true;
  const bool byKey = !names.list && spec_.tensors.contains(role.name);  // the caret is under the key: name it
  std::string needs = fmt::format("{} of size {}", opText(spec_.op), layer_.size);
  const bool readsInput = role.base == "weight_ih" || role.base == "weight";
  const bool projected = role.base == "weight_hr" || (role.base == "weight_hh" && projection() != 0);
  if (readsInput) needs += fmt::format(" that reads {} values", inputSize_);
  if (projected) needs += fmt::format(" with a projection to {}", projection());
  Diagnostic &d = diagnostics_.error("weight-shape", names.where,
                                     fmt::format("{} {} is {}; {} needs {}{}",
                                                 mask            ? "mask"
                                                 : role.optional ? "bias"
                                                                 : "weight",
                                                 quoted(byKey && !mask ? role.name : source), shapeText(info.shape),
                                                 needs, shapeText(needed), names.list ? " per gate" : ""));
  d.notes.push_back({spec_.sizeWhere, "size set here"});
  if (projected) d.notes.push_back({spec_.projectionWhere, "projection set here"});
  if (info.shape.size() == 2 && needed.size() == 2 && info.shape[0] == needed[1] && info.shape[1] == needed[0])
    d.notes.push_back({names.where, "it looks transposed: rows are outputs, columns are inputs"});
  return false;
}

uint32_t TensorLookup::projection() const {
  const auto *lstm = std::get_if<ir::Lstm>(&layer_.op);
  return lstm ? lstm->projection : 0;
}

}  // namespace rtmc::frontend
