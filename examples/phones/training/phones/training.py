"""Trains one run, in a folder of its own: run.json, log.jsonl (a line per epoch), checkpoint.pt while it goes on, final.pt at its end.
Killed, it goes on from its last epoch's end with the same bits (the same number of threads given)."""
from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rtmc.pruning import Pruner, load_checkpoint, save_checkpoint
from torch import nn
from torch.optim.swa_utils import AveragedModel

from . import files
from .batches import IGNORED, Augmentation, batches, pad
from .dataset import Part
from .finished import VERSION, RunError, load_final
from .network import Recognizer
from .run import Run

Say = Callable[[str], None]
WARM_UP = 0.25        # share of dense training
PRUNED_WARM_UP = 0.5  # epochs
# AdamW in one kernel is a tenth of an epoch shorter; PyTorch has it for the CPU since 2.4.
FUSED = {"fused": True} if VERSION >= (2, 4) else {}


def precision() -> torch.dtype:
    """bfloat16 products where the processor has instructions for them."""
    supported = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    return torch.bfloat16 if supported() and _has_bf16() else torch.float32


def _has_bf16() -> bool:
    try:
        words = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return False
    return "avx512_bf16" in words or "amx_bf16" in words


def products_in(dtype: torch.dtype) -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16)


def learning_rate(run: Run, pruner: Pruner | None, epoch: float, retrained: float) -> float:
    """Dense: one cycle (Smith and Topin 2017), cosine up and down. Pruned: the peak while masks are looked for, then cosine down.
    `epoch`: epochs done; `retrained`: those of the last retraining, as a share of its length."""
    if pruner is None:
        done = epoch / run.epochs
        if done < WARM_UP:
            return run.peak * (0.04 + 0.96 * 0.5 * (1 - math.cos(math.pi * done / WARM_UP)))
        return run.peak * max(1e-3, 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))))
    if pruner.final:
        return run.peak * max(1e-2, 0.5 * (1 + math.cos(math.pi * min(retrained, 1.0))))
    return run.peak * min(1.0, 0.04 + epoch / PRUNED_WARM_UP)


