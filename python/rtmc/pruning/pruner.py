"""Pruner: what all schemes and methods have in common. It owns the masks and goes through the stages (stages.py); weights stay
the model's own Parameters, under their own names.

One training step is: backward, unscale, clip, before_step(), optimizer.step(), after_step(). `attach` does the last three.
"""
import logging
from typing import Any, Dict, List, Mapping, Optional

import torch
from torch import Tensor, nn

from ..nn.masked import FollowsMasks
from . import distributed, structure
from .config import Config, Source, read_config
from .errors import ConfigError, Diverged, PruningError
from .optimizer import Attachment
from .stages import Admm, Gradual, Retrain, Stage
from .states import canonical_config, canonical_stage, differences
from .tensors import Target, canonical, check_model, check_targets, find_targets

log = logging.getLogger("rtmc.pruning")


class Pruner:
    """`config`: a dict or a YAML file's path (config.py; docs/pruning.md). Subclasses set the scheme; here the configuration does.

    >>> pruner = BSP(model, {"block": (32, 128), "column_rate": 10, "row_rate": 2})
    >>> pruner.prepare()
    >>> pruner.attach(optimizer)
    >>> while not pruner.finished:
    ...     train_one_epoch(model, optimizer)
    ...     pruner.epoch_end()
    >>> masks = pruner.squash_mask()
    """
    SCHEME: Optional[str] = None

    def __init__(self, model: nn.Module, config: Source = None):
        check_model(model)
        self._model = model
        self._targets = find_targets(model)
        self.config: Config = read_config(config, self._targets, {"scheme": self.SCHEME} if self.SCHEME else None)
        self._chosen: Dict[str, Target] = {name: self._targets[name] for name in self.config.structures}
        self._parameters: Dict[str, nn.Parameter] = {}
        self._place: Dict[str, Any] = {}
        self._masks: Dict[str, Tensor] = {}
        self._pruned: Dict[str, Tensor] = {}  # the masks' inverse, kept because it is needed twice per step
        self._kept_norm: Dict[str, float] = {}
        self._stages: List[Stage] = []
        self._index = self._epoch = self._steps = 0
        self._attachment: Optional[Attachment] = None
        self.diverged = False
        self.history: List[Dict[str, Any]] = []  # one record per epoch, plain values only

    def prepare(self) -> None:
        """Checks the weights and begins the first stage."""
        if self._stages:
            raise PruningError("prepare() was called before")
        check_targets(self._model, list(self._chosen.values()))
        self._parameters = {name: target.parameter for name, target in self._chosen.items()}
        self._place = {name: (p.device, p.dtype) for name, p in self._parameters.items()}
        self._stages = self._plan()
        self._enter(0)

    def attach(self, optimizer: torch.optim.Optimizer) -> None:
        """From now on each optimizer.step() is before_step(), the step, after_step()."""
        self._need_prepared()
        if self._attachment is not None:
            raise PruningError("the pruner is attached to an optimiser; detach() comes first")
        self._attachment = Attachment(optimizer, self._parameters, self._before, self._after)
        self._clear_optimizer_state()

    def detach(self) -> None:
        if self._attachment is not None:
            self._attachment.detach()
            self._attachment = None

    def before_step(self) -> None:
        """After backward, unscale and clip: adds the penalty's gradient and clears those of pruned weights."""
        self._need_manual("before_step")
        self._before()

    def after_step(self) -> None:
        """After the optimiser's step: clears pruned weights in place, whatever momentum and weight decay did."""
        self._need_manual("after_step")
        self._after()

    def epoch_end(self) -> Dict[str, Any]:
        """Ends an epoch, and a stage where its time has come. Returns the record that it adds to `history`."""
        self._need_prepared()
        if not self.finished and self._steps == 0:
            raise PruningError("no step since the last epoch's end: attach(optimizer), or call before_step() and after_step()")
        record: Dict[str, Any] = {"epoch": self._epoch, "stage": self.stage, "steps": self._steps}
        if not self.finished:
            stage = self._stages[self._index]
            record["step"] = stage.step
            try:
                self.check_finite()
                over = stage.epoch_end(record)
            except Diverged:
                self.diverged = True
                raise
            if over:
                stage.end()
                self._enter(self._index + 1)
        self._epoch += 1
        self._steps = 0
        self.history.append(record)
        worst = max((r["ratio"] for r in record.get("residuals", {}).values()), default=None)
        log.info("epoch %d, %s%s", record["epoch"], record["stage"],
                 "" if worst is None else f", rho {record['rho']:g}, largest ||W - Z|| / ||W|| {worst:.3g}")
        return record

    def finish(self) -> None:
        """Projects now, without the epochs that are left."""
        self._need_prepared()
        while not self.finished:
            self._stages[self._index].end()
            self._enter(self._index + 1)

    def squash_mask(self) -> Dict[str, Tensor]:
        """Leaves a model with zeros for good and nothing attached. Returns the masks (name -> bool, True is kept)."""
        if not self.final:
            raise PruningError(f"the masks are not final: the pruner is in stage {self.stage}; more epochs, or finish(), come first")
        self._zero_weights()
        self.detach()
        return self.masks

    @property
    def stage(self) -> str:
        """`admm`, `gradual` or `retrain`; `new` before prepare(), `done` after the last stage."""
        return "new" if not self._stages else "done" if self.finished else self._stages[self._index].kind

    @property
    def finished(self) -> bool:
        """No stage is left. The masks go on being held while the pruner is attached."""
        return bool(self._stages) and self._index == len(self._stages)

    @property
    def final(self) -> bool:
        """The masks will not change any more."""
        left = self._stages[self._index:]
        return bool(self._stages) and len(left) <= 1 and all(isinstance(stage, Retrain) for stage in left)

    @property
    def masks(self) -> Dict[str, Tensor]:
        """Copies, by the weights' names."""
        return {name: mask.clone() for name, mask in self._masks.items()}

    def gates(self, name: str) -> int:
        """How many gates are stacked in this weight."""
        return self._chosen[name].gates

    def report(self) -> Dict[str, Dict[str, float]]:
        """Per weight: `weights`, `kept`, `rate`, and `kept_norm`, the share of ||W|| that its last new mask left."""
        out = {}
        for name in self._chosen:
            weights = self.weight(name).numel()
            kept = int(self._masks[name].sum()) if name in self._masks else weights
            out[name] = {"weights": weights, "kept": kept, "rate": weights / max(kept, 1), "kept_norm": self._kept_norm.get(name, 1.0)}
        return out

    # Saving and resuming; checkpoint.py puts it into a file with the rest.

    def state_dict(self) -> Dict[str, Any]:
        self._need_prepared()
        stage = None if self.finished else self._stages[self._index].state_dict()
        return {"version": 1, "config": self.config.as_dict(), "index": self._index, "epoch": self._epoch, "steps": self._steps,
                "masks": self.masks, "kept_norm": dict(self._kept_norm), "stage": stage,
                "history": [dict(record) for record in self.history]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """After prepare(). The model's and the optimiser's states are loaded by their own load_state_dict."""
        self._need_prepared()
        if state.get("version") != 1:
            raise PruningError(f"the state has version {state.get('version')}; 1 is needed")
        changed = differences(canonical_config(state["config"]), self.config.as_dict())
        if changed:
            raise ConfigError("the state is of another configuration: " + "; ".join(changed[:3]))
        masks = {canonical(name): mask for name, mask in state["masks"].items()}
        for name, mask in masks.items():
            if name not in self._chosen or mask.shape != self._chosen[name].parameter.shape:
                raise PruningError(f"the state has a mask {name} {tuple(mask.shape)}, which the model has no place for")
        self._masks, self._pruned = {}, {}
        for name, mask in masks.items():
            self._masks[name] = mask.to(self.weight(name).device, torch.bool, copy=True)
            self._pruned[name] = ~self._masks[name]
        self._kept_norm = {canonical(name): share for name, share in state["kept_norm"].items()}
        self._index, self._epoch, self._steps = state["index"], state["epoch"], state["steps"]
        self._stages = self._plan()
        if state["stage"] is not None:
            self._stages[self._index].load_state_dict(canonical_stage(state["stage"]))
        self.history = [dict(record) for record in state["history"]]
        self.diverged = False
        # The model's own weights may have been loaded before or after: both are right, masked weights are zeros there.
        self._zero_weights()
        self._tell_modules()

    # What the stages use.

    def weight(self, name: str) -> Tensor:
        return self._chosen[name].parameter.detach()

    def project(self, tensors: Mapping[str, Tensor], step: int, share: float = 1.0) -> Dict[str, Tensor]:
        """Masks of these tensors after `step` of their structures; see structure.py."""
        def compute() -> Dict[str, Any]:
            matrices = []
            for name, tensor in tensors.items():
                if not bool(torch.isfinite(tensor).all()):
                    raise Diverged(name, "NaN or infinite values; a lower learning rate or clipping is needed")
                before = self._masks[name].cpu().numpy() if name in self._masks else None
                projection = structure.relaxed(self.config.structures[name], step, share)
                matrices.append(structure.Matrix(tensor.cpu().numpy(), self._chosen[name].gates, projection, before))
            return dict(zip(tensors, structure.project(matrices, step, structure.lower(self.config.budget, share))))
        return {name: torch.from_numpy(mask).to(tensors[name].device) for name, mask in distributed.from_first(compute).items()}

    def set_masks(self, masks: Mapping[str, Tensor]) -> None:
        for name, mask in masks.items():
            norm = float(self.weight(name).norm())
            self._masks[name], self._pruned[name] = mask, ~mask
            self._kept_norm[name] = float(self.weight(name).masked_fill(~mask, 0).norm()) / norm if norm else 1.0
        self._zero_weights()
        self._tell_modules()
        self._clear_optimizer_state()

    def check_finite(self) -> None:
        def compute() -> None:
            for name in self._chosen:
                if not bool(torch.isfinite(self.weight(name)).all()):
                    raise Diverged(name, "became NaN or infinite; a lower learning rate, a lower rho or clipping is needed")
        distributed.from_first(compute)

    def _plan(self) -> List[Stage]:
        schedule = self.config.schedule
        stages: List[Stage] = []
        steps = {name: structure.steps_of(projection) for name, projection in self.config.structures.items()}
        for step in range(max(steps.values())):
            names = [name for name in steps if steps[name] > step]
            if schedule.method == "admm":
                stages.append(Admm(self, step, names))
            if schedule.method == "gradual":
                stages.append(Gradual(self, step, names))
            stages.append(Retrain(self, step, names))
        return stages

    def _enter(self, index: int) -> None:
        self._index = index
        while not self.finished:
            stage = self._stages[self._index]
            stage.begin()
            if not stage.over():
                return
            stage.end()
            self._index += 1

    def _check_places(self) -> None:
        for name, parameter in self._parameters.items():
            now = self._chosen[name].module._parameters.get(self._chosen[name].attribute)
            if now is not parameter:
                raise PruningError(f"{name} was replaced since prepare(): the optimiser updates a tensor that the model does not use")
            if (now.device, now.dtype) != self._place[name]:
                was, now_at = self._place[name], (now.device, now.dtype)
                raise PruningError(f"{name} went from {was[0]} {was[1]} to {now_at[0]} {now_at[1]} since prepare(): "
                                   f"move and convert the model first")

    @torch.no_grad()
    def _before(self) -> None:
        self._need_prepared()
        self._check_places()
        stage = None if self.finished else self._stages[self._index]
        for name, parameter in self._parameters.items():
            if parameter.grad is None:
                continue
            if stage is not None:
                stage.add_penalty(name, parameter.detach(), parameter.grad)
            if name in self._pruned:
                parameter.grad.masked_fill_(self._pruned[name], 0)

    @torch.no_grad()
    def _after(self) -> None:
        self._zero_weights()
        self._steps += 1
        if not self.finished:
            try:
                self._stages[self._index].stepped()
            except Diverged:
                self.diverged = True
                raise

    @torch.no_grad()
    def _zero_weights(self) -> None:
        for name, pruned in self._pruned.items():
            self._chosen[name].parameter.masked_fill_(pruned, 0)

    def _tell_modules(self) -> None:
        """A MaskedGRU leaves out what is pruned; a MaskedGRUResetBefore, too."""
        masks: Dict[FollowsMasks, Dict[str, Tensor]] = {}
        for name, mask in self._masks.items():
            target = self._chosen[name]
            if isinstance(target.module, FollowsMasks):
                masks.setdefault(target.module, {})[target.attribute] = mask
        for module, its_masks in masks.items():
            module.follow(its_masks)

    def _clear_optimizer_state(self) -> None:
        if self._attachment is not None:
            for name, pruned in self._pruned.items():
                self._attachment.clear_state(self._parameters[name], pruned)

    def _need_prepared(self) -> None:
        if not self._stages:
            raise PruningError("prepare() comes first")

    def _need_manual(self, call: str) -> None:
        if self._attachment is not None:
            raise PruningError(f"the pruner is attached: optimizer.step() calls {call}() itself")
