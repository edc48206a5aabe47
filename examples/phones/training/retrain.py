"""Prunes a trained recogniser in one shot and retrains it for a few epochs, for `python3 -m rtmc.search --train retrain.py`: $PHONES_PARENT
(default dense-s0), $PHONES_EPOCHS (default 2). Folders as main.py's. Killed, it goes on."""
from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT), str(ROOT.parents[2] / "python")]

import torch  # noqa: E402
from phones import commands, dataset, plan  # noqa: E402
from phones.finished import export, load_final  # noqa: E402
from phones.labels import BANDS, STACK  # noqa: E402
from phones.run import Run  # noqa: E402
from phones.training import Training  # noqa: E402


def train(candidate: Any, folder: str) -> None:
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    options = commands.folders()
    parent = commands.folder_of(options, os.environ.get("PHONES_PARENT", "dense-s0"))
    epochs = int(os.environ.get("PHONES_EPOCHS", "2"))
    dense, (rows, columns) = load_final(parent)["run"], candidate.block
    config = {**candidate.config(), "method": "one_shot", "retrain_epochs": [epochs], "tensors": [
        {"match": "gru.weight_ih_l0", "block": [rows, min(columns, STACK * BANDS)]}, {"match": "gru"}]}
    run = Run(f"search-{candidate.id}", dense["seed"], parent.name, units=dense["units"], cell=dense["cell"], pruning=config, average=1, **plan.PRUNED)
    here = options.out / "search" / f"{parent.name}-{epochs}" / f"{candidate.scheme}-{candidate.id}"
    if not (here / "final.pt").exists():
        here.mkdir(parents=True, exist_ok=True)
        features = commands.features(options)
        Training(run, here, dataset.load_variants(features), dataset.load(features / "development.npz"), parent, commands.say).go_on()
    export(here, Path(folder))
