"""The report's pictures (matplotlib, SVG, readable in black and white)."""
from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

from . import files  # noqa: E402
from .figures import Row  # noqa: E402

_MARKS = {"dense": "*", "bsp": "o", "bsp, ADMM": "p", "unstructured": "^", "csb": "s", "bank": "D", "row_column": "v", "bcr": "P", "block": "X",
          "smaller": "+", "reset before": "x"}
_GREY = {"bsp": "0.0", "unstructured": "0.35"}


def error_against_rate(rows: list[Row], paper: dict[float, dict[str, float]], path: Path) -> None:
    """Loss in PER points against the realised rate, with its interval, and the paper's."""
    figure, axes = plt.subplots(figsize=(8, 5))
    for table, mark in _MARKS.items():
        chosen = [r for r in rows if r.table == table and r.loss is not None]
        if chosen:
            x, y = [r.realised for r in chosen], [r.loss.value for r in chosen if r.loss]
            error = [[max(0.0, d) for d in side] for side in ([r.loss.value - r.loss.low for r in chosen if r.loss],
                                                              [r.loss.high - r.loss.value for r in chosen if r.loss])]
            axes.errorbar(x, y, error, fmt=mark, color=_GREY.get(table, "0.5"), markersize=6, linewidth=1, capsize=2, label=f"{table}")
    rates = sorted(paper)
    axes.plot(rates, [paper[r]["loss"] for r in rates], "k--", linewidth=1, label="RTMobile, TIMIT (Table I)")
    axes.axhline(0, color="0.7", linewidth=0.8)
    axes.set(xscale="log", xlabel="weights / kept weights of the recurrent matrices", ylabel="PER points lost against the dense network")
    ticks = [r for r in rates if r not in (1, 19, 245)]
    axes.set_xticks(ticks, [f"{r:g}" for r in ticks])
    axes.minorticks_off()
    axes.legend(fontsize=8)
    _save(figure, path)


def curves(scores: dict[str, dict[str, Any]], path: Path) -> None:
    """Share of right frames on the development speakers against epochs, with each run after the one that it began from."""
    figure, axes = plt.subplots(figsize=(8, 5))
    last: dict[str | None, int] = {}
    for number, (name, score) in enumerate((name, score) for name, score in scores.items() if score["curve"]):
        begin = last.get(score["run"]["parent"], 0)
        last[name] = begin + len(score["curve"])
        axes.plot(range(begin + 1, last[name] + 1), [100 * right for right in score["curve"]], linewidth=1, color=str(0.6 * (number % 4) / 3),
                  linestyle=("-", "--", ":", "-.")[number % 4], label=name)
    axes.set(xlabel="epochs", ylabel="right frames of the development speakers, %")
    axes.legend(fontsize=7, ncol=2)
    _save(figure, path)


def _save(figure: plt.Figure, path: Path) -> None:
    buffer = io.BytesIO()
    with plt.rc_context({"svg.hashsalt": path.name}):
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    files.write(path, buffer.getvalue())
