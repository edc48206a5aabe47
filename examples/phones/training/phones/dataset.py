"""Features and labels of a corpus on the disk, computed once: a file per part and variant (speed, noise). `Part` reads one."""
from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy
from numpy.typing import NDArray

from . import audio, files
from .corpus import Utterance
from .labels import STACK, stacked_labels

SPEEDS = ("0.9", "1", "1.1")
NOISES = 3  # 0 is clean; each other one is noise of its own per utterance
DECIBELS = (10.0, 25.0)


@dataclass(frozen=True)
class Part:
    """Utterances one after the other. Labels are -1 where an utterance has none."""
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


def variant_path(folder: Path, variant: tuple[str, int]) -> Path:
    return folder / f"train-{variant[0]}-{variant[1]}.npz"


def prepare(parts: dict[str, list[Utterance]], folder: Path, say: Callable[[str], None]) -> None:
    """Writes what is missing: `folder`/normalizer.npz, <part>.npz for every part, train-<speed>-<noise>.npz for the part "train"."""
    with ProcessPoolExecutor() as pool:
        if not (folder / "normalizer.npz").exists():
            say("features of the training part, for their mean")
            found = audio.Normalizer.of([f for f in pool.map(_raw, parts["train"], chunksize=16) if f is not None])
            files.write_npz(folder / "normalizer.npz", mean=found.mean, deviation=found.deviation)
        normalizer = load_normalizer(folder)
        for name, utterances in parts.items():
            wanted = [(variant_path(folder, v), v) for v in variants()] if name == "train" else [(folder / f"{name}.npz", ("1", 0))]
            wanted = [(path, variant) for path, variant in wanted if not path.exists()]
            if not wanted:
                continue
            say(f"features of {len(utterances)} utterances, part {name}" + (f", {len(wanted)} variants" if len(wanted) > 1 else ""))
            work = _Work(normalizer, [variant for _, variant in wanted])
            results = list(pool.map(work, range(len(utterances)), utterances, chunksize=8))
            for fault in [r for r in results if isinstance(r, str)][:10]:
                say(f"left out: {fault}")
            good = [(u, r) for u, r in zip(utterances, results) if not isinstance(r, str)]
            if not good:
                raise audio.AudioError(f"part {name}: none of {len(utterances)} utterances can be used")
            if len(good) < len(utterances):
                say(f"part {name} goes on without {len(utterances) - len(good)} of {len(utterances)} utterances")
            for number, (path, _) in enumerate(wanted):
                _write(path, [u for u, _ in good], [r[number] for _, r in good])


def load_normalizer(folder: Path) -> audio.Normalizer:
    with numpy.load(folder / "normalizer.npz") as file:
        return audio.Normalizer(file["mean"], file["deviation"])


def _raw(utterance: Utterance) -> audio.Features | None:
    try:
        return audio.log_mels(audio.read(utterance.audio))
    except audio.AudioError:
        return None  # said when its features are computed


@dataclass(frozen=True)
class _Work:
    """Features and labels of an utterance in each variant, or what is wrong with it."""
    normalizer: audio.Normalizer
    variants: list[tuple[str, int]]

    def __call__(self, index: int, utterance: Utterance) -> list[tuple[NDArray, NDArray]] | str:
        try:
            samples = audio.read(utterance.audio)
        except audio.AudioError as error:
            return str(error)
        out = []
        for speed, noise in self.variants:
            random = numpy.random.default_rng([SPEEDS.index(speed), noise, index])
            played = audio.faster(samples, speed)
            if noise:
                played = audio.noisy(played, random.uniform(*DECIBELS), random.uniform(0.0, 0.95), random)
            features = self.normalizer(audio.log_mels(played))
            labels = stacked_labels(utterance.segments, len(features), float(speed))
            if labels is None:
                return f"{utterance.audio}: {len(utterance.segments)} phones in {len(features)} frames at speed {speed}"
            out.append((features.astype(numpy.float16), labels.astype(numpy.int8)))
        return out


def _write(path: Path, utterances: list[Utterance], results: list[tuple[NDArray, NDArray]]) -> None:
    features, labels = [f for f, _ in results], [one for _, one in results]
    files.write_npz(path, names=[u.name for u in utterances], speakers=[u.speaker for u in utterances],
                    features=numpy.concatenate(features), frames=numpy.cumsum([0, *map(len, features)]),
                    labels=numpy.concatenate(labels), steps=numpy.cumsum([0, *map(len, labels)]))
