#include "ir/row_sums.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>

namespace rtmc::ir {

namespace {

constexpr double kUnit = 0x1p-24;
constexpr double kTiny = 0x1p-126;
constexpr double kHalfFactor = 4 * 0x1p-11;  // four terms in half precision: their products, sums, and x itself
constexpr double kHalfTiny = 0x1p-24;        // per term: x, the product and a sum may round to a half denormal
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

bool isUnusual(const Bounded &x) {
  return !std::isfinite(x.value) || !std::isfinite(x.error);
}

}  // namespace

float maskedValue(const Tensor &tensor, size_t index) {
  return tensor.mask.empty() || tensor.mask[index] != 0 ? tensor.values[index] : 0.0f;
}

/// A term whose x may be anything: slow, and right for infinities and NaN.
void RowSum::add(float weight, const Bounded &x, const SumRules &rules) {
  if (weight == 0) {
    unsure = unsure || isUnusual(x);
    return;
  }
  double product = weight * x.value;
  value += product;
  terms += 1;
  if (!rules.bounds) return;
  surelyNaN = surelyNaN || std::isnan(x.error);
  unsure = unsure || std::isinf(x.error);
  if (isUnusual(x)) return;
  double absolute = std::fabs(double{weight});
  magnitude += absolute * (std::fabs(x.value) + x.error);
  inputError += absolute * x.error;
  flushed += 2 + absolute + (absolute < kTiny ? std::fabs(x.value) + x.error : 0);
}

/// (terms + 8) roundings of at most 2^-24 each, whatever the order; 8 leaves room for the biases and for second order.
Bounded RowSum::finish(const SumRules &rules) const {
  if (!rules.bounds) return {value, std::isnan(value) ? kNaN : 0.0};
  if (surelyNaN) return {kNaN, kNaN};
  double total = magnitude * (1 + rules.weightError);
  double roundings = (terms + 8) * kUnit;
  double error = inputError * (1 + rules.weightError) + magnitude * rules.weightError +
                 total * roundings / (1 - std::min(roundings, 0.5)) + kTiny * (flushed + 4);
  error += kHalfFactor * halfMagnitude * (1 + rules.weightError) + kHalfTiny * halfWeights;
  if (unsure || !(total + error <= FLT_MAX)) return {value, kInfinity};
  if (std::isnan(value)) return {kNaN, kNaN};
  if (std::isinf(value)) return {value, 0};
  return {value, error};
}

void GateRows::addProduct(const Tensor &weight, uint32_t firstRow, SourceRange source, bool half) {
  Product product;
  product.source = source;
  product.half = half;
  product.rowBegin.push_back(0);
  for (uint32_t row = 0; row < rows(); ++row) {
    size_t begin = (size_t{firstRow} + row) * weight.columns() + source.offset;
    double sumAbs = 0;
    uint32_t denormals = 0;
    for (uint32_t column = 0; column < source.size; ++column) {
      float value = maskedValue(weight, begin + column);
      if (value == 0) continue;
      product.columns.push_back(source.offset + column);
      product.weights.push_back(value);
      sumAbs += std::fabs(value);
      denormals += std::fabs(value) < kTiny;
    }
    product.rowBegin.push_back(product.weights.size());
    product.sumAbs.push_back(sumAbs);
    product.denormals.push_back(denormals);
  }
  products_.push_back(std::move(product));
}

void GateRows::setBias(const Tensor &bias, uint32_t firstRow) {
  for (uint32_t row = 0; row < rows(); ++row) bias_[row] = maskedValue(bias, size_t{firstRow} + row);
}

void GateRows::addValues(const Product &product, std::span<const Bounded> x, std::span<RowSum> sums) {
  for (size_t row = 0; row < sums.size(); ++row) {
    double value = 0;
    for (size_t i = product.rowBegin[row]; i < product.rowBegin[row + 1]; ++i)
      value += product.weights[i] * x[product.columns[i]].value;
    sums[row].value += value;
  }
}

void GateRows::addBounded(const Product &product, std::span<const Bounded> x, std::span<RowSum> sums) {
  double largest = 0;
  for (const Bounded &a : x.subspan(product.source.offset, product.source.size))
    largest = std::max(largest, std::fabs(a.value) + a.error);
  for (size_t row = 0; row < sums.size(); ++row) {
    double value = 0, magnitude = 0, inputError = 0;
    for (size_t i = product.rowBegin[row]; i < product.rowBegin[row + 1]; ++i) {
      const Bounded &a = x[product.columns[i]];
      double weight = product.weights[i], absolute = std::fabs(weight);
      value += weight * a.value;
      magnitude += absolute * std::fabs(a.value);
      inputError += absolute * a.error;
    }
    RowSum &sum = sums[row];
    auto terms = static_cast<double>(product.rowBegin[row + 1] - product.rowBegin[row]);
    sum.value += value;
    sum.magnitude += magnitude + inputError;
    sum.inputError += inputError;
    sum.terms += terms;
    sum.flushed += 2 * terms + product.sumAbs[row] + product.denormals[row] * largest;
    if (!product.half) continue;
    sum.halfMagnitude += magnitude + inputError;
    sum.halfWeights += terms + product.sumAbs[row];
  }
}

/// Some x is infinite, NaN or may be anything. A kernel may multiply it by an explicit zero of a pruned weight.
void GateRows::addUnusual(const Product &product, std::span<const Bounded> x, const SumRules &rules,
                          std::span<RowSum> sums) {
  auto source = x.subspan(product.source.offset, product.source.size);
  auto unusual = std::count_if(source.begin(), source.end(), isUnusual);
  for (size_t row = 0; row < sums.size(); ++row) {
    RowSum &sum = sums[row];
    std::ptrdiff_t met = 0;
    double before = sum.magnitude, beforeTerms = sum.terms;
    for (size_t i = product.rowBegin[row]; i < product.rowBegin[row + 1]; ++i) {
      met += isUnusual(x[product.columns[i]]);
      sum.add(product.weights[i], x[product.columns[i]], rules);
    }
    sum.unsure = sum.unsure || met != unusual;
    if (!product.half) continue;
    sum.halfMagnitude += sum.magnitude - before;
    sum.halfWeights += sum.terms - beforeTerms + product.sumAbs[row];
  }
}

void GateRows::accumulate(std::span<const Bounded> x, const SumRules &rules, std::span<RowSum> sums) const {
  for (const Product &product : products_) {
    auto source = x.subspan(product.source.offset, product.source.size);
    if (!rules.bounds)
      addValues(product, x, sums);
    else if (std::none_of(source.begin(), source.end(), isUnusual))
      addBounded(product, x, sums);
    else
      addUnusual(product, x, rules, sums);
  }
  for (size_t row = 0; row < sums.size(); ++row) {
    sums[row].value += bias_[row];
    sums[row].magnitude += std::fabs(bias_[row]);
    sums[row].flushed += 1;
  }
}

}  // namespace rtmc::ir
