"""Puts a pruner's before_step() and after_step() around an optimiser's step: through its hooks, or around the method where
PyTorch has none (1.13)."""
import functools
import types
from typing import Callable, Dict, List

import torch
from torch.optim import Optimizer

from .errors import PruningError


class Attachment:
    """The link between one optimiser and the two calls. `detach` undoes it."""

    def __init__(self, optimizer: Optimizer, parameters: Dict[str, torch.nn.Parameter], before: Callable[[], None],
                 after: Callable[[], None]):
        self.optimizer, self._before, self._after = optimizer, before, after
        self._handles: List = []
        self._active = True
        self._check(parameters)
        if hasattr(optimizer, "register_step_pre_hook"):
            self._handles.append(optimizer.register_step_pre_hook(lambda _, args, kwargs: self._pre(args, kwargs)))
            self._handles.append(optimizer.register_step_post_hook(lambda *_: self._after()))
        else:
            self._wrap()

    def _check(self, parameters: Dict[str, torch.nn.Parameter]) -> None:
        if not isinstance(self.optimizer, Optimizer):
            raise PruningError(f"the optimiser is a {type(self.optimizer).__name__}; a torch.optim.Optimizer is needed")
        if isinstance(self.optimizer, torch.optim.LBFGS) or "ZeroRedundancyOptimizer" in {k.__name__ for k in type(self.optimizer).__mro__}:
            raise PruningError(f"{type(self.optimizer).__name__} computes or shards its steps inside step(): "
                               f"nothing can be done between the gradients and the update")
        own = {id(p) for group in self.optimizer.param_groups for p in group["params"]}
        missing = [name for name, parameter in parameters.items() if id(parameter) not in own]
        if missing:
            raise PruningError(f"the optimiser does not update {', '.join(missing[:4])}{' ...' if len(missing) > 4 else ''}: "
                               f"was it made for another model, or before the model was copied?")

    def _pre(self, args: tuple, kwargs: dict) -> None:
        # PyTorch hands its hooks the optimiser itself among the arguments.
        if any(a is not None and a is not self.optimizer for a in (*args, kwargs.get("closure"))):
            raise PruningError("step(closure) computes gradients inside the step; call backward() first and step() without a closure")
        scaled = kwargs.get("grad_scaler"), getattr(self.optimizer, "grad_scale", None), getattr(self.optimizer, "found_inf", None)
        if any(value is not None for value in scaled):
            raise PruningError("a fused optimiser under a gradient scaler unscales inside its step, where the penalty cannot follow; "
                               "make the optimiser with fused=False")
        self._before()

    def _wrap(self) -> None:
        self._original = self.optimizer.step
        attachment = self

        @functools.wraps(self._original)  # schedulers mark the method that they count; the mark stays visible
        def step(optimizer, *args, **kwargs):
            if not attachment._active:
                return attachment._original(*args, **kwargs)
            attachment._pre(args, kwargs)
            result = attachment._original(*args, **kwargs)
            attachment._after()
            return result

        # A bound method, as schedulers take it apart.
        self.optimizer.step = types.MethodType(step, self.optimizer)  # type: ignore[method-assign]

    def detach(self) -> None:
        self._active = False
        for handle in self._handles:
            handle.remove()
        # Where something was put around our method since (a scheduler), it stays, and does nothing more.
        if not self._handles and getattr(self.optimizer.step, "__wrapped__", None) is self._original:
            self.optimizer.step = self._original  # type: ignore[method-assign]

    def clear_state(self, parameter: torch.nn.Parameter, pruned: torch.Tensor) -> None:
        """Zeroes momentum and the like where a weight is pruned, or they would wake it."""
        for value in self.optimizer.state.get(parameter, {}).values():
            if torch.is_tensor(value) and value.shape == parameter.shape:
                value.masked_fill_(pruned, 0)
