"""The Pareto front, and how sure its times are. Pure functions; every cost here is better when it is lower."""
import math
import statistics
from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

CONFIDENCE = 0.95  # that intervals reach where there are samples enough
ENOUGH = 0.9       # below that, with fewer than five samples, there is no interval


@dataclass(frozen=True)
class Interval:
    """A median with the interval that holds the true one with probability `coverage`; too few samples have none."""
    median: float
    low: Optional[float]
    high: Optional[float]
    coverage: float

    def below(self, other: "Interval") -> bool:
        """Surely smaller: the intervals do not touch. False where one of them has none."""
        return self.high is not None and other.low is not None and self.high < other.low


def median_of(samples: Sequence[float]) -> Interval:
    """Order statistics: of n independent samples the k-th smallest and the k-th largest hold the median with probability
    1 - 2 P(fewer than k of n fair coins), whatever the samples' distribution is. The narrowest that reach CONFIDENCE; of five
    samples, which cannot, the smallest and the largest."""
    ordered, n = sorted(samples), len(samples)
    k, tail = 1, 2 / 2**n
    while 1 - (more := tail + 2 * math.comb(n, k) / 2**n) >= CONFIDENCE:
        k, tail = k + 1, more
    if 1 - tail < ENOUGH:
        return Interval(statistics.median(ordered), None, None, 0.0)
    return Interval(statistics.median(ordered), ordered[k - 1], ordered[n - k], 1 - tail)


def front(points: Sequence[Tuple[float, float]]) -> List[bool]:
    """Whether no other point is as good in both costs and better in one. Equal points stand or fall together."""
    best = math.inf  # second cost of all points with a smaller first one
    member = [False] * len(points)
    order = sorted(range(len(points)), key=lambda i: points[i])
    at = 0
    while at < len(order):
        first, second = points[order[at]]
        same = at
        while same < len(order) and points[order[same]][0] == first:
            # Sorted: the first of equal first costs has the smallest second one.
            member[order[same]] = second < best and points[order[same]][1] == second
            same += 1
        best, at = min(best, second), same
    return member


def excluded(times: Sequence[Interval], costs: Sequence[float]) -> List[bool]:
    """Whether another one costs no more and is surely faster. Those that are not excluded and not on the front of the medians may well
    belong to it."""
    return [any(costs[j] <= costs[i] and times[j].below(times[i]) for j in range(len(times))) for i in range(len(times))]
