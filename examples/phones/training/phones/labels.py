"""Labels of stacked frames. A stacked frame holds STACK frames of 10 ms, so it may hold parts of two phones, and a short phone may be
the larger part of none. Labels are therefore chosen together: in order, every phone in at least one stacked frame (silences may
vanish), and as much of the time as possible under its own label."""
from __future__ import annotations

from collections.abc import Sequence

import numpy
from numpy.typing import NDArray

from .corpus import PHONES, SILENCE, Segment

STACK = 3
BANDS = 40  # of a frame


def stacked_length(frames: int) -> int:
    """The last stacked frame is filled up with copies of the last frame."""
    return -(-frames // STACK)


def stacked_labels(segments: Sequence[Segment], frames: int, speed: float = 1.0) -> NDArray[numpy.int64] | None:
    """Labels [stacked_length(frames)] of an utterance of so many frames that was played `speed` times as fast.
    None where there are fewer stacked frames than phones."""
    steps = stacked_length(frames)
    ends = numpy.array([s.end for s in segments]) / speed
    ends[-1] = max(ends[-1], steps * STACK)  # the window of the last frames is not in the alignment
    begins = numpy.concatenate([[0.0], ends[:-1]])
    edges = numpy.arange(steps + 1) * STACK
    overlap = numpy.minimum(ends[:, None], edges[None, 1:]) - numpy.maximum(begins[:, None], edges[None, :-1])
    return best_labels([s.phone for s in segments], numpy.maximum(overlap, 0.0))


def best_labels(phones: Sequence[int], gain: NDArray) -> NDArray[numpy.int64] | None:
    """The labels of largest sum, silences included in `phones`. `gain` [phones, steps]: what it is worth to label a stacked frame with
    a phone. None where there are fewer steps than phones that must be kept."""
    steps, count = gain.shape[1], len(phones)
    optional = numpy.array([PHONES[p] == SILENCE for p in phones])

    # best[n]: largest sum so far with the current stacked frame in phone n; came[t, n]: phones stepped over since t - 1.
    best = numpy.full(count, -numpy.inf)
    best[0] = gain[0, 0]
    if count > 1 and optional[0]:
        best[1] = gain[1, 0]
    came = numpy.zeros((steps, count), numpy.int8)
    may_skip = numpy.concatenate([[False, False], optional[1:-1]])[:count]
    for t in range(1, steps):
        one = numpy.concatenate([[-numpy.inf], best[:-1]])
        two = numpy.where(may_skip, numpy.concatenate([[-numpy.inf, -numpy.inf], best[:-2]])[:count], -numpy.inf)
        choices = numpy.stack([best, one, two])
        came[t] = choices.argmax(0)
        best = choices.max(0) + gain[:, t]
    last = count - 1
    if count > 1 and optional[-1] and best[-2] > best[-1]:
        last = count - 2
    if not numpy.isfinite(best[last]):
        return None
    path = numpy.empty(steps, numpy.int64)
    for t in range(steps - 1, -1, -1):
        path[t] = last
        last -= int(came[t, last])
    return numpy.asarray(phones)[path]


def collapse(labels: Sequence[int]) -> list[int]:
    """Phones of a sequence of labels: runs are one phone, silence is none."""
    silence = PHONES.index(SILENCE)
    return [int(p) for i, p in enumerate(labels) if p != silence and (i == 0 or p != labels[i - 1])]
