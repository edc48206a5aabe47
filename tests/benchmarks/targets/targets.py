#!/usr/bin/env python3
"""The project's speed targets beside what scripts/bench.sh measured. Reads its results; measures nothing.

    targets.py [build/bench/results.json] [--block 256x256] [--json]

One row per target of the reference network (examples/rtmobile_gru), 50 steps a call, of Lyra's matrices, and of small dense networks,
one step a call:
reached    the figure that the target is about. `x rate`: times as fast as the dense f32 peer of the same turns / pruning rate
interval   95 %, over the rounds; of a share the smallest and the largest of any round, the share itself being of the best time
share      of the roof: floor / time (docs/json.md, `rtmc bench`)
roof       that figure of a step at exactly its floor: a target above it cannot be met on that machine
widened    the same where the products take as long as widening 16-bit weights and multiplying with them in a loop of nothing else takes
           (`rtmc machine`): the floor leaves conversions out, but kernels whose sums are f32 cannot
bytes      packed values and indices / kept weights x element size
A cell of the full form is taken before one of the quick form. Blocks other than 256x256 are reported, not judged. Exit status 1 where
the file cannot be used.
"""
import argparse
import dataclasses
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "evidence"))
from harness import columns, paper, plan  # noqa: E402
from harness.statistics import figure  # noqa: E402
from harness.store import FORMAT, rtmcs  # noqa: E402

RESULTS = HERE.parents[2] / "build" / "bench" / "results.json"
JUDGED = plan.BLOCKS[0]
STEPS = 50  # a call
BYTES = {"f32": 4, "f16": 2, "bf16": 2}
ALL_CORES = 1024  # no cell is left out for want of one
SHARE, SIXTEEN_BITS, F32, F32_FROM = 0.8, 3.0, 2.0, 29  # of the dense network; x rate; x rate, from this rate on
THREADS, SMALL = 2.0, 2.5  # x one thread; x ONNX Runtime
LYRA = {"gru_layer": 0.7, "conv_to_gates": 0.5, "proj": 0.5}


@dataclasses.dataclass
class Row:
    what: str
    unit: str  # of the target and of what was reached
    target: float | None = None  # None: reported, not judged
    reached: float | None = None
    low: float | None = None
    high: float | None = None
    against: str = ""
    times_as_fast: float | None = None
    step_us: float | None = None
    share: float | None = None
    roof: float | None = None
    widened: float | None = None
    bytes: float | None = None
    verdict: str = ""


class NoFigure(Exception):
    """The text says why."""


class Results:
    def __init__(self, cells: dict):
        known = [cell for settings in (plan.FULL, plan.QUICK) for cell in plan.cells(settings, ALL_CORES)[0]]
        self.cells = [(cell, cells.get(cell.key)) for cell in known]
        self.machine = next((result["machine"] for cell, result in self.cells if cell.part == "machine" and result), {})

    def cell(self, part: str, **values) -> dict:
        """The first that was measured, of all that have these values; of several values in one cell, this one among them."""
        def fits(cell, name, value):
            own = getattr(cell, name)
            return value in own if isinstance(own, tuple) else value == own
        alike = [(cell, result) for cell, result in self.cells if cell.part == part and all(fits(cell, *item) for item in values.items())]
        for _, result in alike:
            if result is not None:
                return result
        raise NoFigure(f"not measured: {alike[0][0].title}")

    def reference(self, block: str, rate: int, precision: str, threads: int = 1) -> dict:
        return self.cell("reference", block=block, rate=rate, threads=threads, steps=STEPS, precisions=precision)


def entry_of(result: dict, name: str) -> dict:
    entry = columns.find(result, name)
    if entry is None or not entry["rounds"]:
        raise NoFigure(f"not measured: {name}: {(entry or {}).get('error') or 'it was not among the competitors'}")
    return entry


def dense_peer(result: dict) -> dict:
    """ONNX Runtime where it was timed in these turns, else the fastest in f32."""
    peers = [entry for entry in result["competitors"] if entry["kind"] == "peer" and entry["precision"] == "f32" and entry["dense"]
             and entry["rounds"] and not entry["products_only"]]
    if not peers:
        raise NoFigure("not measured: no dense f32 peer was timed beside it")
    return min(peers, key=lambda entry: (entry["peer"] != "onnxruntime-f32", columns.best(entry)))


def describe(row: Row, entry: dict) -> None:
    facts = entry["facts"]
    row.step_us, row.share = columns.best(entry), columns.share(entry)
    row.bytes = columns.packed_bytes(facts) / (facts["nonzeros"] * BYTES[entry["precision"]]) if facts["nonzeros"] else None


def widened_share(entry: dict, machine: dict) -> float | None:
    """Floor / the least time with conversions. None in f32, and where the machine was not measured."""
    facts, per_ns = entry["facts"], machine.get(f"convert_{entry['precision']}_per_ns")
    if not per_ns:
        return None
    products = max(facts["floor_bandwidth_us"], facts["nonzeros"] / per_ns / facts["threads_used"] / 1e3)
    return min(1.0, facts["floor_us"] / (products + facts["floor_gates_us"]))


def judge(row: Row) -> None:
    if row.share > 1:
        row.verdict = "disturbed: the share is above 1"
    elif row.target is not None:
        row.verdict = "met" if row.reached >= row.target else "missed"
        if row.low is not None and row.low <= row.target <= row.high:
            row.verdict += ", the interval holds the target"
        if row.roof < row.target:
            row.verdict += ", the roof is lower"
        elif row.widened is not None and row.widened < row.target:
            row.verdict += ", the roof with widening is lower"


