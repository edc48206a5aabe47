#include "driver/prune_files.h"

#include "frontend/model_writer.h"
#include "passes/find_structure_pattern.h"
#include "pruning/project.h"
#include "support/names.h"
#include "support/numeric.h"
#include "support/safetensors_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace rtmc::driver {
namespace {

/// What was pruned before counts as zero.
void zeroPruned(ir::Tensor &tensor, std::span<const uint8_t> mask) {
  for (size_t i = 0; i < mask.size(); ++i)
    if (!mask[i]) tensor.values[i] = 0;
}

pruning::Matrix gateOf(const ir::Tensor &tensor, const frontend::MatrixInfo &info, uint32_t gate) {
  const size_t size = size_t{info.rows} * info.columns;
  return {std::span(tensor.values).subspan(gate * size, size), info.rows, info.columns};
}

/// What model.yaml can promise of it; Auto: nothing.
ir::Structure structureOf(const pruning::Projection &p, const frontend::MatrixInfo &info) {
  ir::Structure s;
  if (p.block) s.blockRows = p.block->rows, s.blockColumns = p.block->columns;
  switch (p.scheme) {
    case pruning::Scheme::Unstructured:
    case pruning::Scheme::Bank:  // nothing that could be checked
      return {};
    case pruning::Scheme::Row:
      s.scheme = ir::Scheme::Row;
      break;
    case pruning::Scheme::Column:
      s.scheme = ir::Scheme::Column;
      break;
    case pruning::Scheme::RowColumn:  // kept rows, and one set of columns in one block that is the whole matrix
      s.scheme = ir::Scheme::Bsp;
      s.blockRows = info.rows, s.blockColumns = info.columns;
      break;
    case pruning::Scheme::Bsp:
      s.scheme = ir::Scheme::Bsp;
      break;
    case pruning::Scheme::Bcr:
      s.scheme = ir::Scheme::Bcr;
      break;
    case pruning::Scheme::Csb:
      s.scheme = ir::Scheme::Csb;
      break;
    case pruning::Scheme::Block:
      s.scheme = ir::Scheme::Block;
      break;
  }
  if (std::max(s.blockRows, s.blockColumns) > 1u << 20) s = {};  // more than model.yaml can say
  return s;
}

/// Values as `dtype`, which holds them exactly.
llvm::Error writeValues(SafetensorsWriter &file, std::span<const float> values, const std::string &dtype) {
  if (dtype == "F32") return file.write({reinterpret_cast<const uint8_t *>(values.data()), values.size_bytes()});
  std::array<uint16_t, 1 << 15> piece;
  while (!values.empty()) {
    const size_t count = std::min(values.size(), piece.size());
    for (size_t i = 0; i < count; ++i) piece[i] = dtype == "F16" ? floatToHalf(values[i]) : floatToBfloat(values[i]);
    if (llvm::Error error = file.write({reinterpret_cast<const uint8_t *>(piece.data()), count * 2})) return error;
    values = values.subspan(count);
  }
  return llvm::Error::success();
}

}  // namespace

PruneCounts &PruneCounts::operator+=(const PruneCounts &other) {
  weights += other.weights, kept += other.kept;
  squares += other.squares, keptSquares += other.keptSquares;
  return *this;
}

double PruneCounts::rate() const {
  return kept == 0 ? 0 : static_cast<double>(weights) / static_cast<double>(kept);
}

double PruneCounts::normShare() const {
  return squares == 0 ? 1 : std::sqrt(keptSquares / squares);
}

const PlannedMatrix *PruneFiles::plannedFor(const std::string &name) const {
  const auto found = std::find_if(plan_.matrices.begin(), plan_.matrices.end(),
                                  [&](const PlannedMatrix &matrix) { return matrix.info.name == name; });
  return found == plan_.matrices.end() || !found->projection ? nullptr : &*found;
}

void PruneFiles::gatherBudget() {
  model_.readTensors(
      [&](frontend::ModelStream::NamedTensor read) {
        const PlannedMatrix *planned = plannedFor(read.tensor.name);
        if (!planned || diagnostics_.hasErrors()) return;
        zeroPruned(read.tensor, read.tensor.mask);
        for (uint32_t gate = 0; gate < planned->info.gates; ++gate)
          budget_.add(gateOf(read.tensor, planned->info, gate), *planned->projection);
      },
      diagnostics_);
  if (!diagnostics_.hasErrors()) budget_.settle(*plan_.budget);
}

