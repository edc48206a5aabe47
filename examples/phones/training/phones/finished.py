"""What a finished run left: its final.pt, the network in it, and that as a model for rtmc."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import rtmc
import torch

from .network import Recognizer
from .run import Run

VERSION = tuple(map(int, torch.__version__.split(".")[:2]))


class RunError(RuntimeError):
    """A run cannot begin or go on."""


def load_final(folder: Path) -> dict[str, Any]:
    path = folder / "final.pt"
    if not path.exists():
        raise RunError(f"{path} does not exist: that run is not finished")
    return torch.load(path, map_location="cpu", weights_only=VERSION >= (2, 0))  # the safe reader of 1.13 knows no floats


def load_model(folder: Path) -> tuple[Recognizer, dict[str, Any]]:
    final = load_final(folder)
    run = Run(**final["run"])
    model = Recognizer(run.units, cell=run.cell, dropout=run.dropout)
    model.load_state_dict(final["model"])
    return model.eval(), final


def export(run: Path, folder: Path, name: str = "phones") -> str:
    """A finished run as model.yaml and model.safetensors. Returns the path of the first."""
    model, final = load_model(run)
    return rtmc.export(model, folder, layers=["gru", "head", "log_softmax"], masks=final["masks"], name=name)
