"""The tables of the report as plain cells of text. Refuses to know how they look: render.py."""
import dataclasses

from . import columns
from .columns import Reference, ablation_rows, reference_rows, refused
from .paper import speedup
from .statistics import Ratio, figure, size


@dataclasses.dataclass
class Table:
    title: str
    head: list[str]
    rows: list[list[str]]
    before: str = ""  # a paragraph
    open: bool = True  # shown at once in report.html
    words: int = 1  # columns on the left that hold words
    last_words: bool = False  # the last column does, too

    def holds_words(self, column: int) -> bool:
        return column < self.words or (self.last_words and column == len(self.head) - 1)


def us(value: float | None) -> str:
    return "" if value is None else figure(value)


def times(r: Ratio | None) -> str:
    return "" if r is None else r.text()


def tiny(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"


def number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def pair_words(threads: int, steps: int) -> str:
    return f"{threads} thread{'s' if threads > 1 else ''}, {steps_words(steps)}"


def steps_words(steps: int) -> str:
    return f"{'one step' if steps == 1 else f'{steps} steps'} a call"


def share_words(value: float) -> str:
    return us(value) + (" (above 1: disturbed)" if value > 1 else "")


REFERENCE_HEAD = ["rate", "kept 1 in", "precision", "us/step min", "median", "GOP", "GOP/s", "x our dense", "x best dense peer",
                  "x best dense f32 peer", "sparsity efficiency", "KiB", "GB/s", "roofline share", "threads used", "paper: x on its CPU",
                  "on its GPU"]


def reference(measured: list, main: tuple) -> list[Table]:
    """A table per (block, threads, steps); `main` is shown open."""
    groups: dict[tuple, list[Reference]] = {}
    names: dict[tuple, str] = {}
    for cell, result in ((cell, result) for cell, result in measured if cell.part == "reference"):
        key = (cell.block, cell.threads, cell.steps)
        rows = reference_rows(cell, result)
        groups.setdefault(key, []).extend(rows)
        names[key] = next((f"Fastest dense peer: {r.best_name}" + (f"; in f32: {r.f32_name}" if r.f32_name != r.best_name else "") + "."
                           for r in rows if r.best_name), names.get(key, ""))
    found = []
    for (block, threads, steps), rows in groups.items():
        before = names[block, threads, steps] or "No dense peer was measured with these threads and steps."
        two = threads > 1
        found.append(Table(f"Blocks of {block}, {pair_words(threads, steps)}", REFERENCE_HEAD + ["x one thread"] * two,
                           [reference_row(row, two) for row in rows], before, (block, threads, steps) == main, 3))
    return found


def reference_row(row: Reference, two: bool) -> list[str]:
    """`two`: with the column that compares with one thread."""
    start = [f"{row.rate}x", f"{row.compression:.2f}", row.precision]
    if row.error:
        return start + [f"not measured: {row.error}"] + [""] * (len(REFERENCE_HEAD) - 4 + two)
    cells = [us(row.step_us), us(row.median_us), f"{row.gop:.4f}", us(row.gops), times(row.over_dense) if row.rate > 1 else "1",
             times(row.over_best), times(row.over_f32), us(row.efficiency), f"{row.bytes / 1024:,.0f}", us(row.gbps), share_words(row.share),
             str(row.threads_used),
             figure(speedup(row.rate, "cpu")), figure(speedup(row.rate, "gpu"))]
    return start + cells + ([times(row.over_one_thread)] if two else [])


def rivals(title: str, result: dict, shown: bool = True) -> Table:
    rows = columns.rivals(result)
    ours = [row.label for row in rows if not row.products_only and row.label.startswith("rtmc")]
    head = ["who", "weights", "us/step min", "median", *[f"{name} is x as fast" for name in ours], "largest difference", "allowed",
            "version and settings"]
    lines = []
    for row in rows:
        label = row.label + (" (products only)" if row.products_only else "")
        if row.error:
            why = "missing" if row.missing else "not timed"
            lines.append([label, row.precision, f"{why}: {row.error}"] + [""] * (len(head) - 3))
            continue
        ratios = dict(row.ours)
        lines.append([label, row.precision, us(row.step_us), us(row.median_us), *[times(ratios.get(name)) for name in ours],
                      tiny(row.difference), tiny(row.bound), row.settings])
    return Table(title, head, lines, "", shown, 2, True)


def ablation(cell, result: dict) -> Table:
    lines = []
    for row in ablation_rows(result):
        if row.error:
            lines.append([row.label, row.options, f"not measured: {row.error}", "", "", "", ""])
        else:
            lines.append([row.label, row.options, us(row.step_us), times(row.worth), number(row.loads), number(row.bytes), row.verdict])
    head = ["", "option", "us/step min", "time / time of the full compiler", "loads", "bytes", "worth"]
    return Table(f"{cell.rate}x, {cell.precision}", head, lines, "", True, 2, True)


def scaling(measured: list) -> list[Table]:
    """What several threads are worth, beside the best code for one."""
    lines = []
    for cell, result in ((cell, result) for cell, result in measured if cell.part == "scaling"):
        several, one = result["competitors"]
        start = [f"{cell.rate}x", cell.precision, str(cell.threads)]
        if error := several["error"] or one["error"]:
            lines.append(start + [f"not measured: {error}", "", "", ""])
        else:
            lines.append(start + [us(columns.best(one)), us(columns.best(several)), times(columns.faster(one, several)),
                                  share_words(columns.share(several))])
    head = ["rate", "precision", "threads", "us/step on one", "on all", "x one thread", "roofline share"]
    return [Table("Threads", head, lines, words=2)] if lines else []


def lyra(measured: list) -> list[Table]:
    lines = []
    for cell, result in ((cell, result) for cell, result in measured if cell.part == "lyra"):
        for entry in result["competitors"]:
            start = [cell.matrix, f"{result['weights'] / result['kept']:.2f}", entry["precision"]]
            if entry["error"]:
                lines.append(start + [f"not measured: {entry['error']}"] + [""] * 4)
                continue
            size, step = columns.packed_bytes(entry["facts"]), columns.best(entry)
            lines.append(start + [us(step), us(columns.median(entry)), f"{size / 1024:,.0f}", us(size / step / 1e3),
                                  share_words(columns.share(entry))])
    head = ["matrix", "kept 1 in", "precision", "us/step min", "median", "KiB", "GB/s", "roofline share"]
    return [Table("Lyra's WaveGRU", head, lines, words=3)] if lines else []


def limits(machine: dict) -> list[Table]:
    bandwidth = [[size(entry["bytes"]), *(figure(entry[name]) if entry.get(name) else "not measured" for name in ("gbps", "gbps_4k_pages"))]
                 for entry in machine["bandwidth"]]
    names = (("fma_f32_per_ns", "multiply-adds in f32, per ns"), ("fma_half_per_ns", "multiply-adds in half precision, per ns"),
             ("convert_f16_per_ns", "f16 weights widened and multiplied, per ns"),
             ("convert_bf16_per_ns", "bf16 weights widened and multiplied, per ns"),
             ("gate_ns", "ns per gate (sigmoid or tanh)"), ("barrier_ns", "ns per barrier of two threads"),
             ("handover_ns", "ns per line of 64 bytes that the other core has written"))
    rates = [[words, measured(machine, name)] for name, words in names]
    return [Table("Read bandwidth, one thread", ["footprint", "GB/s, 2 MB pages", "GB/s, 4 KB pages"], bandwidth),
            Table("Arithmetic and waiting, one core", ["what", "measured"], rates)]


def measured(machine: dict, name: str) -> str:
    if name in ("barrier_ns", "handover_ns") and machine.get("cores", 1) < 2:
        return "not measured: one core"
    if machine.get(name):
        return figure(machine[name])
    return "no such instructions" if name == "fma_half_per_ns" else "not measured"


def missing(cells: list, get, facts: dict) -> list[str]:
    """What is not in the report, and why; one sentence each."""
    said = [text for text in (facts["rtmc_missing"], facts["peers_missing"]) if text]
    said += facts["left_out"]
    said += [f"not measured: {title}: {why}" for title, why in facts["failed"].items()]
    absent = [cell.title for cell in cells if not get(cell) and cell.title not in facts["failed"]]
    if absent:
        why = "the run was interrupted, and the same command goes on" if facts["interrupted"] else "not asked for in this run"
        named = ", ".join(absent[:6]) + (" ..." if len(absent) > 6 else "")
        said.append(f"{len(absent)} of {len(cells)} cells have no results ({why}): {named}")
    reasons: dict[str, set] = {}
    for cell in cells:
        for entry in (get(cell) or {}).get("competitors", []):
            if entry["error"]:
                reasons.setdefault(f"{entry['label']}: {entry['error']}", set()).add(cell.part)
    said += [f"{why} (in: {', '.join(sorted(parts))})" for why, parts in sorted(reasons.items())]
    count = refused([get(cell) for cell in cells if get(cell)])
    if count:
        said.append("ratios to a peer that are not printed because their rounds disagree by more than 25 %, or because the programs had to "
                    f"wait for a processor: {count}")
    return said