/// The new mask. The tensor's values become those that are kept.
std::vector<uint8_t> PruneFiles::prune(const PlannedMatrix &planned, ir::Tensor &tensor) {
  const frontend::MatrixInfo &info = planned.info;
  PruneCounts counts;
  counts.weights = tensor.values.size();
  std::vector<uint8_t> mask(tensor.values.size());
  zeroPruned(tensor, tensor.mask);
  const size_t size = size_t{info.rows} * info.columns;
  for (uint32_t gate = 0; gate < info.gates; ++gate) {
    const pruning::Matrix matrix = gateOf(tensor, info, gate);
    const std::span<uint8_t> part = std::span(mask).subspan(gate * size, size);
    if (plan_.budget)
      budget_.project(budgetMatrix_++, matrix, *planned.projection, part);
    else
      pruning::project(matrix, *planned.projection, part);
  }
  // What was pruned stays pruned: by its mask, or where there is none, by its zero.
  for (size_t i = 0; i < mask.size(); ++i) mask[i] &= tensor.mask.empty() ? tensor.values[i] != 0 : tensor.mask[i] != 0;
  for (size_t i = 0; i < mask.size(); ++i) {
    const double square = double{tensor.values[i]} * tensor.values[i];
    counts.squares += square;
    counts.kept += mask[i];
    if (mask[i]) counts.keptSquares += square;
  }
  zeroPruned(tensor, mask);
  pruned_.push_back({info, *planned.projection, counts, false});
  promise(planned, tensor);
  return mask;
}

/// A promise must hold: weights that were pruned before can leave holes in the structure.
void PruneFiles::promise(const PlannedMatrix &planned, const ir::Tensor &tensor) {
  const frontend::MatrixInfo &info = planned.info;
  const ir::Structure structure = structureOf(*planned.projection, info);
  if (structure.scheme == ir::Scheme::Auto) return;
  double least = 1;
  for (uint32_t gate = 0; gate < info.gates; ++gate) {
    const passes::Pattern pattern = passes::makePattern(gateOf(tensor, info, gate).values.data(), info.rows,
                                                        info.columns, {info.rows, info.columns, {}, {}, {}});
    const auto fit = passes::measure(pattern, structure.scheme, structure.blockRows, structure.blockColumns);
    least = std::min(least, passes::fillOf(pattern, fit));
  }
  if (least >= passes::kFillNeeded) {
    promises_[info.name] = structure;
    pruned_.back().promised = true;
    return;
  }
  diagnostics_.note(
      "promise-left-out", tensor.where,
      fmt::format("{} was pruned before and fills {:.1f} % of a {} structure; a promise needs {:.0f} %, so "
                  "none is written",
                  quoted(info.name), std::floor(least * 1000) / 10, ir::schemeName(structure.scheme),
                  passes::kFillNeeded * 100));
}

llvm::Error PruneFiles::writeWeights(FileWriter &into) {
  SafetensorsWriter file(into);
  size_t tensors = 0, nameBytes = 0;
  for (const ir::Layer &layer : model_.network().layers) {
    constexpr size_t kMostTensors = 12, kLongestRole = 32;  // of a layer, both directions; "weight_ih_reverse_mask"
    tensors += 2 * kMostTensors;
    nameBytes += 2 * kMostTensors * (layer.name.size() + kLongestRole);
  }
  if (llvm::Error error = file.begin(tensors, nameBytes)) return error;
  llvm::Error failed = llvm::Error::success();
  const auto write = [&](frontend::ModelStream::NamedTensor &read) -> llvm::Error {
    ir::Tensor &tensor = read.tensor;
    const PlannedMatrix *planned = plannedFor(tensor.name);
    const std::vector<uint8_t> mask = planned ? prune(*planned, tensor) : std::move(tensor.mask);
    if (planned) {
      network_ += pruned_.back().counts;
    } else if (read.matrix) {
      if (tensor.promise.scheme != ir::Scheme::Auto) promises_[tensor.name] = tensor.promise;
      for (size_t i = 0; i < tensor.values.size(); ++i)
        network_.kept += tensor.values[i] != 0 && (mask.empty() || mask[i]);
      network_.weights += tensor.values.size();
    }
    const std::vector<uint64_t> shape(tensor.shape.begin(), tensor.shape.end());
    file.add(tensor.name, read.dtype, shape);
    if (llvm::Error error = writeValues(file, tensor.values, read.dtype)) return error;
    if (mask.empty()) return llvm::Error::success();
    file.add(tensor.name + "_mask", "BOOL", shape);
    return file.write(mask);
  };
  // With a budget the tensors have been read before, and what there was to say has been said.
  Diagnostics again;
  model_.readTensors(
      [&](frontend::ModelStream::NamedTensor read) {
        if (!failed && !diagnostics_.hasErrors()) failed = write(read);
      },
      plan_.budget ? again : diagnostics_);
  if (failed) return failed;
  if (diagnostics_.hasErrors() || again.hasErrors())
    return llvm::createStringError(llvm::inconvertibleErrorCode(), "the weights cannot be read");
  return file.finish();
}

std::string PruneFiles::modelText(const std::string &weightsFile) const {
  return frontend::writeModel(model_.network(), weightsFile, promises_);
}

}  // namespace rtmc::driver
