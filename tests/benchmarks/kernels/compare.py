#!/usr/bin/env python3
"""What changed between two results of Google Benchmark, beyond noise.

    compare.py A.json B.json [--metric real_time] [--alpha 0.01] [--smallest 2] [--all] [--fail-on-slower PERCENT]

Both files come from runs with repetitions (--benchmark_repetitions=10 --benchmark_out=A.json); each repetition is one sample.
Per benchmark the samples are compared by the two-sided Mann-Whitney U test: exact where there are no ties and few samples, else
the normal approximation with its corrections for ties and continuity. A benchmark changed where p < --alpha and the medians
differ by at least --smallest percent. The test is made once per benchmark: of N that did not change, about N * alpha look as if
they did; the last line says how many that would be.

--metric: real_time, cpu_time (less is better) or a counter, say share or GB/s (more is better). `share` is a ratio from within
one run and forgives a machine that runs faster on one day than on the other.

Exit status: 0; 1 with --fail-on-slower where a benchmark is slower by more than so many percent (beyond noise), or failed in B; 2
where a file cannot be read or nothing can be judged.
"""
import argparse
import functools
import json
import math
import re
import statistics
import sys

UNITS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
TIMES = ("real_time", "cpu_time")
EXACT = 20  # samples a side, at most, that are counted out


class BadFile(Exception):
    pass


def read_samples(path: str, metric: str) -> tuple[dict[str, list[float]], set[str]]:
    """-> (samples by name, names that failed)."""
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        entries = content["benchmarks"]
        samples: dict[str, list[float]] = {}
        failed = set()
        for entry in entries:
            if entry.get("run_type") == "aggregate":
                continue
            # How often and by which clock is the same in all that is compared.
            name = re.sub(r"/(iterations|repeats|min_time):[\d.e+-]+|/(manual|real|process)_time", "", entry.get("run_name", entry["name"]))
            if entry.get("error_occurred"):
                failed.add(name)
                continue
            if metric not in entry:
                continue
            value = float(entry[metric]) * (UNITS[entry["time_unit"]] if metric in TIMES else 1)
            if not math.isfinite(value) or value <= 0:
                raise BadFile(f"{path}: {metric} of '{name}' is {entry[metric]}; a positive number is needed")
            samples.setdefault(name, []).append(value)
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadFile(f"{path}: no result of Google Benchmark in JSON ({type(error).__name__}: {error})") from error
    if not samples and not failed:
        raise BadFile(f"{path}: no repetition has '{metric}'; run with --benchmark_repetitions=10 and without aggregates only")
    return samples, failed


@functools.lru_cache(maxsize=None)
def ways(n: int, m: int) -> list[int]:
    """ways[u]: orders of n and m samples without ties in which U is u."""
    counts = [1]
    for k in range(1, n + 1):  # the Gaussian binomial of n + m over n, factor by factor
        raised = counts + [0] * (m + k)
        for i in range(len(raised) - 1, m + k - 1, -1):
            raised[i] -= raised[i - (m + k)]
        for i in range(k, len(raised)):
            raised[i] += raised[i - k]
        counts = raised[:k * m + 1]
    return counts


def mann_whitney(a: list[float], b: list[float]) -> float:
    """Two-sided p of both being samples of one distribution."""
    n, m = len(a), len(b)
    joined = sorted([(value, 0) for value in a] + [(value, 1) for value in b])
    rank_sum, ties, at = 0.0, 0.0, 0
    while at < n + m:
        end = at
        while end < n + m and joined[end][0] == joined[at][0]:
            end += 1
        rank_sum += sum((at + end + 1) / 2 for _, side in joined[at:end] if side == 0)
        ties += (end - at) ** 3 - (end - at)
        at = end
    u = rank_sum - n * (n + 1) / 2
    if ties == 0 and max(n, m) <= EXACT:
        counts = ways(n, m)
        return min(1.0, 2 * sum(counts[:int(min(u, n * m - u)) + 1]) / math.comb(n + m, n))
    total = n + m
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance == 0:
        return 1.0
    return min(1.0, math.erfc(max(0.0, abs(u - n * m / 2) - 0.5) / math.sqrt(2 * variance)))


def smallest_p(n: int, m: int) -> float:
    """What the test can say at most with so many samples."""
    return 2 / math.comb(n + m, n)


def number(value: float, metric: str) -> str:
    if metric not in TIMES:
        return f"{value:.4g}"
    unit = next((u for u in ("s", "ms", "us") if value >= UNITS[u]), "ns")
    return f"{value / UNITS[unit]:.4g} {unit}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", metavar="A.json")
    parser.add_argument("after", metavar="B.json")
    parser.add_argument("--metric", default="real_time")
    parser.add_argument("--alpha", type=float, default=0.01)
    parser.add_argument("--smallest", type=float, default=2, metavar="PERCENT")
    parser.add_argument("--all", action="store_true", help="also print what did not change")
    parser.add_argument("--fail-on-slower", type=float, metavar="PERCENT")
    options = parser.parse_args()
    if not 0 < options.alpha < 1:
        parser.error("--alpha: between 0 and 1")
    try:
        before, failed_before = read_samples(options.before, options.metric)
        after, failed_after = read_samples(options.after, options.metric)
    except BadFile as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 2

    rows, too_few, judged, too_slow = [], [], 0, 0
    for name in before:
        a, b = before[name], after.get(name)
        if b is None or name in failed_before | failed_after:
            continue
        # In time: more is slower, whatever the metric.
        ratio = statistics.median(b) / statistics.median(a)
        slowdown = ratio if options.metric in TIMES else 1 / ratio
        change = 100 * (slowdown - 1)
        if smallest_p(len(a), len(b)) >= options.alpha:
            too_few.append(name)
            word, p = "?", ""
        else:
            judged += 1
            chance = mann_whitney(a, b)
            p = f"{chance:.2g}"
            real = chance < options.alpha and abs(change) >= options.smallest
            word = "slower" if real and change > 0 else "faster" if real else ""
            too_slow += word == "slower" and options.fail_on_slower is not None and change > options.fail_on_slower
        if options.all or word in ("slower", "faster"):
            rows.append((word or "same", name, number(statistics.median(a), options.metric),
                         number(statistics.median(b), options.metric), f"{100 * (ratio - 1):+.1f} %", p))
    rows.sort(key=lambda row: ("slower", "faster", "?", "same").index(row[0]))
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        cells = [cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))]
        print("  ".join(cells).rstrip())
    for name in sorted(failed_after):
        print(f"failed in B: {name}")
    for name in sorted(failed_before - failed_after):
        print(f"failed in A: {name}")
    for title, names in (("only in A", before.keys() - after.keys() - failed_after),
                         ("only in B", after.keys() - before.keys() - failed_before), ("too few repetitions", set(too_few))):
        shown = sorted(names)
        if shown:
            print(f"{title}: {', '.join(shown[:5])}{f' and {len(shown) - 5} more' if len(shown) > 5 else ''}")
    slower, faster = (sum(row[0] == word for row in rows) for word in ("slower", "faster"))
    print(f"{judged} compared by {options.metric} (medians; Mann-Whitney U, p < {options.alpha:g}, at least {options.smallest:g} %): "
          f"{slower} slower, {faster} faster; by chance alone about {judged * options.alpha:.1f} could look so")
    if judged == 0:
        print("compare.py: nothing could be judged: no benchmark is in both files with enough repetitions", file=sys.stderr)
        return 2
    return 1 if options.fail_on_slower is not None and (too_slow or failed_after) else 0


if __name__ == "__main__":
    sys.exit(main())
