// Owns: memory for one case of a benchmark at one footprint, and the check of a kernel against a plain loop.
// Refuses to own: time (bench_main.cpp).
#pragma once

#include "bench_case.h"

#include "ir/kernel.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace rtmc::bench {

/// Weights of each precision on 2 MB pages, enough for `bytes`: random, of magnitude 0.5 to 1, valid wherever one
/// begins to read.
class WeightMemory {
 public:
  explicit WeightMemory(uint64_t bytes);
  const unsigned char *of(Precision precision) const { return values_[static_cast<size_t>(precision)]; }

 private:
  const unsigned char *values_[3];
};

/// Bytes of the values of one stripe.
uint64_t stripeBytes(const BenchCase &);

/// A matrix of equal stripes, each with columns of its own, as in a pruned matrix.
class CaseData {
 public:
  /// As many stripes as `footprint` bytes of values hold; it must hold one.
  CaseData(const BenchCase &, const WeightMemory &, uint64_t footprint);
  /// One pass over all stripes.
  void run();
  /// Compares the first stripes with sums in double over ir::forEachStored, the meaning of packed weights. "" or the
  /// first mistake.
  std::string check();

  const unsigned char *values() const { return values_; }
  uint64_t bytes() const { return stripeBytes_ * stripes_; }      // of values
  uint64_t weights() const { return stripeWeights_ * stripes_; }  // of rows that are there

 private:
  void call(uint64_t stripe, float *y) const;
  std::string checkStripe(uint64_t stripe) const;

  const BenchCase &case_;
  const ir::TileShape shape_;
  const unsigned char *values_;
  uint64_t stripeBytes_, stripeColumns_, stripeWeights_, stripes_;
  std::vector<uint16_t> columns_, rows_;
  std::vector<float> x_, y_;
  std::vector<uint16_t> halfX_;
};

}  // namespace rtmc::bench
