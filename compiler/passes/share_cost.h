// Owns: what a part of a phase's units costs one share: the tiles that pack will make of its rows, its gates, and what
// the other shares hand over to it.
// Refuses to own: where the cuts are (partition.cpp).
#pragma once

#include "ir/kernel.h"
#include "passes/pass.h"
#include "passes/tiling.h"

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace rtmc::passes {

/// Predicted ns of one phase's work. Refers to the program and the context; neither may change while it lives.
class PhaseCost {
 public:
  PhaseCost(const ir::Program &, const ir::Phase &, const Context &, uint64_t footprint);
  /// ns that a unit brings on the average of its row groups: tiles are cut without regard to shares.
  const std::vector<double> &perUnit() const { return perUnit_; }
  /// ns that only share 0 spends (softmax).
  double serial() const { return serial_; }
  /// ns that each share spends (copies of its own).
  double everyShare() const { return everyShare_; }
  /// ns of units [begin, end) as a share of their own, tile by tile; `first`: of share 0.
  double of(uint32_t begin, uint32_t end, bool first);

 private:
  struct Product {
    const ir::Weights *weights;
    CostModel model;
    std::vector<uint32_t> unitOf;  // per row; empty: the row is the unit
  };
  double tilesNs(const Product &, const ir::RowGroup &, const std::vector<uint32_t> &rows) const;
  double productNs(const Product &, uint32_t begin, uint32_t end) const;

  std::vector<Product> products_;
  std::vector<double> perUnit_;
  std::vector<double> gatesUpTo_;  // ns of elementwise operations on units below
  double serial_ = 0, everyShare_ = 0;
  std::map<std::pair<uint32_t, uint32_t>, double> known_;
};

/// Of each phase, sections one after the other: the 64-byte lines of values that it reads and all shares have written,
/// since an earlier phase of the section read them or since the step before. A share's own values are among them: of n
/// shares each has 1 / n of them at hand. Values that only their own unit reads are not.
std::vector<uint32_t> linesHandedOver(const ir::Program &);

}  // namespace rtmc::passes
