// Owns: pre-activations of the network interpreter: rows of weights in compressed form, and their sums with the bound
// of any f32 evaluation. Refuses to own: the cells that use them (network_interpreter.cpp).
#pragma once

#include "ir/bounded.h"
#include "ir/network.h"

#include <cstdint>
#include <span>
#include <vector>

namespace rtmc::ir {

struct SumRules {
  bool bounds = false;
  double weightError = 0;  // InterpreterOptions::weightError
};

/// One pre-activation while it is summed. Terms may come from several matrices.
struct RowSum {
  double value = 0;
  double magnitude = 0;      // sum of |w| (|x| + error of x) and |bias|
  double inputError = 0;     // sum of |w| * error of x
  double halfMagnitude = 0;  // the part of magnitude that runs in half-precision chains
  double halfWeights = 0;    // sum of 1 + |w| over those terms
  double flushed = 0;        // what flushed denormals may change, in units of 2^-126
  double terms = 0;
  bool unsure = false;  // a pruned column meets an infinity or NaN, or an input may be anything
  bool surelyNaN = false;

  void add(float weight, const Bounded &x, const SumRules &);
  Bounded finish(const SumRules &) const;
};

/// Columns [offset, offset + size) of the vector that a layer reads.
struct SourceRange {
  uint32_t offset = 0;
  uint32_t size = 0;
};

/// The weight as it counts: zero where the mask prunes it.
float maskedValue(const Tensor &, size_t index);

/// The rows of one gate: kept weights of every matrix that they read, and their bias.
class GateRows {
 public:
  explicit GateRows(uint32_t rows) : bias_(rows, 0.0f) {}
  uint32_t rows() const { return static_cast<uint32_t>(bias_.size()); }
  /// Rows [firstRow, firstRow + rows()) of `weight`, cut to the columns of one source. `half`: summed in half-precision
  /// chains.
  void addProduct(const Tensor &weight, uint32_t firstRow, SourceRange, bool half);
  void setBias(const Tensor &bias, uint32_t firstRow);
  /// Adds W x + bias to `sums`, one per row.
  void accumulate(std::span<const Bounded> x, const SumRules &, std::span<RowSum> sums) const;

 private:
  struct Product {
    SourceRange source;
    bool half = false;
    std::vector<size_t> rowBegin;
    std::vector<uint32_t> columns;  // of the whole vector
    std::vector<float> weights;
    std::vector<double> sumAbs;       // per row
    std::vector<uint32_t> denormals;  // per row: weights that may be flushed
  };
  static void addValues(const Product &, std::span<const Bounded> x, std::span<RowSum> sums);
  static void addBounded(const Product &, std::span<const Bounded> x, std::span<RowSum> sums);
  static void addUnusual(const Product &, std::span<const Bounded> x, const SumRules &, std::span<RowSum> sums);
  std::vector<Product> products_;
  std::vector<float> bias_;
};

}  // namespace rtmc::ir
