"""Features and labels on the disk, as preparation.py left them: a file per part and variant (speed, noise). `Part` is one."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy
from numpy.typing import NDArray

from .labels import STACK

SPEEDS = ("0.9", "1", "1.1")
NOISES = 3  # 0 is clean; each other one is noise of its own per utterance


@dataclass(frozen=True)
class Part:
    """Utterances one after the other."""
    names: list[str]
    speakers: list[str]
    features: NDArray[numpy.float16]  # [frames, bands], normalised
    frames: NDArray[numpy.int64]      # utterance i has the frames [frames[i], frames[i + 1])
    labels: NDArray[numpy.int64]      # of stacked frames
    steps: NDArray[numpy.int64]       # utterance i has the labels [steps[i], steps[i + 1])

    def __len__(self) -> int:
        return len(self.names)

    def inputs(self, i: int) -> NDArray[numpy.float32]:
        """[stacked frames, STACK * bands]"""
        return stack(self.features[self.frames[i]:self.frames[i + 1]].astype(numpy.float32))

    def label(self, i: int) -> NDArray[numpy.int64]:
        return self.labels[self.steps[i]:self.steps[i + 1]]

    def lengths(self) -> NDArray[numpy.int64]:
        return numpy.diff(self.steps)


def stack(features: NDArray[numpy.float32]) -> NDArray[numpy.float32]:
    missing = -len(features) % STACK
    if missing:
        features = numpy.concatenate([features, numpy.repeat(features[-1:], missing, axis=0)])
    return features.reshape(len(features) // STACK, -1)


def load(path: Path) -> Part:
    with numpy.load(path) as file:
        return Part(file["names"].tolist(), file["speakers"].tolist(), file["features"], file["frames"], file["labels"].astype(numpy.int64),
                    file["steps"])


def variants() -> list[tuple[str, int]]:
    return [(speed, noise) for speed in SPEEDS for noise in range(NOISES)]


def load_variants(folder: Path) -> list[Part]:
    """The training part in all its variants, the same utterances in each."""
    parts = [load(variant_path(folder, v)) for v in variants()]
    names = set.intersection(*(set(part.names) for part in parts))
    if any(len(part) != len(names) for part in parts):
        raise RuntimeError("the variants of the training part hold different utterances; remove the features and prepare them again")
    return parts


def variant_path(folder: Path, variant: tuple[str, int]) -> Path:
    return folder / f"train-{variant[0]}-{variant[1]}.npz"
