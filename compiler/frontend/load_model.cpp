#include "frontend/frontend.h"
#include "frontend/layer_tensors.h"
#include "frontend/model_spec.h"
#include "frontend/weight_files.h"
#include "support/check.h"
#include "support/files.h"
#include "support/names.h"

#include <fmt/format.h>

#include <system_error>
#include <utility>

namespace rtmc::frontend {
namespace {

/// The model's text without a byte order mark. Null: reported.
std::shared_ptr<const SourceFile> readModelText(const std::string &path, Diagnostics &diagnostics, bool *environment) {
  auto file = std::make_shared<SourceFile>();
  file->path = path;
  auto text = readTextFile(path, kMaxYamlBytes);
  if (!text) {
    std::error_code code;
    std::string message;
    llvm::handleAllErrors(text.takeError(), [&](const llvm::ErrorInfoBase &info) {
      code = info.convertToErrorCode();
      message = info.message();
    });
    const bool tooLarge = code == std::errc::file_too_large;
    diagnostics.error(tooLarge ? "file-too-large" : "file-read", {}, message);
    if (environment && !tooLarge) *environment = true;
    return nullptr;
  }
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  file->text = text->starts_with(kByteOrderMark) ? text->substr(kByteOrderMark.size()) : std::move(*text);
  return file;
}

std::string besideModel(const std::string &model, const std::string &file) {
  const size_t slash = model.rfind('/');
  if (slash == std::string::npos || file.starts_with('/')) return file;
  return model.substr(0, slash + 1) + file;
}

/// As in .safetensors; what has no float type of its own there is widened.
std::string dtypeName(Dtype dtype) {
  return dtype == Dtype::F16 ? "F16" : dtype == Dtype::BF16 ? "BF16" : "F32";
}

/// A model's text understood and its weight files opened.
struct OpenedModel {
  ModelSpec spec;
  WeightStore store;
  std::vector<std::string> files;
  bool environment = false;  // a file could not be read

  /// False: nothing can be read, not even to tell more mistakes.
  bool open(const std::string &path, Diagnostics &diagnostics) {
    const auto text = readModelText(path, diagnostics, &environment);
    if (!text) return false;
    std::optional<ModelSpec> read = readModel(text, diagnostics);
    if (!read) return false;
    spec = std::move(*read);
    files.push_back(path);
    bool opened = !spec.weights.empty();
    for (const WeightFileName &file : spec.weights) {
      const std::string filePath = besideModel(path, file.text);
      opened &= store.add(filePath, file.where, diagnostics, &environment);
      files.push_back(filePath);
    }
    return opened;
  }

  bool environmentFailed(const Diagnostics &diagnostics) const {
    // With a mistake in the model besides, the user has something to correct before the environment matters.
    for (const Diagnostic &d : diagnostics.all())
      if (d.severity == Severity::Error && d.kind != "file-read") return false;
    return environment;
  }
};

}  // namespace

struct ModelStream::Parts : OpenedModel {};

ModelStream::ModelStream() : parts_(std::make_unique<Parts>()) {}
ModelStream::~ModelStream() = default;

bool ModelStream::open(const std::string &path, Diagnostics &diagnostics) {
  const bool opened = parts_->open(path, diagnostics);
  if (opened && diagnostics.hasErrors()) readTensors([](const NamedTensor &) {}, diagnostics);
  return !diagnostics.hasErrors();
}

const ir::Network &ModelStream::network() const {
  return parts_->spec.network;
}

const std::vector<std::string> &ModelStream::files() const {
  return parts_->files;
}

std::vector<MatrixInfo> ModelStream::matrices() const {
  std::vector<MatrixInfo> all;
  ir::Network &network = parts_->spec.network;
  for (uint32_t i = 0; i < network.layers.size(); ++i) {
    ir::Layer &layer = network.layers[i];
    for (const Role &role : rolesOf(layer, ir::inputSizeOf(network, layer))) {
      if (!role.matrix) continue;
      const uint32_t gates = role.gateOrdered ? role.pieces : 1;
      all.push_back({layer.name + "." + role.name, i, gates, role.shape[0] / gates, role.shape[1]});
    }
  }
  return all;
}

bool ModelStream::readTensors(const std::function<void(NamedTensor)> &take, Diagnostics &diagnostics) {
  loadTensors(parts_->spec, parts_->store, diagnostics,
              [&](ir::Layer &, const Role &role, ir::Tensor tensor, Dtype dtype) {
                take({std::move(tensor), role.name, role.matrix, dtypeName(dtype)});
              });
  return !diagnostics.hasErrors();
}

bool ModelStream::environmentFailed(const Diagnostics &diagnostics) const {
  return parts_->environmentFailed(diagnostics);
}

std::optional<Loaded> loadModel(const std::string &path, Diagnostics &diagnostics, bool *environment) {
  OpenedModel model;
  if (model.open(path, diagnostics))
    loadTensors(model.spec, model.store, diagnostics,
                [](ir::Layer &, const Role &role, ir::Tensor tensor, Dtype) { *role.target = std::move(tensor); });
  if (environment) *environment = diagnostics.hasErrors() && model.environmentFailed(diagnostics);
  if (diagnostics.hasErrors()) return std::nullopt;
  Loaded loaded{std::move(model.spec.network), std::move(model.files)};
  const std::vector<std::string> broken = ir::verify(loaded.network);
  RTMC_CHECK(broken.empty(), broken[0]);
  return loaded;
}

}  // namespace rtmc::frontend