class Training:
    """`variants`: the training part in its variants; `development`: watched, never trained on. `dtype`: of products, default precision()."""

    def __init__(self, run: Run, folder: Path, variants: list[Part], development: Part, parent: Path | None, say: Say,
                 dtype: torch.dtype | None = None):
        self.run, self.folder, self.variants, self.development, self.say = run, folder, variants, development, say
        torch.manual_seed(run.seed)
        self.model = Recognizer(run.units, cell=run.cell, dropout=run.dropout)
        if parent is not None:
            self.model.load_state_dict(load_final(parent)["model"])
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=run.peak, weight_decay=run.weight_decay, **FUSED)
        self.pruner: Pruner | None = None
        if run.pruning is not None:
            self.pruner = Pruner(self.model, run.pruning)
            self.pruner.prepare()
            self.pruner.attach(self.optimizer)
        self.averaged = AveragedModel(self.model)
        self.epoch = self.updates = 0
        self.dtype = dtype or precision()
        self.loss = nn.CrossEntropyLoss(ignore_index=IGNORED, label_smoothing=run.smoothing)

    def go_on(self) -> None:
        """From the last checkpoint, if there is one, to the end."""
        files.write_json(self.folder / "run.json", self.run.as_dict())
        checkpoint, log = self.folder / "checkpoint.pt", self.folder / "log.jsonl"
        if checkpoint.exists():
            extra = load_checkpoint(checkpoint, self.model, self.pruner, self.optimizer, averaged=self.averaged)
            if extra["run"] != self.run.as_dict():
                raise RunError(f"{checkpoint} is of a run with other values; remove {self.folder} to begin again")
            self.epoch, self.updates = extra["epoch"], extra["updates"]
        _cut(log, self.epoch)
        while not self._over():
            record = self._one_epoch()
            with open(log, "a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
            save_checkpoint(checkpoint, self.model, self.pruner, self.optimizer, averaged=self.averaged,
                            extra={"run": self.run.as_dict(), "epoch": self.epoch, "updates": self.updates})
        self._write_final()
        checkpoint.unlink(missing_ok=True)

    def _over(self) -> bool:
        return self.epoch >= self.run.epochs if self.pruner is None else self.pruner.finished

    def _left(self) -> int | None:
        """Epochs that are left, where that is known."""
        if self.pruner is None:
            return self.run.epochs - self.epoch
        return self._retrain_epochs() - self._retrained() if self.pruner.final else None

    def _retrain_epochs(self) -> int:
        assert self.pruner is not None
        return self.pruner.config.schedule.retrain_epochs[-1]

    def _retrained(self) -> int:
        """Epochs since the masks were final."""
        assert self.pruner is not None
        count = 0
        for record in reversed(self.pruner.history):
            if record["stage"] != "retrain":
                break
            count += 1
        return count

    def _one_epoch(self) -> dict[str, Any]:
        run, began = self.run, time.monotonic()
        total, frames, right, updates, rate = 0.0, 0.0, 0.0, 0, 0.0
        retrained = self._retrained() if self.pruner is not None and self.pruner.final else 0
        count = -(-len(self.variants[0]) // run.batch)
        self.model.train()
        for number, batch in enumerate(batches(self.variants, run.batch, run.delay, run.seed, self.epoch, Augmentation(run.masks, time_masks=run.masks))):
            share = number / count
            rate = learning_rate(run, self.pruner, self.epoch + share,
                                 0.0 if self.pruner is None else (retrained + share) / max(self._retrain_epochs(), 1))
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            state = None
            for inputs, labels in zip(batch.inputs.split(run.window), batch.labels.split(run.window)):
                with products_in(self.dtype):
                    logits, state = self.model(inputs, state)
                here = labels != IGNORED
                n = float(here.sum())
                if n == 0:
                    continue
                loss = self.loss(logits.float().flatten(0, 1), labels.flatten())
                self.optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self.model.parameters(), run.clip)
                self.optimizer.step()
                state = state.detach()
                updates += 1
                total, frames = total + float(loss.detach()) * n, frames + n
                right += float((logits.detach().argmax(-1) == labels)[here].sum())
        if not math.isfinite(total):
            raise RunError(f"{run.name}: the loss became NaN in epoch {self.epoch}; the last checkpoint is kept")
        self.updates += updates
        left = self._left()
        if left is not None and left <= run.average:
            self.averaged.update_parameters(self.model)
        record: dict[str, Any] = {} if self.pruner is None else self.pruner.epoch_end()
        self.epoch += 1
        record = {"run": run.name, **record, "epoch": self.epoch, "updates": self.updates, "loss": total / frames,
                  "accuracy": right / frames, "lr": rate, **self._watch(self.model), "seconds": time.monotonic() - began,
                  "threads": torch.get_num_threads(), "dtype": str(self.dtype)}
        self.say(f"{run.name}: epoch {self.epoch} {record.get('stage', 'dense')}, loss {record['loss']:.3f}, accuracy "
                 f"{record['accuracy']:.3f}, development {record['development_loss']:.3f} {record['development_accuracy']:.3f}, "
                 f"{record['seconds']:.0f} s")
        return record

    @torch.no_grad()
    def _watch(self, model: nn.Module) -> dict[str, float]:
        """Loss and share of right frames on the development part."""
        model.eval()
        total = frames = right = 0.0
        part = self.development
        order = part.lengths().argsort(kind="stable").tolist()
        for begin in range(0, len(order), 64):
            chosen = order[begin:begin + 64]
            batch = pad([part.inputs(i) for i in chosen], [part.label(i) for i in chosen], self.run.delay)
            with products_in(self.dtype):
                logits = model(batch.inputs)[0].float()
            here = batch.labels != IGNORED
            total += float(nn.functional.cross_entropy(logits[here], batch.labels[here], reduction="sum"))
            right += float((logits.argmax(-1) == batch.labels)[here].sum())
            frames += float(here.sum())
        return {"development_loss": total / frames, "development_accuracy": right / frames}

    def _write_final(self) -> None:
        model = self.averaged.module if self.averaged.n_averaged > 0 else self.model
        masks = {}
        if self.pruner is not None:
            masks = self.pruner.squash_mask()
            with torch.no_grad():  # an average of rounded sums: what is pruned stays exactly 0
                for name, parameter in model.named_parameters():
                    if name in masks:
                        parameter.masked_fill_(~masks[name], 0)
        buffer = io.BytesIO()
        torch.save({"model": model.state_dict(), "masks": masks, "run": self.run.as_dict(), "updates": self.updates,
                    "epochs": self.epoch, **self._watch(model)}, buffer)
        files.write(self.folder / "final.pt", buffer.getbuffer())


def _cut(log: Path, epochs: int) -> None:
    """Lines of epochs after the checkpoint are of a run that was killed before it was saved."""
    if log.exists():
        lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if line.endswith("\n") and json.loads(line)["epoch"] <= epochs]
        files.write(log, "".join(kept).encode())
