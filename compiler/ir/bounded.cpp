#include "ir/bounded.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>

namespace rtmc::ir {

namespace {

constexpr double kUnit = 0x1p-24;   // largest relative error of one f32 rounding
constexpr double kTiny = 0x1p-126;  // what flushing a denormal can change
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

bool isAnything(const Bounded &a) {
  return std::isinf(a.error);
}
bool isNaN(const Bounded &a) {
  return std::isnan(a.error);
}

/// Distance between floats at `magnitude`.
double ulp(double magnitude) {
  if (!(magnitude > kTiny)) return 0x1p-149;
  return std::ldexp(1.0, std::ilogb(magnitude) - 23);
}

Bounded exact(double value) {
  return {value, std::isnan(value) ? kNaN : 0.0};
}

/// What is left once the operands were ordinary: the result may still be infinite, NaN, or near overflow.
Bounded settle(double value, double error) {
  if (std::isnan(value)) return {kNaN, kNaN};
  if (std::isinf(value)) return {value, 0};
  if (!(std::fabs(value) + error <= FLT_MAX)) return {value, kInfinity};
  return {value, error};
}

}  // namespace

bool accepts(const Bounded &expected, double computed) {
  if (std::isnan(expected.error)) return std::isnan(computed);
  if (std::isinf(expected.error)) return true;
  if (std::isinf(expected.value)) return computed == expected.value;
  return std::fabs(computed - expected.value) <= expected.error;
}

Bounded BoundedMath::add(Bounded a, Bounded b) const {
  double value = a.value + b.value;
  if (!bounds) return exact(value);
  if (isNaN(a) || isNaN(b)) return {kNaN, kNaN};
  if (isAnything(a) || isAnything(b)) return {value, kInfinity};
  double error = a.error + b.error;
  return settle(value, error + kUnit * (std::fabs(value) + error) + 3 * kTiny);
}

Bounded BoundedMath::mul(Bounded a, Bounded b) const {
  double value = a.value * b.value;
  if (!bounds) return exact(value);
  if (isNaN(a) || isNaN(b)) return {kNaN, kNaN};
  if (isAnything(a) || isAnything(b)) return {value, kInfinity};
  // An infinity times what may be zero or of either sign.
  auto signUnsure = [](const Bounded &x) { return x.error > 0 && std::fabs(x.value) <= x.error; };
  if ((std::isinf(a.value) && signUnsure(b)) || (std::isinf(b.value) && signUnsure(a))) return {value, kInfinity};
  if (!std::isfinite(value)) return settle(value, 0);
  double error = std::fabs(a.value) * b.error + std::fabs(b.value) * a.error + a.error * b.error;
  double flushed = kTiny * (1 + std::fabs(a.value) + a.error + std::fabs(b.value) + b.error);
  return settle(value, error + kUnit * (std::fabs(value) + error) + flushed);
}

Bounded BoundedMath::sumOfProducts(Bounded a, Bounded b, Bounded c, Bounded d) const {
  return add(mul(a, b), mul(c, d));
}

Bounded BoundedMath::lerp(Bounded z, Bounded h, Bounded n) const {
  double value = z.value * h.value + (1 - z.value) * n.value;
  if (!bounds) return exact(value);
  if (isNaN(z) || isNaN(h) || isNaN(n)) return {kNaN, kNaN};
  bool ordinary = std::isfinite(z.value) && std::isfinite(h.value) && std::isfinite(n.value);
  if (!ordinary || isAnything(z) || isAnything(h) || isAnything(n)) return {value, kInfinity};

  double difference = std::fabs(h.value - n.value), keep = std::fabs(z.value), take = std::fabs(1 - z.value);
  double error = keep * h.error + take * n.error + difference * z.error + z.error * (h.error + n.error);
  // Roundings act on what the kernel has, which differs from our values by the errors.
  keep += z.error, take += z.error, difference += h.error + n.error;
  double byDifference = 2 * keep * difference;
  double byProducts = keep * (std::fabs(h.value) + h.error) + 2 * take * (std::fabs(n.value) + n.error);
  double rounding = kUnit * (1 + 0x1p-20) * (std::fabs(value) + error + std::max(byDifference, byProducts));
  double flushed = kTiny * (6 + std::fabs(h.value) + std::fabs(n.value) + h.error + n.error);
  return settle(value, error + rounding + flushed);
}

Bounded BoundedMath::sigmoid(Bounded a) const {
  auto function = [](double x) { return 1 / (1 + std::exp(-x)); };
  double value = function(a.value);
  if (!bounds) return exact(value);
  if (isNaN(a)) return {kNaN, kNaN};
  if (isAnything(a)) return {value, kInfinity};
  // The slope is greatest where the interval comes nearest to zero.
  double steepest = function(-std::max(0.0, std::fabs(a.value) - a.error));
  double moved = std::min(a.error * steepest * (1 - steepest), std::max(value, 1 - value));
  return {value, moved + 4 * ulp(value + moved) + 2 * kTiny};
}

Bounded BoundedMath::tanh(Bounded a) const {
  double value = std::tanh(a.value);
  if (!bounds) return exact(value);
  if (isNaN(a)) return {kNaN, kNaN};
  if (isAnything(a)) return {value, kInfinity};
  double steepest = std::tanh(std::max(0.0, std::fabs(a.value) - a.error));
  double moved = std::min(a.error * (1 - steepest * steepest), 1 + std::fabs(value));
  return {value, moved + 4 * ulp(std::fabs(value) + moved) + 2 * kTiny};
}

Bounded BoundedMath::relu(Bounded a) const {
  double value = std::isnan(a.value) ? kNaN : std::max(a.value, 0.0);
  if (!bounds) return exact(value);
  if (isNaN(a) || isAnything(a)) return {value, a.error};
  double error = a.value >= 0 ? a.error : std::max(0.0, a.value + a.error);
  return {value, error + kTiny};
}

/// With p the probabilities: moving each input by at most its error moves lse = log(sum exp) by at most `shift` =
/// log(sum p exp(error)); the rest is rounding, relative for the exponentials and their sum.
void BoundedMath::softmax(std::span<Bounded> values, bool log) const {
  if (values.empty()) return;
  double top = -kInfinity, largestError = 0, sum = 0;
  bool anyNaN = false, surelyNaN = false, ordinary = true;
  for (const Bounded &a : values) {
    anyNaN = anyNaN || std::isnan(a.value);
    surelyNaN = surelyNaN || isNaN(a);
    ordinary = ordinary && std::isfinite(a.value) && std::isfinite(a.error);
    top = std::max(top, a.value);
    largestError = std::max(largestError, a.error);
  }
  for (const Bounded &a : values) sum += std::exp(a.value - top);
  double logSum = std::log(sum), shift = 0;
  auto result = [&](double t) { return log ? t - logSum : std::exp(t) / sum; };
  if (!bounds || !ordinary) {
    for (Bounded &a : values) {
      a.value = anyNaN ? kNaN : result(a.value - top);
      a.error = !bounds ? exact(a.value).error : surelyNaN ? kNaN : kInfinity;
    }
    return;
  }

  for (const Bounded &a : values) shift += std::exp(a.value - top + a.error) / sum;
  shift = std::log(shift);
  // Relative error of one exponential: its argument's rounding and 4 ulp of its own.
  auto rounding = [&](const Bounded &a) { return kUnit * (top - a.value + 2 * largestError + 8); };
  double ofSum = (static_cast<double>(values.size()) + 4) * kUnit;
  for (const Bounded &a : values) ofSum += std::exp(a.value - top + a.error + shift) / sum * rounding(a);
  double flushed = kTiny * (static_cast<double>(values.size()) + 2);
  for (Bounded &a : values) {
    double t = a.value - top, moved = a.error + shift, value = result(t);
    double error;
    if (log) {
      double largest = std::max(-t, std::fabs(top + logSum)) + 2 * largestError;
      error = moved + kUnit * (largest + std::fabs(value) + moved) + ofSum + 4 * ulp(logSum) + flushed;
    } else {
      double relative = 1.01 * (rounding(a) + ofSum);
      error = std::min(1.0, value * std::expm1(moved) + value * std::exp(moved) * relative + flushed);
    }
    a = std::isnan(error) ? Bounded{value, kInfinity} : settle(value, error);
  }
}

}  // namespace rtmc::ir
