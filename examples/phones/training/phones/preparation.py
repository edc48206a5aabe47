"""Computes the features and labels of a corpus once: a file per part and variant (speed, noise); dataset.py reads them."""
from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy
from numpy.typing import NDArray

from . import audio, files
from .corpus import Utterance
from .dataset import SPEEDS, variant_path, variants
from .labels import stacked_labels

DECIBELS = (10.0, 25.0)


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
