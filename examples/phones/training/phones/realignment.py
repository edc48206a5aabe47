"""Labels anew, from a trained network: of all labellings of an utterance with its own phones, the one that the network finds likeliest."""
from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy
from numpy.typing import NDArray
from torch import nn

from .corpus import PHONES, Utterance
from .dataset import NOISES, Part
from .finished import load_model
from .labels import best_labels
from .network import log_posteriors


def realigned(variants: list[Part], utterances: Sequence[Utterance], aligner: Path) -> list[Part]:
    """`variants` in the order of dataset.variants(), with the labels of the finished run in the folder `aligner`."""
    model, final = load_model(aligner)
    phones = {u.name: [s.phone for s in u.segments] for u in utterances}
    out = []
    for begin in range(0, len(variants), NOISES):
        clean = variants[begin]  # noise moves no phone
        labels = likeliest(model, clean, [phones[name] for name in clean.names], final["run"]["delay"])
        out += [dataclasses.replace(part, labels=labels) for part in variants[begin:begin + NOISES]]
    return out


def likeliest(model: nn.Module, part: Part, phones: Sequence[Sequence[int]], delay: int) -> NDArray[numpy.int64]:
    """Labels of all stacked frames of `part`, by posteriors over priors (Bourlard and Morgan 1994). `phones` of each utterance, with
    silences, as its alignment has them. An utterance that is too short for its phones keeps its labels."""
    prior = numpy.bincount(part.labels, minlength=len(PHONES)) + 1.0
    log_prior = numpy.log(prior / prior.sum())
    out = []
    for i, p in enumerate(log_posteriors(model, [part.inputs(i) for i in range(len(part))], delay)):
        found = best_labels(phones[i], (p.numpy() - log_prior)[:, phones[i]].T)
        out.append(part.label(i) if found is None else found)
    return numpy.concatenate(out)
