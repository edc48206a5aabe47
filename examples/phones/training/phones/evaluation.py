"""Figures of a finished run: posteriors on every part, decoding settings from the development speakers, errors per utterance."""
from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy
import torch

from . import dataset, files, kept
from .decoding import GRID, Settings, Statistics, decode
from .finished import load_model
from .network import log_posteriors, recurrent_weights
from .scoring import Errors, errors

PARTS = ("development", "test", "timit")


def evaluate(folder: Path, parts: dict[str, dataset.Part], references: dict[str, list[list[int]]], statistics: Statistics) -> dict[str, Any]:
    """Writes and returns scores.json: PER, frame accuracy (diagnostic only: the aligner saw the test speakers), errors, rates."""
    path = folder / "scores.json"
    if path.exists():
        return json.loads(path.read_text())
    model, final = load_model(folder)
    found = {name: [p.numpy() for p in log_posteriors(model, [part.inputs(i) for i in range(len(part))], final["run"]["delay"])]
             for name, part in parts.items()}
    chosen, tried = choose(found["development"], references["development"], statistics)
    out: dict[str, Any] = {"run": final["run"], "training": identity(folder), "curve": kept.curve(folder / "log.jsonl"),
                           "epochs": final["epochs"], "updates": final["updates"], "settings": asdict(chosen),
                           "grid": tried, "rates": realised(model, final["masks"]), "parts": {}}
    for name, part in parts.items():
        result = errors(references[name], decode(found[name], statistics, chosen))
        out["parts"][name] = {"per": result.per, **as_lists(result), "frame_accuracy": frame_accuracy(found[name], part)}
    files.write_json(path, out)
    return out


def identity(folder: Path) -> str:
    """Tells this training of a run from another one of the same run."""
    return hashlib.sha256((folder / "final.pt").read_bytes()).hexdigest()[:12]


def choose(posteriors: list, references: list[list[int]], statistics: Statistics) -> tuple[Settings, list[dict[str, float]]]:
    tried = [(errors(references, decode(posteriors, statistics, settings)).per, settings) for settings in GRID]
    return min(tried, key=lambda pair: pair[0])[1], [{"per": per, **asdict(settings)} for per, settings in tried]


def frame_accuracy(posteriors: list, part: dataset.Part) -> float:
    right = sum(int((p.argmax(1) == part.label(i)).sum()) for i, p in enumerate(posteriors))
    return right / len(part.labels)


def realised(model: torch.nn.Module, masks: dict[str, torch.Tensor]) -> dict[str, float]:
    """All weights / kept weights: of the recurrent layers' matrices, and of the whole network with its biases and its output layer."""
    weights = recurrent_weights(model)
    every = sum(w.numel() for w in weights.values())
    kept = sum(int(masks[name].sum()) if name in masks else w.numel() for name, w in weights.items())
    whole = sum(p.numel() for p in model.parameters())
    return {"recurrent": every / kept, "whole": whole / (whole - every + kept), "weights": every, "kept": kept}


def as_lists(result: Errors) -> dict[str, list[int]]:
    return {name: getattr(result, name).tolist() for name in ("substitutions", "deletions", "insertions", "phones")}


def from_lists(values: dict[str, Any]) -> Errors:
    return Errors(*(numpy.array(values[name]) for name in ("substitutions", "deletions", "insertions", "phones")))
