"""From posteriors to phones: Viterbi over phones with a bigram, on all utterances of a part at once."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

from .corpus import PHONES, Utterance
from .labels import collapse

Array = NDArray[numpy.float32]


@dataclass(frozen=True)
class Settings:
    """How much the parts weigh against the posteriors. One grid for every network, chosen on development speakers."""
    prior: float    # how much of the labels' log frequency is taken away from the posteriors
    bigram: float   # weight of the bigram's log probability where the phone changes
    penalty: float  # added where the phone changes


GRID = [Settings(prior, bigram, penalty) for prior in (0.0, 0.3, 0.6) for bigram in (0.5, 1.0, 1.5, 2.0) for penalty in (-2.0, -1.0, 0.0, 1.0)]


@dataclass(frozen=True)
class Statistics:
    """Of the training part."""
    log_prior: Array   # [phones], of stacked frames
    log_bigram: Array  # [from, to], of different phones that follow each other, silence included; first and last too
    log_first: Array   # [phones]


def statistics(utterances: Sequence[Utterance], labels: NDArray[numpy.int64]) -> Statistics:
    count = len(PHONES)
    prior = numpy.bincount(labels, minlength=count) + 1.0
    pairs, first = numpy.full((count, count), 0.5), numpy.full(count, 0.5)
    for utterance in utterances:
        phones = [s.phone for s in utterance.segments]
        first[phones[0]] += 1
        for a, b in zip(phones, phones[1:]):
            if a != b:
                pairs[a, b] += 1
    numpy.fill_diagonal(pairs, 0)
    with numpy.errstate(divide="ignore"):
        bigram = numpy.log(pairs / pairs.sum(1, keepdims=True))
    return Statistics(numpy.log(prior / prior.sum()).astype(numpy.float32), bigram.astype(numpy.float32),
                      numpy.log(first / first.sum()).astype(numpy.float32))


def decode(posteriors: Sequence[Array], statistics_: Statistics, settings: Settings) -> list[list[int]]:
    """`posteriors`: log, [steps, phones] of each utterance. The best path's phones, without silences."""
    count = len(PHONES)
    lengths = numpy.array([len(p) for p in posteriors])
    order = numpy.argsort(-lengths, kind="stable")
    change = settings.bigram * statistics_.log_bigram + settings.penalty
    change[numpy.arange(count), numpy.arange(count)] = 0.0  # staying in a phone costs nothing: its posteriors pay
    scores = [posteriors[i] - settings.prior * statistics_.log_prior for i in order]
    longest = int(lengths.max())
    came = [numpy.empty((0, count), numpy.int8)] * longest
    best = numpy.stack([s[0] for s in scores]) + settings.bigram * statistics_.log_first
    ends = [numpy.empty(0)] * len(scores)
    active = len(scores)
    for t in range(1, longest + 1):
        while active and len(scores[active - 1]) == t:  # sorted: the shortest are last
            active -= 1
            ends[active] = best[active]
        if not active:
            break
        through = best[:active, :, None] + change
        came[t] = through.argmax(1).astype(numpy.int8)
        best = numpy.take_along_axis(through, came[t][:, None, :].astype(numpy.int64), 1)[:, 0] + numpy.stack([s[t] for s in scores[:active]])
    out: list[list[int]] = [[]] * len(scores)
    for k, i in enumerate(order):
        phone = int(ends[k].argmax())
        path = [phone]
        for t in range(len(scores[k]) - 1, 0, -1):
            phone = int(came[t][k, phone])
            path.append(phone)
        out[i] = collapse(path[::-1])
    return out
