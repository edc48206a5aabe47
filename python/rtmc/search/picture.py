"""pareto.svg: the metric against the time of a step, with the front. Readable in black and white: markers and line styles tell things
apart, never colour alone; the same bytes for the same results. Importing it needs matplotlib."""
import io
import itertools
from typing import Any, Dict, List, Optional, Tuple

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

_MARKERS = {"f32": "o", "f16": "s", "bf16": "^"}
_AROUND = ((1, 1), (1, -1), (-1, 1), (-1, -1), (0, 1), (0, -1), (1, 0), (-1, 0))
_ACROSS, _UPWARDS = {-1: "right", 0: "center", 1: "left"}, {-1: "top", 0: "center", 1: "bottom"}
_SIZE = 7  # of labels
_Box = Tuple[float, float, float, float]
_STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "rtmc", "font.family": "sans-serif", "font.size": 9, "axes.grid": True,
          "grid.color": "0.88", "axes.axisbelow": True, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False}


def pareto(found: Dict[str, Any]) -> Optional[str]:
    rows = [row for row in found["rows"] if not row["error"] and "metric" in row and "step_us" in row]
    if not rows:
        return None
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(9, 5.8), dpi=72, layout="constrained")
        FigureCanvasSVG(figure)
        panel = figure.add_subplot()
        for precision, marker in _MARKERS.items():
            for row in (r for r in rows if r["precision"] == precision):
                face = "0" if row["pareto"] else "0.6" if row["not_excluded"] else "white"
                if row["step_us_low"] is not None:
                    panel.plot([row["step_us_low"], row["step_us_high"]], [row["metric"]] * 2, color="0.4", linewidth=1, zorder=2)
                panel.plot(row["step_us"], row["metric"], marker, color="0", markerfacecolor=face, markersize=6, zorder=3)
        _legend(panel, rows)
        metric = found["metric"]
        panel.set(xlabel="microseconds per step (line: interval of the median)",
                  ylabel=f"{_plain(metric['name'])} ({'lower' if metric['lower_is_better'] else 'higher'} is better)",
                  title=f"{_plain(found['model'])}: {found['scheme']}, {found['pruning']}")
        panel.margins(x=0.12, y=0.12)
        if max(row["step_us"] for row in rows) > 3 * min(row["step_us"] for row in rows):
            panel.set_xscale("log")
            panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            panel.xaxis.set_minor_formatter(NullFormatter())
            panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        _dense(panel, found)
        _front(panel, rows)
        figure.draw_without_rendering()  # places the axes; labels are fitted between what they show
        _labels(panel, rows)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Title": "Pareto front"})
    return text.getvalue()


def _plain(text: str) -> str:
    """Matplotlib takes what stands between dollar signs as a formula."""
    return text.replace("$", r"\$")


def _front(panel: Any, rows: List[Dict[str, Any]]) -> None:
    """What can be had within each time, as stairs."""
    members = sorted((row["step_us"], row["metric"]) for row in rows if row["pareto"])
    right = panel.get_xlim()[1]
    panel.step(*zip(*members, (right, members[-1][1])), where="post", color="0.2", linestyle="--", linewidth=1.2, zorder=2.5)
    panel.set_xlim(right=right)


def _legend(panel: Any, rows: List[Dict[str, Any]]) -> None:
    for precision in dict.fromkeys(row["precision"] for row in rows):
        panel.plot([], [], _MARKERS[precision], color="0", markerfacecolor="white", label=precision)
    panel.plot([], [], "--", color="0.3", label="Pareto front of the medians (filled)")
    if any(row["not_excluded"] for row in rows):
        panel.plot([], [], "o", color="0", markerfacecolor="0.6", label="not excluded by the noise (grey)")
    panel.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3)


def _dense(panel: Any, found: Dict[str, Any]) -> None:
    """The metric of the model as given, as a line: its time would press the candidates together."""
    values = sorted({row["metric"] for row in found["dense"] if "metric" in row})
    for value in values:
        panel.axhline(value, color="0.5", linewidth=0.8, linestyle=":", zorder=0)
    if values:
        panel.text(0.995, values[-1], "as given", transform=panel.get_yaxis_transform(), fontsize=8, color="0.35", ha="right", va="bottom")


def _labels(panel: Any, rows: List[Dict[str, Any]]) -> None:
    """Each beside its dot, where it covers no dot, no interval and no label that was placed before; members of the front first."""
    points = [tuple(panel.transData.transform((row["step_us"], row["metric"]))) for row in rows]
    taken: List[_Box] = [(x - 5, y - 5, x + 5, y + 5) for x, y in points]
    for row, (_, y) in zip(rows, points):
        if row["step_us_low"] is not None:
            ends = [panel.transData.transform((row[key], row["metric"]))[0] for key in ("step_us_low", "step_us_high")]
            taken.append((ends[0], y - 1, ends[1], y + 1))
    for row, (x, y) in sorted(zip(rows, points), key=lambda pair: (not pair[0]["pareto"], pair[1])):
        measured = panel.text(0, 0, row["label"], fontsize=_SIZE)
        box = measured.get_window_extent()
        measured.remove()
        # Wider, since whoever shows the file may have another font.
        width, height = 1.15 * box.width, 1.1 * box.height
        for reach, (dx, dy) in itertools.product((5, 13, 23, 35, 50), _AROUND):
            # Small steps to the side, so that a label stands above its dot and not in the next one's place.
            right, up = dx * reach * (0.5 if dy else 1.2), dy * reach
            left, bottom = x + right - width * (1 - dx) / 2, y + up - height * (1 - dy) / 2
            place = (left, bottom, left + width, bottom + height)
            if not any(_cover(place, other) for other in taken):
                break
        else:
            right, up, dx, dy, reach = 3, 5, 1, 1, 5  # a crowd: over others
        taken.append(place)
        note = panel.annotate(row["label"], (row["step_us"], row["metric"]), (right, up), textcoords="offset points", fontsize=_SIZE,
                              ha=_ACROSS[dx], va=_UPWARDS[dy],
                              arrowprops={"arrowstyle": "-", "color": "0.6", "linewidth": 0.5} if reach > 5 else None)
        note.set_in_layout(False)


def _cover(a: _Box, b: _Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
