"""Evaluates every finished run."""
from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from . import commands, dataset
from .decoding import statistics
from .evaluation import PARTS, evaluate as evaluate_run


def evaluate(options: argparse.Namespace, say: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """-> scores of the finished runs, by name"""
    import torch
    torch.set_num_threads(options.threads)
    spoken = commands.utterances(options)
    names = [name for name in PARTS if (commands.features(options) / f"{name}.npz").exists()]
    parts = {name: dataset.load(commands.features(options) / f"{name}.npz") for name in names}
    references = {name: commands.references(spoken, name, part) for name, part in parts.items()}
    counted = statistics(spoken["train"], commands.labels_of_training(options))
    out = {}
    for run in commands.chosen(options.runs or ["*"]):
        if commands.finished(options, run):
            out[run.name] = evaluate_run(commands.folder_of(options, run.name), parts, references, counted)
            say(f"{run.name}: " + ", ".join(f"{name} {values['per']:.2f} %" for name, values in out[run.name]["parts"].items()))
    return out
