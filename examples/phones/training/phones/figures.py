"""From scores of runs to the rows of the report: differences to the dense network of the same seed, with intervals."""
from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from .evaluation import from_lists
from .scoring import Difference, difference

ACCEPTED_LOSS = 1.0  # PER points: what this test set can show


@dataclass(frozen=True)
class Row:
    run: str
    seed: int
    table: str
    nominal: float
    realised: float
    whole: float
    per: float
    out_of_domain: float | None
    accuracy: float
    loss: Difference | None  # against the dense network of the same seed
    relative: float | None   # loss / its PER, in percent
    epochs: int              # spent on it and on those it began from
    updates: int
    paper: dict[str, float] | None


def rows(scores: dict[str, dict[str, Any]], speakers: list[str], paper: dict[float, dict[str, float]]) -> list[Row]:
    out = []
    for name, score in scores.items():
        run = score["run"]
        dense = scores.get(dense_of(run))
        loss = None
        if dense is not None and dense is not score:
            loss = compare(score, dense, speakers)
        out.append(Row(name, run["seed"], run["table"], run["rate"], score["rates"]["recurrent"], score["rates"]["whole"],
                       score["parts"]["test"]["per"], score["parts"].get("timit", {}).get("per"), score["parts"]["test"]["frame_accuracy"],
                       loss, None if loss is None or dense is None else 100 * loss.value / dense["parts"]["test"]["per"],
                       _spent(scores, name, "epochs"), _spent(scores, name, "updates"), paper.get(run["rate"]) if run["table"] == "bsp" else None))
    return out


def dense_of(run: dict[str, Any]) -> str:
    if run["table"] == "tiny":
        return f"tiny-s{run['seed']}"
    return f"dense-reset-before-s{run['seed']}" if run["cell"] == "gru_reset_before" else f"dense-s{run['seed']}"


def compare(one: dict[str, Any], other: dict[str, Any], speakers: list[str], part: str = "test") -> Difference:
    return difference(from_lists(one["parts"][part]), from_lists(other["parts"][part]), speakers)


def _spent(scores: dict[str, dict[str, Any]], name: str | None, what: str) -> int:
    total = 0
    while name is not None and name in scores:
        total += scores[name][what]
        name = scores[name]["run"]["parent"]
    return total


def no_loss(loss: Difference) -> bool:
    return loss.high < ACCEPTED_LOSS


def paper_table(path: Path) -> dict[float, dict[str, float]]:
    """RTMobile's Table I: rate -> PER, and its loss over the dense row."""
    entries = yaml.safe_load(path.read_text())["accuracy"]
    return {e["rate"]: {"per": e["per_pruned"], "loss": round(e["per_pruned"] - e["per_dense"], 2),
                        "relative": round(100 * (e["per_pruned"] - e["per_dense"]) / e["per_dense"], 1)} for e in entries}


def as_json(found: list[Row]) -> list[dict[str, Any]]:
    return [asdict(row) for row in found]
