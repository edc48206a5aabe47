"""What one training run is. plan.py lists those of the experiment."""
from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Run:
    """A name means one set of values: a run that was changed is another run, and gets another name."""
    name: str
    seed: int
    parent: str | None = None  # begins with that run's weights, zeros included
    aligner: str | None = None  # learns the labels that that run's network finds, not the corpus' alignment
    units: int = 1024
    cell: str = "gru"
    epochs: int = 0            # without pruning; with it the schedule says how many
    peak: float = 1.5e-3        # the largest learning rate
    pruning: dict[str, Any] | None = None  # the configuration of rtmc.pruning.Pruner
    table: str = ""            # which rows of the report it belongs to
    rate: float = 1.0          # nominal: all weights / kept weights of the recurrent matrices
    batch: int = 64            # utterances
    window: int = 24           # stacked frames between updates: back-propagation ends there, the state goes on
    delay: int = 3             # stacked frames
    dropout: float = 0.3
    smoothing: float = 0.1
    weight_decay: float = 1e-2
    clip: float = 1.0
    masks: int = 1             # in frequency and in time, each
    average: int = 3           # the last epochs whose weights are averaged

    @property
    def needs(self) -> tuple[str, ...]:
        """Runs that must be finished before it begins."""
        return tuple(name for name in (self.parent, self.aligner) if name is not None)

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def as_json(self) -> dict[str, Any]:
        """As as_dict() comes back from a file: its tuples are lists there."""
        return json.loads(json.dumps(self.as_dict()))


def complete(values: dict[str, Any]) -> dict[str, Any]:
    """A run as JSON has it, perhaps written before a field was added, with the defaults of what it lacks."""
    return {**{f.name: f.default for f in dataclasses.fields(Run) if f.default is not dataclasses.MISSING}, **values}
