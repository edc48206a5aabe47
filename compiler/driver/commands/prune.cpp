// rtmc prune MODEL.yaml -o pruned/model.yaml: one shot. Reads dense weights, projects each gate's matrix onto a
// structure, writes a model of its own: model.yaml and a .safetensors with weights and masks.
#include "driver/commands.h"
#include "driver/progress.h"
#include "driver/prune_files.h"
#include "driver/prune_plan.h"
#include "driver/session.h"
#include "driver/table.h"
#include "support/names.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <string>
#include <system_error>

namespace rtmc::driver {
namespace {

std::string askedText(const PrunePlan &plan, const pruning::Projection &p) {
  return plan.budget ? "budget" : pruning::rateText(pruning::nominalRate(p));
}

std::string schemeText(const pruning::Projection &p) {
  std::string text(pruning::schemeName(p.scheme));
  if (p.block) text += fmt::format(" {}x{}", p.block->rows, p.block->columns);
  return text;
}

PruneCounts totalOf(const PruneFiles &files) {
  PruneCounts total;
  for (const PrunedMatrix &matrix : files.pruned()) total += matrix.counts;
  return total;
}

std::string textReport(const PruneFiles &files, const PrunePlan &plan, const std::vector<std::string> &outputs) {
  Table table({"matrix", "<scheme", "gates", "rows", "columns", "weights", "kept", "asked", "rate", "kept norm"});
  const auto add = [&](std::vector<std::string> cells, const std::string &asked, const PruneCounts &counts) {
    cells.insert(cells.end(),
                 {std::to_string(counts.weights), std::to_string(counts.kept), asked,
                  fmt::format("{:.2f}", counts.rate()), fmt::format("{:.2f} %", 100 * counts.normShare())});
    table.add(std::move(cells));
  };
  for (const PrunedMatrix &matrix : files.pruned()) {
    const frontend::MatrixInfo &info = matrix.info;
    add({info.name, schemeText(matrix.projection), std::to_string(info.gates), std::to_string(info.rows),
         std::to_string(info.columns)},
        askedText(plan, matrix.projection), matrix.counts);
  }
  add({"total", "", "", "", ""}, plan.budget ? pruning::rateText(*plan.budget) : "", totalOf(files));
  const PruneCounts &network = files.network();
  return table.text() + fmt::format("\nall matrices of the model: {} weights, {} kept, rate {:.2f}\nwritten: {}, {}\n",
                                    network.weights, network.kept, network.rate(), outputs[0], outputs[1]);
}

json::Object describe(const PruneFiles &files, const PrunePlan &plan, const std::vector<std::string> &outputs,
                      const std::vector<std::string> &inputs) {
  const auto counts = [](const PruneCounts &c) {
    return json::Object{{"weights", static_cast<int64_t>(c.weights)},
                        {"kept", static_cast<int64_t>(c.kept)},
                        {"rate", c.rate()},
                        {"norm_share", c.normShare()}};
  };
  json::Array matrices, written, read;
  for (const PrunedMatrix &matrix : files.pruned()) {
    json::Object one = counts(matrix.counts);
    const pruning::Block block = matrix.projection.block.value_or(pruning::Block());
    one["name"] = matrix.info.name;
    one["scheme"] = std::string(pruning::schemeName(matrix.projection.scheme));
    one["block_rows"] = static_cast<int64_t>(block.rows);
    one["block_columns"] = static_cast<int64_t>(block.columns);
    one["gates"] = static_cast<int64_t>(matrix.info.gates);
    one["rows"] = static_cast<int64_t>(matrix.info.rows);
    one["columns"] = static_cast<int64_t>(matrix.info.columns);
    one["promised"] = matrix.promised;
    if (!plan.budget) one["rate_asked"] = pruning::rateText(pruning::nominalRate(matrix.projection));
    matrices.push_back(std::move(one));
  }
  for (const std::string &path : outputs) written.push_back(path);
  for (const std::string &path : inputs) read.push_back(path);
  json::Object result = counts(totalOf(files));
  if (plan.budget) result["rate_asked"] = pruning::rateText(*plan.budget);
  result["matrices"] = std::move(matrices);
  result["network_weights"] = static_cast<int64_t>(files.network().weights);
  result["network_kept"] = static_cast<int64_t>(files.network().kept);
  result["network_rate"] = files.network().rate();
  result["outputs"] = std::move(written);
  result["inputs"] = std::move(read);
  return result;
}

/// The folder of the output, made where only it is missing, and gone again where nothing was written into it.
class OutputFolder {
 public:
  std::error_code make(const std::string &path) {
    const std::filesystem::path folder = std::filesystem::path(path).parent_path();
    std::error_code error;
    if (folder.empty() || std::filesystem::exists(folder, error)) return {};
    if (std::filesystem::create_directory(folder, error)) made_ = folder;
    return error;
  }
  void keep() { made_.clear(); }
  ~OutputFolder() {
    std::error_code ignored;
    if (!made_.empty()) std::filesystem::remove(made_, ignored);
  }

 private:
  std::filesystem::path made_;
};

bool isModelName(const std::string &path) {
  const std::filesystem::path name(path);
  return (name.extension() == ".yaml" || name.extension() == ".yml") && !name.stem().empty();
}

}  // namespace

int pruneCommand(const CommandLine &line) {
  Session session(line);
  Diagnostics &diagnostics = session.diagnostics();
  if (line.output.empty())
    diagnostics.error("argument", {}, "the output has no name; -o pruned/model.yaml is needed");
  else if (!isModelName(line.output))
    diagnostics.error("argument", {},
                      fmt::format("option '-o' is {}; a name that ends in .yaml is needed", rtmc::quoted(line.output)));
  if (int status = session.settle()) return status;
  std::optional<Progress> progress(std::in_place, "pruning", line);

  frontend::ModelStream model;
  const auto refused = [&] {
    session.printMessages();
    return model.environmentFailed(diagnostics) ? kEnvironmentError : kUserError;
  };
  if (!model.open(line.file, diagnostics)) return refused();
  for (const std::string &file : model.files()) session.addInput(file);
  const std::vector<std::string> outputs{line.output,
                                         std::filesystem::path(line.output).replace_extension(".safetensors")};
  if (int status = session.checkOutputs(outputs)) return status;
  const PrunePlan plan = planPruning(line.prune, model, diagnostics);
  if (int status = session.settle()) return status;

  PruneFiles files(model, plan, diagnostics);
  if (plan.budget) files.gatherBudget();
  if (diagnostics.hasErrors()) return refused();
  OutputFolder folder;
  if (const std::error_code error = folder.make(line.output))
    return environmentError(
        fmt::format("cannot make the folder of {}: {}", rtmc::quoted(line.output), error.message()));
  const std::string weightsName = std::filesystem::path(outputs[1]).filename();
  llvm::Error error =
      writeFilesAtomically({{outputs[1], {}, [&](FileWriter &file) { return files.writeWeights(file); }},
                            {outputs[0], {}, [&](FileWriter &file) {
                               const std::string text = files.modelText(weightsName);
                               return file.write({reinterpret_cast<const uint8_t *>(text.data()), text.size()});
                             }}});
  progress.reset();
  if (diagnostics.hasErrors()) {
    llvm::consumeError(std::move(error));
    return refused();
  }
  if (error) {
    session.printMessages();
    return environmentError(std::move(error));
  }
  folder.keep();
  session.printMessages();
  if (line.json) return printJson(describe(files, plan, outputs, session.inputFiles()));
  return printResult(textReport(files, plan, outputs));
}

}  // namespace rtmc::driver
