"""Phone error rates, and how sure a difference of two is. Edit distances by rapidfuzz."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein


@dataclass(frozen=True)
class Errors:
    """Per utterance, [utterances]."""
    substitutions: NDArray[numpy.int64]
    deletions: NDArray[numpy.int64]
    insertions: NDArray[numpy.int64]
    phones: NDArray[numpy.int64]  # of the references

    @property
    def total(self) -> NDArray[numpy.int64]:
        return self.substitutions + self.deletions + self.insertions

    @property
    def per(self) -> float:
        """Phone error rate in percent."""
        return 100.0 * float(self.total.sum()) / float(self.phones.sum())


def errors(references: Sequence[Sequence[int]], found: Sequence[Sequence[int]]) -> Errors:
    counts = numpy.zeros((len(references), 3), numpy.int64)
    for i, (reference, hypothesis) in enumerate(zip(references, found, strict=True)):
        for operation in Levenshtein.editops(list(reference), list(hypothesis)):
            counts[i, ("replace", "delete", "insert").index(operation.tag)] += 1
    return Errors(counts[:, 0], counts[:, 1], counts[:, 2], numpy.array([len(r) for r in references]))


@dataclass(frozen=True)
class Difference:
    """PER of one minus PER of the other, in points."""
    value: float
    low: float   # 95 % interval
    high: float


def difference(one: Errors, other: Errors, speakers: Sequence[str], samples: int = 10000, seed: int = 0) -> Difference:
    """Paired bootstrap over speakers (Bisani and Ney 2004): the same speakers are drawn for both, with replacement."""
    names = sorted(set(speakers))
    member = numpy.array([[s == name for s in speakers] for name in names], numpy.float64)  # [speakers, utterances]
    gap, phones = member @ (one.total - other.total), member @ one.phones
    draws = numpy.random.default_rng(seed).integers(len(names), size=(samples, len(names)))
    values = 100.0 * gap[draws].sum(1) / phones[draws].sum(1)
    low, high = numpy.percentile(values, [2.5, 97.5])
    return Difference(one.per - other.per, float(low), float(high))
