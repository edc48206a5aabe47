"""What a Pruner goes through: for each step of the structure a stage that finds the mask (ADMM, gradual or one shot), then
retraining under it. A stage keeps its own state; masks and weights are the pruner's."""
import warnings
from typing import TYPE_CHECKING, Any, Dict, List

import torch
from torch import Tensor

from . import distributed
from .errors import Diverged

if TYPE_CHECKING:
    from .pruner import Pruner


class Stage:
    """Begins, sees each optimiser step and each end of an epoch, and ends. Times are counted in epochs."""
    kind = ""

    def __init__(self, pruner: "Pruner", step: int, names: List[str]):
        self.pruner, self.step, self.names = pruner, step, names  # names: the weights that this step prunes
        self.epochs = self.steps = 0
        self.schedule = pruner.config.schedule

    def begin(self) -> None:
        """Called once, before the first step."""

    def add_penalty(self, name: str, weight: Tensor, gradient: Tensor) -> None:
        """Adds the penalty's gradient, where there is one."""

    def stepped(self) -> None:
        self.steps += 1

    def over(self) -> bool:
        """True: it needs no epoch at all."""
        return False

    def projected(self, share: float = 1.0) -> Dict[str, Tensor]:
        """Masks of the weights as they are now."""
        return self.pruner.project({name: self.pruner.weight(name) for name in self.names}, self.step, share)

    def in_structure(self, masks: Dict[str, Tensor]) -> bool:
        """The weights have these zeros already, as in a chain of rates whose first step stays the same."""
        return not any(bool(self.pruner.weight(name).masked_select(~mask).any()) for name, mask in masks.items())

    def epoch_end(self, record: Dict[str, Any]) -> bool:
        """Adds to the epoch's record; True: the stage is over."""
        self.epochs += 1
        return True

    def end(self) -> None:
        """Leaves the final masks of this step in the pruner."""

    def state_dict(self) -> Dict[str, Any]:
        return {"epochs": self.epochs, "steps": self.steps}

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self.epochs, self.steps = state["epochs"], state["steps"]


