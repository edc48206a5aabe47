"""Ratios of competitors that were timed in turns, how sure they are, and when they are not printed. Pure functions."""
import dataclasses
import random
import statistics

LIMIT = 0.25  # a ratio whose rounds differ by more says nothing
# Of the time of a turn that a program waited for a processor. Long calls are interrupted in each round and short ones in few, so that
# the rounds may well agree on a ratio that is wrong.
BUSY = 0.10
DRAWS, CONFIDENCE = 2000, 0.95


@dataclasses.dataclass(frozen=True)
class Ratio:
    """How many times as fast; `low` to `high` is the interval that holds it with 95 % confidence, None with a single round."""
    value: float
    low: float | None
    high: float | None
    spread: float  # largest over smallest of the rounds, less 1
    rounds: int
    waited: float = 0.0  # the larger share of the two, median over the rounds

    @property
    def agrees(self) -> bool:
        return self.spread <= LIMIT and self.waited <= BUSY

    def text(self, unit: str = "") -> str:
        """What may be printed: the ratio, or why there is none."""
        if self.waited > BUSY:
            return f"machine busy: {100 * self.waited:.0f} % of the time waiting"
        if not self.agrees:
            return f"rounds disagree by {100 * self.spread:.0f} %"
        if self.low is None:
            return f"{figure(self.value)}{unit} (one round)"
        return f"{figure(self.value)}{unit} ({figure(self.low)} - {figure(self.high)})"


def figure(value: float) -> str:
    """Three digits, never an exponent."""
    if value == 0:
        return "0"
    digits = 2
    while digits < 6 and abs(value) < 10 ** (1 - digits):
        digits += 1
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.{digits}f}"


def size(count: int) -> str:
    return f"{count / 2**20:g} MiB" if count >= 2**20 else f"{count / 1024:g} KiB"


def ratio(slow: list[float], fast: list[float], waited: float = 0.0, seed: int = 1) -> Ratio | None:
    """slow[i] / fast[i] of round i, both the smallest time of that round; the median of them, its interval by bootstrap over rounds.
    None without a common round."""
    rounds = [a / b for a, b in zip(slow, fast)]
    if not rounds:
        return None
    spread = max(rounds) / min(rounds) - 1
    middle = statistics.median(rounds)
    if len(rounds) == 1:
        return Ratio(middle, None, None, spread, 1, waited)
    draw = random.Random(seed)
    medians = sorted(statistics.median(draw.choices(rounds, k=len(rounds))) for _ in range(DRAWS))
    tail = (1 - CONFIDENCE) / 2
    return Ratio(middle, medians[int(tail * DRAWS)], medians[int((1 - tail) * DRAWS) - 1], spread, len(rounds), waited)
