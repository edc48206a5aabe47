// Owns: one tensor of a layer in the weight files: its names, whether it is there, its dtype and shape, and what to say
// where they are wrong. Refuses to own: its values (frontend/layer_tensors.h).
#pragma once

#include "frontend/model_spec.h"
#include "frontend/roles.h"
#include "frontend/weight_files.h"

namespace rtmc::frontend {

class TensorLookup {
 public:
  TensorLookup(const ir::Network &, const ir::Layer &, const LayerSpec &, const std::vector<WeightFileName> &,
               WeightStore &, Diagnostics &);

  /// The names of a role's tensor, or of its mask (`suffix`), and where the user wrote them; `renamed`: he did.
  TensorNames namesOf(const Role &, std::string_view suffix, bool *renamed) const;
  /// Says that a tensor is not there, with the nearest names; `what`: weight, bias or mask.
  void missing(std::string_view what, const std::string &source, const Location &where, std::string_view why = "");
  /// Looks a tensor up and checks that its dtype and shape are those needed. Null: reported.
  const WeightStore::Entry *lookUp(const Role &, const std::string &source, const TensorNames &, bool mask,
                                   TensorInfo &info);
  void damaged(const WeightStore::Entry &, const Location &where, llvm::Error);
  uint32_t inputSize() const { return inputSize_; }

 private:
  bool checkShape(const Role &, const std::string &source, const TensorNames &, bool mask, const TensorInfo &);
  uint32_t projection() const;

  const ir::Layer &layer_;
  const LayerSpec &spec_;
  const std::vector<WeightFileName> &files_;
  WeightStore &store_;
  Diagnostics &diagnostics_;
  uint32_t inputSize_;
};

/// Of one of the tensors that are stacked.
std::vector<uint64_t> pieceShape(const Role &, const TensorNames &);
/// "mask", "bias" or "weight".
std::string_view whatOf(const Role &, bool mask);

}  // namespace rtmc::frontend
