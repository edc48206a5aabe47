"""Batches of an epoch: which utterances and variants, masked in frequency and time, padded. All of it follows from seed and epoch."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy
import torch
from torch import Tensor

from .dataset import Part
from .labels import BANDS, STACK

IGNORED = -100  # cross_entropy's
_POOL = 12      # batches whose utterances are sorted by length together


@dataclass(frozen=True)
class Augmentation:
    frequency_masks: int = 2
    frequency_width: int = 8   # bands at most
    time_masks: int = 2
    time_width: int = 25       # frames at most, and a fifth of the utterance


@dataclass(frozen=True)
class Batch:
    inputs: Tensor  # [steps, utterances, STACK * BANDS]
    labels: Tensor  # [steps, utterances], delayed; IGNORED where there is none


def plan(variants: list[Part], size: int, seed: int, epoch: int) -> list[list[tuple[int, int]]]:
    """Batches of (variant, utterance): every utterance once, in a variant drawn anew, beside others of about its length."""
    random = numpy.random.default_rng([seed, epoch])
    count = len(variants[0])
    drawn = random.integers(len(variants), size=count)
    lengths = numpy.stack([v.lengths() for v in variants])[drawn, numpy.arange(count)]
    order = random.permutation(count)
    out = []
    for begin in range(0, count, size * _POOL):
        pool = order[begin:begin + size * _POOL]
        pool = pool[numpy.argsort(lengths[pool], kind="stable")]
        out += [[(int(drawn[i]), int(i)) for i in pool[at:at + size]] for at in range(0, len(pool), size)]
    return [out[i] for i in random.permutation(len(out))]


def batches(variants: list[Part], size: int, delay: int, seed: int, epoch: int, augmentation: Augmentation | None) -> Iterator[Batch]:
    for number, chosen in enumerate(plan(variants, size, seed, epoch)):
        random = numpy.random.default_rng([seed, epoch, number])
        inputs = [variants[v].inputs(i) for v, i in chosen]
        if augmentation is not None:
            inputs = [_masked(x, augmentation, random) for x in inputs]
        yield pad(inputs, [variants[v].label(i) for v, i in chosen], delay)


def with_tail(inputs: numpy.ndarray, delay: int) -> numpy.ndarray:
    """An utterance's stacked frames and `delay` more, of its last frame alone: the network answers that late, and the end is not cut off."""
    return numpy.concatenate([inputs, numpy.tile(inputs[-1, -BANDS:], (delay, STACK))])


def pad(inputs: list[numpy.ndarray], labels: list[numpy.ndarray], delay: int) -> Batch:
    """Utterances beside each other, each with its tail. `labels` may be empty."""
    steps = max(map(len, inputs)) + delay
    x = numpy.zeros((steps, len(inputs), inputs[0].shape[1]), numpy.float32)
    y = numpy.full((steps, len(inputs)), IGNORED, numpy.int64)
    for i, one in enumerate(inputs):
        x[:len(one) + delay, i] = with_tail(one, delay)
    for i, label in enumerate(labels):
        y[delay:delay + len(label), i] = label
    return Batch(torch.from_numpy(x), torch.from_numpy(y))


def _masked(stacked: numpy.ndarray, how: Augmentation, random: numpy.random.Generator) -> numpy.ndarray:
    """SpecAugment (Park et al. 2019) on single frames: masked energies are the running mean, 0."""
    x = stacked.reshape(-1, BANDS).copy()
    for _ in range(how.frequency_masks):
        width = random.integers(how.frequency_width + 1)
        low = random.integers(BANDS - width + 1)
        x[:, low:low + width] = 0
    for _ in range(how.time_masks):
        width = random.integers(min(how.time_width, len(x) // 5) + 1)
        begin = random.integers(len(x) - width + 1)
        x[begin:begin + width] = 0
    return x.reshape(stacked.shape)
