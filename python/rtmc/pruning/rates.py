"""Pruning rates as exact fractions, and how many of n things a rate keeps. docs/projections.md is the definition."""
from __future__ import annotations

import math
from fractions import Fraction
from typing import Union

Rate = Union[Fraction, float, int, str]

_LARGEST_PART = 10**12  # of a rate's numerator and denominator: C++ counts in 128 bits


def exact_rate(rate: Rate, what: str = "rate") -> Fraction:
    """A rate as an exact number. A float is its shortest decimal text, so 2.1 is 21/10, or the nearest fraction of a
    denominator up to 10^9."""
    try:
        exact = rate if isinstance(rate, Fraction) else Fraction(str(rate))
        if isinstance(rate, float):
            exact = exact.limit_denominator(10**9)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{what} is {rate!r}; a number such as 10, 2.5 or '29/10' is needed") from None
    if exact < 1:
        raise ValueError(f"{what} is {rate}; at least 1 is needed (weights / kept weights)")
    if exact.numerator > _LARGEST_PART or exact.denominator > _LARGEST_PART:
        raise ValueError(f"{what} is {rate}; a fraction of whole numbers up to {_LARGEST_PART} is needed")
    return exact


def kept_count(n: int, rate: Rate) -> int:
    """How many of `n` stay: max(1, n / rate rounded half up), exactly."""
    return nearest(n, exact_rate(rate))


def nearest(n: int, rate: Fraction) -> int:
    """kept_count for any positive rate; never more than `n`."""
    return max(1, min(n, (2 * n * rate.denominator + rate.numerator) // (2 * rate.numerator)))


def nearest_root(n: int, rate: Fraction) -> int:
    """n / sqrt(rate), rounded half up, at least 1."""
    return max(1, min(n, (math.isqrt(4 * n * n * rate.denominator // rate.numerator) + 1) // 2))