class Admm(Stage):
    """ADMM in scaled form (Boyd et al. 2011, section 3.1.1; RTMobile's Algorithm 1). min f(W) with W = Z, Z in the structure:

    W: training steps on f(W) + rho/2 ||W - Z + U||^2;  Z = projection of W + U;  U = U + W - Z.
    U is scaled by 1/rho, so it is rescaled whenever rho grows."""
    kind = "admm"

    def __init__(self, pruner: "Pruner", step: int, names: List[str]):
        super().__init__(pruner, step, names)
        self.rho_index = self.epochs_at_rho = self.extra = 0
        self.Z: Dict[str, Tensor] = {}
        self.U: Dict[str, Tensor] = {}
        self.masks: Dict[str, Tensor] = {}
        self.start_norm: Dict[str, float] = {}
        self.residuals: Dict[str, Dict[str, float]] = {}

    @property
    def rho(self) -> float:
        return self.schedule.rho[self.rho_index]

    def begin(self) -> None:
        weights = {name: self.pruner.weight(name) for name in self.names}
        self.masks = self.pruner.project(weights, self.step)
        for name, weight in weights.items():
            self.Z[name] = weight.masked_fill(~self.masks[name], 0)
            self.U[name] = torch.zeros_like(weight)
            self.start_norm[name] = float(weight.norm())
        distributed.broadcast([*self.Z.values(), *self.U.values()])

    def over(self) -> bool:
        return self.in_structure(self.masks)

    def add_penalty(self, name: str, weight: Tensor, gradient: Tensor) -> None:
        if name in self.Z:
            gradient.add_((weight - self.Z[name]).add_(self.U[name]), alpha=self.rho)

    def stepped(self) -> None:
        super().stepped()
        if self._just_updated():
            self.update()

    def _just_updated(self) -> bool:
        return self.schedule.update_steps > 0 and self.steps > 0 and self.steps % self.schedule.update_steps == 0

    def update(self) -> None:
        """Z and U anew; primal residual ||W - Z||, dual residual rho ||Z - old Z||."""
        self.pruner.check_finite()
        weights = {name: self.pruner.weight(name) for name in self.names}
        self.masks = self.pruner.project({name: weight + self.U[name] for name, weight in weights.items()}, self.step)
        norms = {}
        for name, weight in weights.items():
            z = (weight + self.U[name]).masked_fill_(~self.masks[name], 0)
            self.U[name] += weight - z
            norm, primal = float(weight.norm()), float((weight - z).norm())
            self.residuals[name] = {"primal": primal, "dual": self.rho * float((z - self.Z[name]).norm()),
                                    "ratio": primal / norm if norm else 0.0}
            self.Z[name], norms[name] = z, norm
        distributed.broadcast([*self.Z.values(), *self.U.values()])
        self.residuals = distributed.from_first(lambda: self._checked(norms))

    def _checked(self, norms: Dict[str, float]) -> Dict[str, Dict[str, float]]:
        """The residuals, where ADMM has not run away."""
        for name, norm in norms.items():
            primal, start = self.residuals[name]["primal"], self.start_norm[name]
            # Not "above": a NaN is caught, too.
            if not max(norm, primal) <= self.schedule.divergence * max(start, 1e-12):
                raise Diverged(name, f"ADMM diverges: ||W|| is {norm:.3g} and ||W - Z|| {primal:.3g}, ||W|| was {start:.3g} when the "
                                     f"stage began (rho {self.rho:g}); a lower learning rate or rho is needed")
        return self.residuals

    def epoch_end(self, record: Dict[str, Any]) -> bool:
        if not self._just_updated():
            self.update()
        self.epochs += 1
        self.epochs_at_rho += 1
        record.update(rho=self.rho, residuals={name: dict(r) for name, r in self.residuals.items()})
        if self.epochs_at_rho < self.schedule.epochs_per_rho:
            return False
        if self.rho_index + 1 < len(self.schedule.rho):
            old = self.rho
            self.rho_index += 1
            self.epochs_at_rho = 0
            for u in self.U.values():
                u *= old / self.rho
            return False
        far = {name: r["ratio"] for name, r in self.residuals.items() if r["ratio"] > self.schedule.tolerance}
        record["converged"] = not far
        if far and self.extra < self.schedule.extra_epochs:
            self.extra += 1
            return False
        if far:
            name = max(far, key=far.__getitem__)
            warnings.warn(f"{name}: ||W - Z|| / ||W|| is still {far[name]:.3g} after {self.extra} extra epochs (tolerance "
                          f"{self.schedule.tolerance:g}): projecting it now loses that much; more epochs or a larger last rho help")
        return True

    def end(self) -> None:
        self.pruner.set_masks(self.masks)

    def state_dict(self) -> Dict[str, Any]:
        def copy(tensors: Dict[str, Tensor]) -> Dict[str, Tensor]:
            return {name: tensor.clone() for name, tensor in tensors.items()}
        return {**super().state_dict(), "rho_index": self.rho_index, "epochs_at_rho": self.epochs_at_rho, "extra": self.extra,
                "Z": copy(self.Z), "U": copy(self.U), "masks": copy(self.masks), "start_norm": dict(self.start_norm),
                "residuals": {name: dict(r) for name, r in self.residuals.items()}}

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        super().load_state_dict(state)
        for key in ("rho_index", "epochs_at_rho", "extra"):
            setattr(self, key, state[key])
        for key in ("Z", "U", "masks"):
            setattr(self, key, {name: t.to(self.pruner.weight(name).device, copy=True) for name, t in state[key].items()})
        self.start_norm, self.residuals = dict(state["start_norm"]), {name: dict(r) for name, r in state["residuals"].items()}


class Gradual(Stage):
    """Magnitude pruning that starts dense and reaches the rate after `ramp_epochs`; what is pruned once stays pruned."""
    kind = "gradual"

    def over(self) -> bool:
        return self.in_structure(self.projected())

    def epoch_end(self, record: Dict[str, Any]) -> bool:
        self.epochs += 1
        share = min(1.0, self.epochs / self.schedule.ramp_epochs)
        self.pruner.set_masks(self.projected(share))
        record["share"] = share
        return share == 1

    def end(self) -> None:
        if self.epochs < self.schedule.ramp_epochs:
            self.pruner.set_masks(self.projected())


class Retrain(Stage):
    """Training under the mask that there is. With `one_shot` it is found when the stage begins."""
    kind = "retrain"

    def begin(self) -> None:
        if self.schedule.method == "one_shot":
            self.pruner.set_masks(self.projected())

    def over(self) -> bool:
        return self.schedule.retrain(self.step) == 0

    def epoch_end(self, record: Dict[str, Any]) -> bool:
        self.epochs += 1
        return self.epochs >= self.schedule.retrain(self.step)
