// Owns: a value with the distance that an f32 kernel may keep from it, and the operations of the cells on such pairs.
// Refuses to own: matrix products (network_interpreter.cpp).
//
// `error` says what a correct kernel may compute where the reference has `value`:
//   finite   - any number within `error` of `value` (an infinite value: exactly that infinity);
//   infinity - anything: the kernel may overflow, or may multiply an infinity by a pruned weight's explicit zero;
//   NaN      - only NaN (`value` is NaN as well).
// Without `bounds` all errors are 0, or NaN where the value is.
#pragma once

#include <span>

namespace rtmc::ir {

struct Bounded {
  double value = 0;
  double error = 0;
};

/// Whether a kernel that computed `computed` is right.
bool accepts(const Bounded &expected, double computed);

/// Operations with propagated error plus one f32 rounding each (and 2^-126 for flushed denormals). With `bounds` off
/// they compute the value only.
struct BoundedMath {
  bool bounds = false;

  Bounded add(Bounded a, Bounded b) const;
  Bounded mul(Bounded a, Bounded b) const;
  /// a*b + c*d, in any order, fused or not.
  Bounded sumOfProducts(Bounded a, Bounded b, Bounded c, Bounded d) const;
  /// z*h + (1-z)*n, also computed as n + z*(h-n).
  Bounded lerp(Bounded z, Bounded h, Bounded n) const;
  Bounded sigmoid(Bounded) const;
  Bounded tanh(Bounded) const;
  Bounded relu(Bounded) const;
  /// In place over a whole vector; with `log`, log softmax.
  void softmax(std::span<Bounded>, bool log) const;
};

}  // namespace rtmc::ir
