// Owns: what the parts of a kernel's text share: facts that follow from its plan, the names of its sums, where values
// stand. Refuses to own: the text itself (kernel_text, kernel_interface, kernel_steps).
#pragma once

#include "backend/kernel_text.h"

namespace rtmc::backend {

/// Vectors of rows that are summed at a time: with the chains, half of the registers. A tile of a few vectors more is
/// summed at once where its sums leave room for two elements of x and two vectors of weights.
constexpr uint32_t kVectorsPerPass = 4, kVectorsAtOnce = 6;
/// Sums in registers of a kernel for several rows of x, which needs more elements of x at a time: of 32 and of 16.
constexpr uint32_t kSumsOfMany = 24, kSumsOfFew = 8;
/// F16x4: entries of one chain in half precision, and sums that the chains are added to by turns.
constexpr uint32_t kHalfChain = 4, kHalfSums = 2;

struct KernelFacts {
  explicit KernelFacts(const KernelPlan &plan);

  const KernelPlan &plan;
  const ir::TileShape &shape;
  bool half, bf16;
  uint32_t chains, lanes;
  uint64_t vectorBytes;              // bf16: a vector of words is two entries'
  std::optional<uint64_t> perEntry;  // values; unknown in a partial tile whose rows are an argument

  /// Entries per round of the loop: a multiple of every number of chains.
  uint32_t block() const { return half ? kHalfChain * kHalfSums : plan.sumBySum ? 8 : 4; }
  /// Where every load of values comes with one of a column, the loads are what limits: a round's four columns are then
  /// read as one word. Wider tiles lose more by taking it apart.
  bool columnsAtOnce() const;
  uint32_t vectorsPerPass() const;
  /// Loops over the entries, each for one of a row's sums or for all.
  uint32_t loops() const { return plan.sumBySum ? chains : 1; }
  /// Whether its loops ask for the cache lines of the next tile.
  bool asksAhead() const { return plan.sumBySum && !shape.partial; }
  /// A row of x and the row of y that belongs to it.
  std::string xRow(uint32_t step) const { return plan.steps == 1 ? "x" : "in" + std::to_string(step); }
  std::string yRow(uint32_t step) const { return plan.steps == 1 ? "y" : "out" + std::to_string(step); }
  /// Vectors in the last result of the last pass. Fewer than `width`: some result has fewer rows than lanes.
  uint32_t lastGroup() const;

  std::string vectorType() const;
  std::string_view loadValue() const { return plan.precision == Precision::F16 ? "loadHalf" : "load"; }
  /// Lanes of vector j: half of them in the last one where the tile's rows need no more.
  uint32_t lanesOf(uint32_t j) const { return plan.halfLast && j + 1 == shape.vectors ? lanes / 2 : lanes; }
  /// The type that holds vector j in half precision and, where there is one before `end`, its neighbour.
  std::string halfType(uint32_t j, uint32_t end) const;
  /// Bytes of some entries' values: a number, or in terms of the template's `stride`.
  std::string entriesBytes(uint32_t count) const;
  /// Where the values of a vector of an entry stand.
  std::string valueOffset(uint32_t entry, uint32_t vector) const;
};

std::string_view indexType(ir::IndexWidth);
/// " + 4", or nothing.
std::string plus(uint64_t offset);
/// "a0": of chain 0 and vector 0; of several rows of x "a0_1", with the row.
std::string sumName(const KernelFacts &, uint32_t chain, uint32_t vector, uint32_t step = 0);

}  // namespace rtmc::backend
