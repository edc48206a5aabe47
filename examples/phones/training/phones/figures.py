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
    dense_per: float | None  # of that
    other_dense: bool        # it is not the one in the table: that was trained anew since
    relative: float | None   # loss / its PER, in percent
    epochs: int              # spent on it and on those it began from
    updates: int
    paper: dict[str, float] | None


def rows(scores: dict[str, dict[str, Any]], speakers: list[str], paper: dict[float, dict[str, float]]) -> list[Row]:
    out = []
    for name, score in scores.items():
        run, parts = score["run"], score["parts"]
        dense = scores.get(dense_of(run))
        loss, dense_per, training = _loss(score, dense, speakers)
        out.append(Row(name, run["seed"], run["table"], run["rate"], score["rates"]["recurrent"], score["rates"]["whole"],
                       parts["test"]["per"], parts.get("timit", {}).get("per"), parts["test"]["frame_accuracy"],
                       loss, dense_per, loss is not None and (dense is None or training != dense["training"]),
                       None if loss is None or dense_per is None else 100 * loss.value / dense_per,
                       _spent(scores, name, "epochs"), _spent(scores, name, "updates"), paper.get(run["rate"]) if run["table"] == "bsp" else None))
    return out


def _loss(score: dict[str, Any], dense: dict[str, Any] | None, speakers: list[str]) -> tuple[Difference | None, float | None, str | None]:
    """Against the dense network, the PER of that, and which training of it it was. A kept score brings all three."""
    if score.get("loss") is not None:
        was = score["loss"]
        return Difference(was["value"], was["low"], was["high"]), was["dense_per"], was["dense_training"]
    if dense is None or dense is score or not (has_errors(score) and has_errors(dense)):
        return None, None, None
    return compare(score, dense, speakers), dense["parts"]["test"]["per"], dense["training"]


def loss_as_json(row: Row, score: dict[str, Any], dense: dict[str, Any] | None) -> dict[str, Any] | None:
    """What kept.py keeps of it, for _loss()."""
    if row.loss is None:
        return None
    return score.get("loss") or {**asdict(row.loss), "dense_per": row.dense_per, "dense_training": dense["training"] if dense else None}


def has_errors(score: dict[str, Any]) -> bool:
    """Of each test utterance: some kept scores have no more than their sum."""
    return "substitutions" in score["parts"]["test"]


def dense_of(run: dict[str, Any]) -> str:
    if run["table"] == "tiny":
        return f"tiny-s{run['seed']}"
    return f"dense-reset-before-s{run['seed']}" if run["cell"] == "gru_reset_before" else f"dense-s{run['seed']}"


def compare(one: dict[str, Any], other: dict[str, Any], speakers: list[str], part: str = "test") -> Difference:
    return difference(from_lists(one["parts"][part]), from_lists(other["parts"][part]), speakers)


def compared(scores: dict[str, dict[str, Any]], first: str, second: str, speakers: list[str]) -> Difference | None:
    """As it was kept, where one of them is known by its sums alone."""
    if has_errors(scores[first]) and has_errors(scores[second]):
        return compare(scores[first], scores[second], speakers)
    was = scores[second].get("compared", {}).get(first)
    return None if was is None else Difference(**was)


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
