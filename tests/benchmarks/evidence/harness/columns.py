"""What the report says, worked out of what was measured: every column of every table, and nothing about how it looks. Pure."""
import dataclasses
import statistics

from . import paper
from .statistics import Ratio, figure, ratio

NOISE = 0.02  # an idea that changes the time by less changed nothing that this can see


def best(entry: dict) -> float | None:
    """Microseconds per step."""
    return min((turn["min"] for turn in entry["rounds"]), default=None)


def median(entry: dict) -> float | None:
    values = sorted(turn["median"] for turn in entry["rounds"])
    return values[len(values) // 2] if values else None


def share(entry: dict) -> float | None:
    """Of the roof: floor / time."""
    return entry["facts"]["floor_us"] / best(entry) if entry["rounds"] else None


def packed_bytes(facts: dict) -> int:
    return facts["weight_bytes"] + facts["index_bytes"]


def find(result: dict, name: str) -> dict | None:
    return next((entry for entry in result["competitors"] if entry["id"] == name), None)


def faster(slow: dict | None, fast: dict | None) -> Ratio | None:
    """How many times as fast `fast` is; None where one of them was not timed."""
    if slow is None or fast is None:
        return None
    waited = max((statistics.median(turn.get("waited", 0.0) for turn in entry["rounds"]) for entry in (slow, fast) if entry["rounds"]),
                 default=0.0)
    return ratio([turn["min"] for turn in slow["rounds"]], [turn["min"] for turn in fast["rounds"]], waited)


def value(r: Ratio | None) -> float | None:
    """Only of a ratio that may be printed."""
    return r.value if r is not None and r.agrees else None


@dataclasses.dataclass
class Reference:
    """A row of part 1: the reference network at one rate and precision."""
    block: str
    rate: int
    threads: int
    steps: int
    precision: str
    error: str = ""
    compression: float = 1.0  # weights before pruning / kept weights
    density: float = 1.0
    step_us: float | None = None
    median_us: float | None = None
    gop: float = 0.0  # of a frame, as the paper counts
    gops: float | None = None
    over_dense: Ratio | None = None  # our own, same precision
    over_best: Ratio | None = None  # the fastest dense peer, whatever its precision
    best_name: str = ""
    over_f32: Ratio | None = None  # the fastest dense peer in f32
    f32_name: str = ""
    over_one_thread: Ratio | None = None
    efficiency: float | None = None  # speed-up over the best dense implementation, times density
    bytes: int | None = None
    gbps: float | None = None
    share: float | None = None  # floor / time
    threads_used: int | None = None
    footprint_bytes: int | None = None  # kept weights that the code reads, of one thread
    phases: tuple = ()  # (name, us)


def reference_rows(cell, result: dict) -> list[Reference]:
    rows = []
    for precision in cell.precisions:
        row = Reference(cell.block, cell.rate, cell.threads, cell.steps, precision)
        row.compression, row.density = result["weights"] / result["kept"], result["kept"] / result["weights"]
        row.gop = paper.frame_gop(result["kept"])
        entry = find(result, f"rtmc-{precision}")
        rows.append(row)
        if entry is None or entry["error"]:
            row.error = entry["error"] if entry else "it was not measured"
            continue
        _times(row, entry, result["kept"])
        if cell.rate > 1:
            row.over_dense = faster(find(result, f"rtmc-{precision} dense"), entry)
        row.over_one_thread = faster(find(result, f"rtmc-{precision} one thread"), entry)
        _peers(row, entry, result)
    return rows


def _times(row: Reference, entry: dict, kept: int) -> None:
    facts = entry["facts"]
    row.step_us, row.median_us = best(entry), median(entry)
    row.gops = paper.gops(kept, row.step_us)
    row.bytes = packed_bytes(facts)
    row.gbps = row.bytes / row.step_us / 1e3
    row.share = share(entry)
    row.threads_used = entry.get("threads_used", facts["threads_used"])
    row.footprint_bytes = facts["footprint_bytes"]
    row.phases = tuple(zip(facts["phases"], facts["phase_us"]))


def _peers(row: Reference, entry: dict, result: dict) -> None:
    """The fastest dense peers, as they were measured in the same turns."""
    peers = [peer for peer in result["competitors"] if peer["kind"] == "peer" and peer["rounds"] and not peer["products_only"]]
    peers.sort(key=best)
    if peers:
        row.over_best, row.best_name = faster(peers[0], entry), name_of(peers[0])
    f32 = [peer for peer in peers if peer["precision"] == "f32"]
    if f32:
        row.over_f32, row.f32_name = faster(f32[0], entry), name_of(f32[0])
    known = [value(r) for r in (row.over_dense, row.over_best) if r is not None]
    if known and None not in known:
        row.efficiency = min(known) * row.density


def name_of(peer: dict) -> str:
    return f"{peer['peer']}, reset {peer['reset']}" if peer.get("reset") else peer["peer"]


@dataclasses.dataclass
class Rival:
    """A row of parts 3 and 6: somebody else, beside ours in the same turns."""
    label: str
    precision: str
    settings: str
    step_us: float | None
    median_us: float | None
    ours: list[tuple[str, Ratio | None]]  # (which of ours, how many times as fast it is)
    difference: float | None
    bound: float | None
    error: str
    missing: bool
    products_only: bool


def rivals(result: dict) -> list[Rival]:
    """Ours first, then the others from fast to slow, then those that have no time."""
    ours = [entry for entry in result["competitors"] if entry["kind"] == "ours"]
    others = [entry for entry in result["competitors"] if entry["kind"] != "ours"]
    others.sort(key=lambda entry: (best(entry) is None, best(entry) or 0.0))
    rows = []
    for entry in ours + others:
        agreement = entry.get("agreement") or {}
        told = " ".join(part for part in (entry.get("version", ""), entry.get("settings", "")) if part)
        rows.append(Rival(entry["label"], entry["precision"], told, best(entry), median(entry),
                          [] if entry in ours else [(own["label"], faster(entry, own)) for own in ours], agreement.get("difference"),
                          agreement.get("bound"), entry["error"], entry.get("missing", False), entry["products_only"]))
    return rows


@dataclasses.dataclass
class Ablation:
    label: str
    options: str
    step_us: float | None
    worth: Ratio | None  # time without the idea / time with all of them
    loads: int | None
    bytes: int | None
    verdict: str
    error: str


def ablation_rows(result: dict) -> list[Ablation]:
    full = result["competitors"][0]
    rows = []
    for entry in result["competitors"]:
        facts = entry.get("facts") or {}
        worth = None if entry is full else faster(entry, full)
        size = packed_bytes(facts) if facts else None
        rows.append(Ablation(entry["label"].removeprefix("rtmc "), entry["settings"], best(entry), worth, facts.get("loads_after"), size,
                             "" if entry is full else verdict(entry, full, worth), entry["error"]))
    return rows


def verdict(entry: dict, full: dict, worth: Ratio | None) -> str:
    """What the idea is worth here, in words."""
    if entry["error"] or full["error"]:
        return "not measured"
    if all(entry["facts"].get(name) == full["facts"].get(name) for name in ("code", "placement")):
        return "nothing here: the same code"
    if worth is None:
        return "not measured"
    if not worth.agrees:
        return f"not known: {worth.text()}"
    low, high = (worth.value, worth.value) if worth.low is None else (worth.low, worth.high)
    if low <= 1 + NOISE and high >= 1 - NOISE:
        return "nothing that can be told from noise"
    if worth.value > 2:
        return f"{figure(worth.value)} times the time without it"
    if worth.value > 1:
        return f"{100 * (worth.value - 1):.0f} % more time without it"
    return f"it costs here: {100 * (1 - worth.value):.0f} % less time without it"


def refused(results: list[dict]) -> int:
    """Ratios of ours to somebody else that are not printed."""
    count = 0
    for result in results:
        ours = [e for e in result.get("competitors", []) if e["kind"] == "ours"]
        for entry in result.get("competitors", []):
            if entry["kind"] != "ours":
                count += sum(1 for own in ours if (r := faster(entry, own)) is not None and not r.agrees)
    return count
