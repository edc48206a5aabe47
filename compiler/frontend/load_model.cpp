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

}  // namespace

std::optional<Loaded> loadModel(const std::string &path, Diagnostics &diagnostics, bool *environment) {
  if (environment) *environment = false;
  const auto text = readModelText(path, diagnostics, environment);
  if (!text) return std::nullopt;
  std::optional<ModelSpec> spec = readModel(text, diagnostics);
  if (!spec) return std::nullopt;
  Loaded loaded;
  loaded.files.push_back(path);
  WeightStore store;
  bool opened = !spec->weights.empty();
  for (const WeightFileName &file : spec->weights) {
    const std::string filePath = besideModel(path, file.text);
    opened &= store.add(filePath, file.where, diagnostics, environment);
    loaded.files.push_back(filePath);
  }
  if (opened) loadTensors(*spec, store, diagnostics);
  if (diagnostics.hasErrors()) {
    // With a mistake in the model besides, the user has something to correct before the environment matters.
    for (const Diagnostic &d : diagnostics.all())
      if (environment && d.severity == Severity::Error && d.kind != "file-read") *environment = false;
    return std::nullopt;
  }
  loaded.network = std::move(spec->network);
  const std::vector<std::string> broken = ir::verify(loaded.network);
  RTMC_CHECK(broken.empty(), broken[0]);
  return loaded;
}

}  // namespace rtmc::frontend
