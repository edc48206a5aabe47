"""The phone error rate on the development speakers, for `python3 -m rtmc.search --evaluate metric.py`: of a model that `rtmc.export` wrote, run
through rtmc. Folders as main.py's. docs/block_search.md."""
from __future__ import annotations

import functools
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT), str(ROOT.parents[2] / "python")]

import rtmc  # noqa: E402
from phones import commands, dataset  # noqa: E402
from phones.decoding import Settings, decode, statistics  # noqa: E402
from phones.run import Run  # noqa: E402
from phones.scoring import errors  # noqa: E402
from phones.shipping import posteriors  # noqa: E402

SETTINGS = Settings(prior=0.3, bigram=1.0, penalty=0.0)  # the same for every candidate


@functools.lru_cache(maxsize=1)
def _data():
    options = commands.folders()
    spoken = commands.utterances(options)
    part = dataset.load(commands.features(options) / "development.npz")
    return part, commands.references(spoken, "development", part), statistics(spoken["train"], commands.labels_of_training(options))


def evaluate(folder: str, precision: str) -> float:
    part, references, counted = _data()
    net = rtmc.compile(folder, precision=precision)
    found = [posteriors(net, part.inputs(i), Run.delay) for i in range(len(part))]
    return errors(references, decode(found, counted, SETTINGS)).per
