"""The pictures, as SVG text: readable in black and white (markers, line styles and hatches tell things apart, never colour alone), the
same bytes for the same results. Each function returns None where it has nothing to draw."""
import io
import re

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.patches import Rectangle  # noqa: E402

from . import paper  # noqa: E402
from .columns import Reference  # noqa: E402
from .spy import unpack  # noqa: E402
from .statistics import figure as digits  # noqa: E402
from .statistics import size  # noqa: E402

STYLES = {"f32": ("o", "-", "0.0"), "f16": ("s", "--", "0.35"), "bf16": ("^", "-.", "0.15")}
HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "++++", "oo", "--")
SHARES = ("0", "0.55")  # grey of the first thread's rows, and of the others'
plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "rtmc", "font.family": "sans-serif", "font.size": 9, "axes.grid": True,
                     "grid.color": "0.88", "axes.axisbelow": True, "axes.spines.top": False, "axes.spines.right": False,
                     "legend.frameon": False, "figure.constrained_layout.use": True, "hatch.linewidth": 0.6})


def svg(figure, name: str) -> str:
    """Without dates, names of programs, or ids that another picture on the page may have too."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Title": name})
    plt.close(figure)
    found = text.getvalue()
    found = found[found.index("<svg"):]
    found = re.sub(r'\bid="', f'id="{name}-', found)
    found = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", found)
    return re.sub(r"[ \t]+$", "", found, flags=re.M)


def plain(axis, ticks: tuple, words=str) -> None:
    """Those of the ticks that lie on the axis, as plain numbers."""
    low, high = axis.get_view_interval()
    shown = [tick for tick in ticks if low <= tick <= high]
    axis.set_ticks(shown, [words(tick) for tick in shown])
    axis.set_ticks([], minor=True)


def speedups(rows: list[Reference]) -> str | None:
    """Figure 4 of the paper, with ours: `rows` of one block, thread count and steps."""
    precisions = [p for p in STYLES if any(row.precision == p and row.rate > 1 and row.step_us for row in rows)]
    if not precisions:
        return None
    figure, panels = plt.subplots(1, 2, figsize=(10, 4.4), sharex=True, sharey=True)
    peers = sorted({row.best_name for row in rows if row.best_name})
    titles = ("over our own dense code", f"over the fastest dense peer\n({'; '.join(peers) or 'none was measured'})")
    for panel, title, what in zip(panels, titles, ("over_dense", "over_best")):
        rates = [rate for rate in paper.RATES if rate > 1]
        panel.plot([1, 400], [1, 400], color="0.6", linewidth=0.8, zorder=1)
        panel.text(330, 300, "every removed weight pays", rotation=45, color="0.35", fontsize=8, ha="right", va="top",
                   rotation_mode="anchor", transform_rotates_text=True)
        for device, marker, words in (("cpu", "x", "paper: Kryo 485 CPU"), ("gpu", "+", "paper: Adreno 640 GPU")):
            panel.plot(rates, [paper.speedup(rate, device) for rate in rates], marker=marker, linestyle=":", color="0.45", label=words)
        for precision in precisions:
            marker, line, grey = STYLES[precision]
            points = [(row.compression, r.value, r.low, r.high) for row in rows if row.precision == precision and row.rate > 1
                      if (r := getattr(row, what)) is not None and r.agrees]
            if not points:
                continue
            x, y, low, high = zip(*points)
            panel.plot(x, y, marker=marker, linestyle=line, color=grey, markerfacecolor="white" if precision == "f32" else grey,
                       label=f"rtmc {precision}")
            if None not in low:
                panel.vlines(x, low, high, color=grey, linewidth=1)
        panel.set(xscale="log", yscale="log", xlabel="compression rate", title=title, xlim=(8, 400))
        panel.set_xticks(rates, [str(rate) for rate in rates], fontsize=7)
        panel.minorticks_off()
        panel.set_ylim(bottom=4)
        plain(panel.yaxis, (5, 10, 20, 50, 100, 200, 500, 1000))
    panels[0].set_ylabel("speed-up")
    panels[0].legend(loc="upper left", fontsize=8)
    return svg(figure, "speedups")


def roofline(rows: list[Reference], machine: dict | None) -> str | None:
    """Kept weights read per second against the bytes of them, under what the machine reads and multiplies."""
    dots = [row for row in rows if row.step_us and row.footprint_bytes]
    if not machine or not dots:
        return None
    figure, panel = plt.subplots(figsize=(8, 4.8))
    levels = sorted(machine["bandwidth"], key=lambda entry: entry["bytes"])
    panel.plot([e["bytes"] for e in levels], [e["gbps"] for e in levels], color="0", linewidth=1.4, label="reads, 2 MB pages")
    small = [e for e in levels if e.get("gbps_4k_pages")]
    panel.plot([e["bytes"] for e in small], [e["gbps_4k_pages"] for e in small], color="0", linewidth=1, linestyle=":",
               label="reads, 4 KB pages")
    peaks = {"f32": (machine.get("fma_f32_per_ns"), 4), "bf16": (machine.get("convert_bf16_per_ns"), 2),
             "f16": (max(machine.get("fma_half_per_ns") or 0, machine.get("convert_f16_per_ns") or 0), 2)}
    left, right = min(row.footprint_bytes for row in dots) / 2, max(row.footprint_bytes for row in dots) * 2
    for precision, (peak, width) in peaks.items():
        if peak and any(row.precision == precision for row in dots):
            panel.axhline(peak * width, color="0.45", linewidth=0.9, linestyle=STYLES[precision][1])
            panel.text(right, peak * width, f"{precision} multiply-adds ", ha="right", va="bottom", fontsize=7, color="0.3")
    for precision, (marker, _, grey) in STYLES.items():
        for threads in sorted({row.threads_used for row in dots}):
            some = [row for row in dots if row.precision == precision and row.threads_used == threads]
            if some:
                panel.plot([row.footprint_bytes for row in some], [row.footprint_bytes / row.step_us / 1e3 for row in some], marker,
                           color=grey, markerfacecolor="white" if threads > 1 else grey, markersize=5,
                           label=f"{precision}, {threads} thread{'s (each)' if threads > 1 else ''}")
    panel.set(xscale="log", yscale="log", xlabel="bytes of kept weights that one thread reads in a step",
              ylabel="GB/s of kept weights", xlim=(left, right))
    panel.set_ylim(bottom=min(panel.get_ylim()[0], 10))
    plain(panel.yaxis, (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000))
    plain(panel.xaxis, tuple(2**k for k in range(12, 28, 2)), size)
    panel.legend(loc="lower right", fontsize=7, ncols=2)
    return svg(figure, "roofline")


def phases(rows: list[Reference], precision: str) -> str | None:
    """Shares of a step's time, one bar per rate."""
    chosen = [row for row in rows if row.precision == precision and row.phases]
    if not chosen:
        return None
    names = list(dict.fromkeys(name for row in chosen for name, _ in row.phases))
    figure, panel = plt.subplots(figsize=(8, 1.2 + 0.32 * len(chosen)))
    for place, row in enumerate(chosen):
        total, left = sum(us for _, us in row.phases), 0.0
        for name, us in row.phases:
            index = names.index(name)
            panel.barh(place, us / total, left=left, color="white" if index % 2 == 0 else "0.8", edgecolor="0", linewidth=0.7,
                       hatch=HATCHES[index % len(HATCHES)], label=name if place == 0 else None)
            if us / total > 0.06:
                panel.text(left + us / total / 2, place, f"{digits(us)} us", ha="center", va="center", fontsize=7,
                           bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})
            left += us / total
    panel.set(xlim=(0, 1), xlabel=f"share of the time of a step, {precision}, one thread, phases timed one by one")
    panel.set_yticks(range(len(chosen)), [f"{row.rate}x" for row in chosen])
    panel.invert_yaxis()
    panel.grid(False)
    panel.legend(*panel.get_legend_handles_labels(), loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=8)
    return svg(figure, "phases")


