"""Finds the weights of a model that can be pruned, by name, and refuses those that cannot be pruned in place."""
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Tuple

import torch
from torch import nn
from torch.nn.parameter import UninitializedTensorMixin  # type: ignore[attr-defined]
from torch.nn.utils import parametrize

from ..nn import GRUResetBefore
from .errors import PruningError

_GATES: Dict[Any, int] = {nn.GRU: 3, nn.LSTM: 4, nn.RNN: 1, GRUResetBefore: 3, nn.GRUCell: 3, nn.LSTMCell: 4, nn.RNNCell: 1}


def canonical(name: str) -> str:
    """A parameter's name as the bare model has it: without DistributedDataParallel's `module.` and torch.compile's `_orig_mod.`"""
    parts = [part for part in name.split(".") if part != "_orig_mod"]
    while len(parts) > 1 and parts[0] == "module":
        parts.pop(0)
    return ".".join(parts)


@dataclass
class Target:
    """One weight matrix, gates stacked. The parameter is looked up anew: a model may be moved or given other parameters."""
    name: str
    module: nn.Module
    attribute: str
    gates: int
    recurrent: bool

    @property
    def parameter(self) -> nn.Parameter:
        parameter = self.module._parameters[self.attribute]
        assert parameter is not None, self.name  # check_parameter has refused it
        return parameter


def _weights(module: Any) -> Iterator[Tuple[str, int, bool]]:
    """(attribute, gates, recurrent) of the weight matrices that a module of this type has."""
    if isinstance(module, nn.Linear):
        yield "weight", 1, False
    for kind, gates in _GATES.items():
        if not isinstance(module, kind):
            continue
        if isinstance(module, nn.RNNCellBase):
            yield "weight_ih", gates, True
            yield "weight_hh", gates, True
            return
        for layer in range(module.num_layers):
            for suffix in ("", "_reverse") if module.bidirectional else ("",):
                yield f"weight_ih_l{layer}{suffix}", gates, True
                yield f"weight_hh_l{layer}{suffix}", gates, True
                if getattr(module, "proj_size", 0):
                    yield f"weight_hr_l{layer}{suffix}", 1, True
        return


def _modules(model: nn.Module) -> Iterator[Tuple[str, nn.Module]]:
    for path, module in model.named_modules(remove_duplicate=False):
        yield canonical(path + ".x")[:-2], module


def find_targets(model: nn.Module) -> Dict[str, Target]:
    """Every weight matrix of a recurrent or linear layer, by its name, in the order of the model."""
    targets: Dict[str, Target] = {}
    for path, module in _modules(model):
        for attribute, gates, recurrent in _weights(module):
            name = f"{path}.{attribute}" if path else attribute
            if name in targets and targets[name].module is not module:
                raise PruningError(f"two weights are called '{name}' once 'module.' and '_orig_mod.' are left out; rename one")
            targets[name] = Target(name, module, attribute, gates, recurrent)
    return targets


def check_model(model: nn.Module) -> None:
    """Refuses what cannot be pruned whatever the configuration says."""
    if not isinstance(model, nn.Module):
        raise PruningError(f"the model is a {type(model).__name__}; a torch.nn.Module is needed")
    for _, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise PruningError("the model is scripted (torch.jit); prune the module it was made from")
        kinds = {kind.__name__ for kind in type(module).__mro__}
        if kinds & {"FullyShardedDataParallel", "FSDPModule"}:
            raise PruningError("the model is sharded (FSDP): no process holds a whole matrix to project; use DistributedDataParallel")


def check_targets(model: nn.Module, targets: List[Target]) -> None:
    """Refuses each chosen weight whose pruning in place would go wrong, with the reason."""
    names: Dict[int, List[str]] = {}
    for path, module in _modules(model):
        for attribute, parameter in module._parameters.items():
            # Not-yet-initialised and meta tensors have no address.
            if parameter is None or isinstance(parameter, UninitializedTensorMixin) or parameter.is_meta:
                continue
            if parameter.numel():
                name = f"{path}.{attribute}" if path else attribute
                at = names.setdefault(parameter.data_ptr(), [])
                if name not in at:
                    at.append(name)
    for target in targets:
        check_parameter(target)
        shared = names.get(target.parameter.data_ptr(), [])
        if len(shared) > 1:
            raise PruningError(f"{target.name} is shared ({', '.join(shared)} are one tensor): pruning one would prune the others")


def check_parameter(target: Target) -> None:
    """Refuses a weight that is no plain, trainable, finite matrix in single or double precision."""
    module, attribute, name = target.module, target.attribute, target.name
    if parametrize.is_parametrized(module, attribute):
        raise PruningError(f"{name} is parametrized; torch.nn.utils.parametrize.remove_parametrizations makes it a plain weight")
    parameter = module._parameters.get(attribute)
    if parameter is None:
        if attribute + "_orig" in module._parameters and attribute + "_mask" not in module._buffers:
            raise PruningError(f"{name} is computed from another tensor before each call (spectral_norm?); take that off first")
        if attribute + "_orig" in module._parameters:
            raise PruningError(f"{name} is pruned already by torch.nn.utils.prune; prune.remove(module, '{attribute}') makes it permanent")
        if attribute + "_g" in module._parameters or attribute + "_v" in module._parameters:
            raise PruningError(f"{name} has weight normalisation; torch.nn.utils.remove_weight_norm takes it off")
        raise PruningError(f"{name} is no parameter of its {type(module).__name__} (something replaced it)")
    if isinstance(parameter, UninitializedTensorMixin):
        raise PruningError(f"{name} has no shape yet (a lazy module); run the model once first")
    if "DTensor" in {kind.__name__ for kind in type(parameter).__mro__}:
        raise PruningError(f"{name} is a sharded tensor: no process holds a whole matrix to project; use DistributedDataParallel")
    if parameter.dtype not in (torch.float32, torch.float64):
        raise PruningError(f"{name} is {parameter.dtype}: weights are trained and pruned in float32 (use autocast for half precision)")
    if parameter.is_meta:
        raise PruningError(f"{name} has no values (device 'meta'); load the model first")
    if not parameter.requires_grad:
        raise PruningError(f"{name} is frozen (requires_grad is False), so it cannot be trained towards a structure")
    if parameter.dim() != 2 or parameter.numel() == 0:
        raise PruningError(f"{name} has the shape {tuple(parameter.shape)}; a matrix is needed")
    if not bool(torch.isfinite(parameter).all()):
        raise PruningError(f"{name} holds NaN or infinite values")
