"""Writes the report: results.json, results.md and its pictures, from the scores of the runs that are finished here,
and from those that are kept of others (kept.py)."""
from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rtmc.search.machine import machine

from . import commands, dataset, files, judgement, kept, pictures, plan
from .figures import ACCEPTED_LOSS, Row, as_json, compared, dense_of, loss_as_json, no_loss, paper_table, rows
from .labels import collapse
from .run import complete
from .scoring import Difference, errors

SAME_SIZE = {10: "small311", 29: "small175"}  # dense networks of as many weights
TABLE = Path(__file__).resolve().parents[1] / "table1.yaml"
SAID = """\
- References are the phones of a dictionary, not what the learners said, so part of the error rate is theirs.
- The aligner has seen the test speakers: frame accuracy there is only a diagnosis. Nothing was chosen on the test part; recipe and decoding
  come from {development} speakers who were taken out of the training part.
- Nine sentences of the test occur in the training part, spoken by others.
- The test has {phones} phones of {speakers} speakers: differences below about 1 PER point cannot be seen. Intervals are 95 %, by a paired
  bootstrap over speakers; they do not hold what another seed of the training would change: compare the rows of other seeds.
- A rate is all weights / kept weights of the recurrent layers' matrices, without biases and without the output layer; "whole" counts those.
- "Epochs" and "updates" are all that a network has had, with those of the networks that it began from.
- The paper's figures are of another corpus (TIMIT), language and speakers: compare the losses, not the error rates.
"""


def write(options: argparse.Namespace, say: Callable[[str], None]) -> None:
    scores = _all_scores(options, say)
    spoken = commands.utterances(options)
    test = dataset.load(commands.features(options) / "test.npz")
    paper = paper_table(TABLE)
    found = rows(scores, test.speakers, paper)
    missing = [r.name for r in plan.runs() if r.name not in scores]
    out = options.out / "report"
    met: dict[str, dict[str, Any]] = {}
    for _, first, second, difference in _comparisons(scores, test.speakers):
        met.setdefault(second, {})[first] = asdict(difference)
    for row in found:
        score = scores[row.run]
        kept.write(out / "scores", score, loss_as_json(row, score, scores.get(dense_of(score["run"]))), met.get(row.run, {}))
    pictures.error_against_rate([r for r in found if r.table != "trial"], paper, out / "loss.svg")
    pictures.curves({n: s for n, s in scores.items() if n.endswith("-s0") and s["run"]["table"] in ("dense", "bsp")}, out / "curves.svg")
    said = SAID.format(development=len({u.speaker for u in spoken["development"]}), speakers=len(set(test.speakers)),
                       phones=sum(len(r) for r in commands.references(spoken, "test", test)))
    facts = {"date": time.strftime("%Y-%m-%d"), "torch": torch.__version__, "processor": machine()["processor"], "missing": missing,
             "labels_per": _labels_per(spoken, test), "rows": as_json(found)}
    files.write_json(out / "results.json", facts)
    files.write(out / "results.md", _markdown(found, scores, test.speakers, facts, said).encode())
    say(f"{out / 'results.md'}: {len(found)} runs" + (f"; {len(missing)} of the plan are missing" if missing else ""))