def spy(pattern: dict | None) -> str | None:
    """One matrix in the user's order, and as it is laid out: stripes, and the thread that each belongs to."""
    if not pattern or "missing" in pattern:
        return None
    figure, (before, after) = plt.subplots(1, 2, figsize=(9, 4.7))
    mask = unpack(pattern["mask"], pattern["mask_shape"])
    before.imshow(mask, cmap="Greys", interpolation="nearest", aspect="auto", extent=(0, mask.shape[1], mask.shape[0], 0))
    before.set(title=f"{pattern['matrix']} as it was given", xlabel="column", ylabel="row")
    shares = sorted({run["share"] for run in pattern["runs"]})
    for run in pattern["runs"]:
        for top, bottom in run["rows"]:
            for left, right in run["columns"]:
                after.add_patch(Rectangle((left, top), right - left, bottom - top, linewidth=0, facecolor=SHARES[run["share"] > 0]))
            # The whole stripe, so that its height shows.
            after.add_patch(Rectangle((0, top), pattern["columns"], bottom - top, fill=False, edgecolor="0.75", linewidth=0.5))
    after.set(xlim=(0, pattern["columns"]), ylim=(pattern["rows"], 0), xlabel="column, in the program's order",
              ylabel="row, in the program's order",
              title=f"as it is laid out: {pattern['rows']} live rows, {len(pattern['runs'])} runs of tiles")
    for share in shares:
        after.add_patch(Rectangle((0, 0), 0, 0, facecolor=SHARES[share > 0], label=f"thread {share + 1}"))
    after.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, fontsize=8)
    for panel in (before, after):
        panel.grid(False)
    return svg(figure, "spy")
