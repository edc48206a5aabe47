"""Scores of runs that outlive their networks: a file per run beside the report, small enough for the repository, so that a report can be
written, and later runs compared, on a machine that has not trained them all."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from . import files

_PART = ("per", "frame_accuracy")
_OF_TEST = ("substitutions", "deletions", "insertions", "phones")


def load(folder: Path) -> dict[str, dict[str, Any]]:
    """By name of the run."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            score = json.loads(path.read_text(encoding="utf-8"))
            found[score["run"]["name"]] = score
        except (ValueError, KeyError, TypeError) as problem:
            raise RuntimeError(f"{path} is not what a report kept: {problem}") from None
    return found


def curve(log: Path) -> list[float]:
    """Share of right frames of the development speakers after each epoch."""
    return [json.loads(line)["development_accuracy"] for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


def write(folder: Path, score: dict[str, Any], loss: dict[str, Any] | None, compared: dict[str, dict[str, float]]) -> None:
    """`loss`: to the dense network, which may be trained anew later and then is another. `compared`: run -> its PER less this one's."""
    parts = {}
    for name, part in score["parts"].items():
        wanted = (*_PART, *_OF_TEST) if name == "test" else _PART
        parts[name] = {key: part[key] for key in wanted if key in part}
    slim = {**{key: value for key, value in score.items() if key != "grid"}, "parts": parts, "loss": loss, "compared": compared}
    text = json.dumps(slim, separators=(",", ":"))
    files.write(folder / f"{score['run']['name']}.json", text.encode() + b"\n")