def _all_scores(options: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    """In the plan's order: of the runs that are finished here, and of those that were elsewhere."""
    planned = {r.name: r.as_json() for r in plan.runs() + plan.trials()}
    elsewhere = kept.load(options.kept)
    for name, score in list(elsewhere.items()):
        if planned.get(name) != complete(score["run"]):
            say(f"{options.kept / name}.json is left out: the plan has no such run, or another of that name")
            del elsewhere[name]
    scores = {**elsewhere, **judgement.evaluate(options, say)}
    return {name: scores[name] for name in planned if name in scores}


def _comparisons(scores: dict[str, Any], speakers: list[str]) -> list[tuple[int, str, str, Difference]]:
    """BSP against each other way to the same rate, and against dense networks of its size and of its number of updates."""
    out = []
    for rate, seed in itertools.product((10, 29), (0, 1, 2)):
        first = f"bsp{rate}-s{seed}"
        others = [f"{kind}{rate}-s{seed}" for kind in ("unstructured", "csb", "bank", "row_column", "bcr", "block")]
        for second in (*others, f"bsp{rate}-admm-s{seed}", f"{SAME_SIZE[rate]}-s{seed}", f"dense-longer-s{seed}"):
            if first in scores and second in scores:
                found = compared(scores, first, second, speakers)
                out += [] if found is None else [(rate, first, second, found)]
    return out


def _labels_per(spoken: dict[str, Any], test: dataset.Part) -> float:
    """What a network without a single wrong frame would get."""
    return errors(commands.references(spoken, "test", test), [collapse(test.label(i)) for i in range(len(test))]).per


def _markdown(found: list[Row], scores: dict[str, Any], speakers: list[str], facts: dict[str, Any], said: str) -> str:
    lines = ["# A phone recogniser, pruned", "",
             f"GRU 2 x 1024 on speechocean762; `scripts/phones.sh report`. {facts['date']}, {facts['processor']}, PyTorch {facts['torch']}. "
             f"The stacked labels' own PER is {facts['labels_per']:.2f} %.", ""]
    for row in found:
        if row.table == "bsp" and row.nominal == 10 and row.loss is not None:
            lines.append(f"- No loss at 10x (the interval ends below {ACCEPTED_LOSS:g}), {row.run}: "
                         f"**{'yes' if no_loss(row.loss) else 'no'}**, {_difference(row.loss)} points.")
    earlier = sorted({row.dense_per for row in found if row.other_dense and row.dense_per is not None})
    theirs = ", ".join(f"{per:.2f}" for per in earlier)
    note = [] if not earlier else ["", f"† against an earlier training of the dense network ({theirs} %), which these runs began from; its "
                                   "weights were not kept."]
    lines += ["", "## Networks", "", *_table(found), *note, "", "![PER lost against rate](loss.svg)", "", "![training](curves.svg)", "", "## Against each other", ""]
    lines += ["Test PER of the first less that of the second, in points.", "", "| rate | first | second | difference |", "|---|---|---|---|"]
    lines += [f"| {rate} | {first} | {second} | {_difference(difference)} |" for rate, first, second, difference in _comparisons(scores, speakers)]
    trials = [name for name in scores if scores[name]["run"]["table"] == "trial"]
    if trials:
        lines += ["", "## How the recipe was found", "", "What each trial changes stands in `phones/plan.py`. PER of the development speakers.", "",
                  "| trial | units | rate | epochs | PER |", "|---|---|---|---|---|"]
        lines += [f"| {name} | {run['units']} | {run['rate']:g} | {scores[name]['epochs']} | {scores[name]['parts']['development']['per']:.2f} |"
                  for name, run in ((name, scores[name]["run"]) for name in trials)]
    lines += ["", "## To be read with it", "", said.rstrip()]
    if facts["missing"]:
        lines += ["", "## Missing", "", "Runs of the plan that are not finished: " + ", ".join(facts["missing"]) + "."]
    return "\n".join([*lines, ""])


def _table(found: list[Row]) -> list[str]:
    out = ["| run | rate | realised | whole | PER | lost against dense | relative | TIMIT sample | frames right | epochs | updates | paper: PER | lost |",
           "|---|---|---|---|---|---|---|---|---|---|---|---|---|"]
    for row in found:
        if row.table == "trial":
            continue
        loss = "" if row.loss is None else _difference(row.loss) + (" †" if row.other_dense else "")
        paper = ("", "") if row.paper is None else (f"{row.paper['per']:.1f}", f"{row.paper['loss']:.1f}")
        relative = "" if row.relative is None else f"{row.relative:+.1f} %"
        timit = "" if row.out_of_domain is None else f"{row.out_of_domain:.1f}"
        out.append(f"| {row.run} | {row.nominal:g} | {row.realised:.2f} | {row.whole:.2f} | {row.per:.2f} | {loss} | {relative} | {timit} | "
                   f"{100 * row.accuracy:.1f} % | {row.epochs} | {row.updates} | {paper[0]} | {paper[1]} |")
    return out


def _difference(d: Difference) -> str:
    return f"{d.value:+.2f} ({d.low:+.2f} to {d.high:+.2f})"