def shares(row: Row, machine: dict, find) -> None:
    """`find()` -> ours."""
    entry = find()
    describe(row, entry)
    each = [entry["facts"]["floor_us"] / turn["min"] for turn in entry["rounds"]]
    row.reached, row.low, row.high, row.roof = row.share, min(each), max(each), 1.0
    row.widened = widened_share(entry, machine)


def ratios(row: Row, machine: dict, find, rate: int = 1) -> None:
    """`find()` -> (the other, ours)."""
    other, entry = find()
    describe(row, entry)
    row.against = columns.name_of(other) if "peer" in other else other["label"]
    ratio = columns.faster(other, entry)
    if not ratio.agrees:
        raise NoFigure(f"not known: {ratio.text()}")
    row.times_as_fast, row.reached, row.roof = ratio.value, ratio.value / rate, columns.best(other) / entry["facts"]["floor_us"] / rate
    share = widened_share(entry, machine)
    row.widened = None if share is None else row.roof * share
    if ratio.low is not None:
        row.low, row.high = ratio.low / rate, ratio.high / rate


def filled(row: Row, machine: dict, fill, *how) -> Row:
    try:
        fill(row, machine, *how)
        judge(row)
    except NoFigure as problem:
        row.verdict = str(problem)
    return row


def reference_rows(results: Results, block: str) -> list[Row]:
    rows = []
    for rate in paper.RATES:
        if rate == 1:
            if block != JUDGED:
                continue  # the dense network has no blocks
            rows.append(filled(Row("1x f32", "share", SHARE), results.machine, shares,
                               lambda: entry_of(results.reference(block, 1, "f32"), "rtmc-f32")))
        for precision in ("f32",) if rate == 1 else ("bf16", "f16", "f32"):
            target = SIXTEEN_BITS if precision != "f32" else F32 if rate >= F32_FROM else None

            def find():
                result = results.reference(block, rate, precision)
                return dense_peer(result), entry_of(result, f"rtmc-{precision}")
            rows.append(filled(Row(f"{rate}x {precision}", "x rate", target if block == JUDGED else None), results.machine, ratios, find, rate))
    return rows


def other_rows(results: Results) -> list[Row]:
    def threads():
        result = results.cell("scaling", block=JUDGED, rate=10, precision="bf16", threads=2)
        return entry_of(result, "rtmc-1 thread"), entry_of(result, "rtmc-2 threads")

    def same_code():
        result = results.reference(JUDGED, 10, "bf16", 2)
        return entry_of(result, "rtmc-bf16 one thread"), entry_of(result, "rtmc-bf16")

    def small(network):
        result = results.cell("small", network=network)
        return dense_peer(result), entry_of(result, "rtmc-f32")

    machine = results.machine
    rows = [filled(Row("10x bf16, 2 threads", "x", THREADS), machine, ratios, threads),
            filled(Row("... against the same code on 1", "x"), machine, ratios, same_code)]
    for name, target in LYRA.items():
        rows.append(filled(Row(f"Lyra {name} bf16", "share", target), machine, shares,
                           lambda: entry_of(results.cell("lyra", matrix=name), "rtmc-bf16")))
    for name, what in (("deepfilternet3", "GRU 256"), ("dtln", "LSTM 128 x 2")):
        rows.append(filled(Row(f"{what} f32 ({name})", "x", SMALL), machine, ratios, lambda: small(name)))
    return rows


def cells_of(row: Row) -> list[str]:
    def number(value, unit=""):
        return "" if value is None else figure(value) + unit
    reached = number(row.reached, f" {row.unit}") if row.unit != "share" else number(row.reached)
    if row.unit == "x rate" and row.reached is not None:
        reached += f" ({figure(row.times_as_fast)} x)"
    interval = "" if row.low is None else f"{figure(row.low)} - {figure(row.high)}"
    target = "" if row.target is None else f"share {row.target:g}" if row.unit == "share" else f"{row.target:g} {row.unit}"
    return [row.what, target, reached, interval, row.against, number(row.step_us), number(row.share), number(row.roof), number(row.widened),
            number(row.bytes), row.verdict]


HEAD = ["target", "to reach", "reached", "interval", "against", "us/step", "share", "roof", "widened", "bytes", ""]


def markdown(rows: list[Row]) -> str:
    lines = [HEAD, *map(cells_of, rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(HEAD))]
    padded = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in lines]
    return "\n".join([padded[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *padded[1:]])


def read(path: pathlib.Path) -> dict:
    data = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict) or not isinstance(data.get("cells"), dict):
        raise ValueError("it is no file of results")
    if data.get("format") != FORMAT:
        raise ValueError(f"its format is {data.get('format')}, not {FORMAT}")
    return data


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=pathlib.Path, nargs="?", default=RESULTS)
    parser.add_argument("--block", choices=plan.BLOCKS, default=JUDGED)
    parser.add_argument("--json", action="store_true", help="one list of rows instead of a table")
    arguments = parser.parse_args()
    try:
        data = read(arguments.results)
        results = Results(data["cells"])
        rows = reference_rows(results, arguments.block) + (other_rows(results) if arguments.block == JUDGED else [])
        measured = ", ".join(sorted({run["date"] for run in data["runs"]}))
        where = f"{data['identity']['machine']['processor']}, {rtmcs(data['cells'])}, {measured}, blocks of {arguments.block}"
    except OSError as problem:
        print(f"targets.py: {arguments.results}: {problem.strerror}; scripts/bench.sh makes it", file=sys.stderr)
        return 1
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        why = f"{problem} is missing" if isinstance(problem, KeyError) else problem
        print(f"targets.py: {arguments.results} is not what scripts/bench.sh wrote: {why}", file=sys.stderr)
        return 1
    print(json.dumps([dataclasses.asdict(row) for row in rows], indent=1) if arguments.json else f"{where}\n\n{markdown(rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
