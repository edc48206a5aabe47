"""Reads a module as a chain of layers of model.yaml. Owns what of PyTorch has a place there; what has none is refused with a
sentence, nothing is approximated. PyTorch is imported when it is used."""
import re
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple

if TYPE_CHECKING:
    import torch
    from torch import nn

_ACTIVATIONS = {"ReLU": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Softmax": "softmax", "LogSoftmax": "log_softmax"}
_NOTHING = ("Dropout", "Identity")  # in evaluation


class ExportError(ValueError):
    """The module has no equal in model.yaml, or its parts do not fit."""


@dataclass
class Layer:
    """One entry of `layers:`. `tensors`: name in the file -> (path of the module's tensor, values)."""
    name: str
    keys: Dict[str, Any]
    inputs: int
    outputs: int
    tensors: Dict[str, Tuple[str, "torch.Tensor"]] = field(default_factory=dict)


def unwrapped(model: Any) -> "nn.Module":
    while True:
        if hasattr(model, "_orig_mod"):
            model = model._orig_mod
        elif type(model).__name__ in ("DistributedDataParallel", "DataParallel"):
            model = model.module
        else:
            return model


def chain_of(model: "nn.Module", layers: Optional[Sequence[Any]]) -> List[Tuple[str, Any]]:
    """(path, module or name of an activation) in the order of the calls."""
    import torch
    if layers is None:
        if _is_layer(model):
            return [("", model)]
        if not isinstance(model, (torch.nn.Sequential, torch.nn.ModuleList)):
            names = [path for path, module in model.named_modules() if _is_layer(module)]
            raise ExportError(f"in which order {type(model).__name__} calls its layers cannot be seen from outside; say it: "
                              f"layers={names or '[...]'}")
        chain: List[Tuple[str, Any]] = []
        for path, module in model.named_children():
            if _is_layer(module) or not isinstance(module, (torch.nn.Sequential, torch.nn.ModuleList)):
                chain.append((path, module))
            else:
                chain += [(f"{path}.{inner}", part) for inner, part in chain_of(module, None)]
        return chain
    modules = dict(model.named_modules())
    paths = {id(module): path for path, module in modules.items()}
    chain = []
    for entry in layers:
        if isinstance(entry, torch.nn.Module):
            # An activation needs no place in the model: it has no weights.
            if id(entry) not in paths and not _is_stateless(entry):
                raise ExportError(f"a {type(entry).__name__} of layers= is no part of the model")
            chain.append((paths.get(id(entry), type(entry).__name__.lower()), entry))
        elif entry in modules:
            chain.append((entry, modules[entry]))
        elif entry in _ACTIVATIONS.values():
            chain.append((entry, entry))
        else:
            from .pruning.errors import nearest
            raise ExportError(f"the model has no layer '{entry}'{nearest(str(entry), [path for path in modules if path])}")
    used = [module for _, entry in chain if isinstance(entry, torch.nn.Module) for module in entry.modules()]
    known = {id(parameter) for module in used for parameter in module.parameters()}
    left = sorted({path.rpartition(".")[0] or path for path, p in model.named_parameters() if id(p) not in known})
    if left:
        warnings.warn(f"not exported, because layers= does not name it: {', '.join(left)}", stacklevel=3)
    return chain


def _kinds() -> Dict[Any, str]:
    from torch import nn

    from .nn import GRUResetBefore, MaskedGRU, MaskedGRUResetBefore
    return {MaskedGRU: "gru", MaskedGRUResetBefore: "gru", nn.GRU: "gru", nn.LSTM: "lstm", nn.RNN: "rnn", GRUResetBefore: "gru",
            nn.GRUCell: "gru", nn.LSTMCell: "lstm", nn.RNNCell: "rnn", nn.Linear: "linear"}


def _is_layer(module: "nn.Module") -> bool:
    return isinstance(module, tuple(_kinds()))


def _is_stateless(module: "nn.Module") -> bool:
    return type(module).__name__ in _ACTIVATIONS or type(module).__name__.startswith(_NOTHING)


def _activation(path: str, entry: Any) -> str:
    if isinstance(entry, str):
        return entry
    kind = _ACTIVATIONS[type(entry).__name__]
    if "softmax" in kind and entry.dim != -1:
        raise ExportError(f"{path} is a {type(entry).__name__} over dim={entry.dim}; dim=-1, over the values of a step, is needed")
    return kind


def entries_of(chain: Sequence[Tuple[str, Any]]) -> List[Layer]:
    entries: List[Layer] = []
    seen = set()
    for path, entry in chain:
        if isinstance(entry, str) or type(entry).__name__ in _ACTIVATIONS:
            activation = _activation(path, entry)
            if not entries or entries[-1].keys["op"] != "linear" or "activation" in entries[-1].keys:
                behind = f"{entries[-1].name}, {entries[-1].keys['op']}" if entries else "nothing"
                raise ExportError(f"{path} ({activation}) comes after {behind}; only a linear layer takes one activation")
            entries[-1].keys["activation"] = activation
            continue
        if _is_stateless(entry):
            continue
        if not _is_layer(entry):
            raise ExportError(f"{path} is a {type(entry).__name__}; model.yaml has recurrent and linear layers "
                              f"and activations {', '.join(_ACTIVATIONS)}")
        if id(entry) in seen:
            raise ExportError(f"{path} is called twice; each layer of model.yaml has weights and a state of its own")
        seen.add(id(entry))
        for layer in _layers_of(path, entry):
            if entries and entries[-1].outputs != layer.inputs:
                raise ExportError(f"{layer.name} reads {layer.inputs} values; {entries[-1].name} before it gives {entries[-1].outputs}")
            if layer.name in [e.name for e in entries]:
                layer.name += f"_{len(entries)}"
            entries.append(layer)
    if not entries:
        raise ExportError("the model has no layers")
    return entries


def _layers_of(path: str, module: Any) -> List[Layer]:
    from torch import nn
    kind, op = next((kind, op) for kind, op in _kinds().items() if isinstance(module, kind))
    if type(module).forward is not kind.forward:
        raise ExportError(f"{path or type(module).__name__} is a {type(module).__name__} with a forward of its own, not {kind.__name__}'s")
    name = re.sub(r"\W", "_", path, flags=re.ASCII) or op
    name = name if re.match(r"[A-Za-z_]", name) else f"layer{name}"
    prefix = f"{path}." if path else ""

    def tensor(attribute: str) -> Optional[Tuple[str, Any]]:
        value = getattr(module, attribute, None)
        return None if value is None else (prefix + attribute, value)

    if op == "linear":
        found = {key: tensor(key) for key in ("weight", "bias")}
        return [Layer(name, {"op": op, "size": module.out_features}, module.in_features, module.out_features,
                       {key: value for key, value in found.items() if value})]
    keys: Dict[str, Any] = {"op": op, "size": module.hidden_size}
    if op == "gru":
        keys["reset"] = "after" if isinstance(module, (nn.GRU, nn.GRUCell)) else "before"
    if op == "rnn" and module.nonlinearity == "relu":
        keys["activation"] = "relu"
    if isinstance(module, nn.RNNCellBase):
        found = {key: tensor(key) for key in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
        return [Layer(name, keys, module.input_size, module.hidden_size, {key: value for key, value in found.items() if value})]

    projection = getattr(module, "proj_size", 0)
    if projection:
        keys["projection"] = projection
    if module.bidirectional:
        keys["direction"] = "both"
    out = (projection or module.hidden_size) * (2 if module.bidirectional else 1)
    layers = []
    for index in range(module.num_layers):
        layer = Layer(name if module.num_layers == 1 else f"{name}_l{index}", dict(keys), module.input_size if index == 0 else out, out)
        for suffix in ("", "_reverse") if module.bidirectional else ("",):
            for key in ("weight_ih", "weight_hh", "weight_hr", "bias_ih", "bias_hh"):
                value = tensor(f"{key}_l{index}{suffix}")
                if value:
                    layer.tensors[key + suffix] = value
        layers.append(layer)
    return layers


def compare(model: "nn.Module", chain: Sequence[Tuple[str, Any]], example: "torch.Tensor") -> None:
    """Refuses a chain that computes something else than the model does."""
    import torch
    from torch import nn
    training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            theirs, ours = model(example), example
            for _, entry in chain:
                if isinstance(entry, str):
                    functions = {"softmax": nn.Softmax(-1), "log_softmax": nn.LogSoftmax(-1)}
                    ours = functions[entry](ours) if entry in functions else getattr(torch, entry)(ours)
                elif isinstance(entry, nn.RNNCellBase):
                    raise ExportError("example= cannot follow a cell: how the model loops over time is not known")
                else:
                    ours = entry(ours)
                    ours = ours[0] if isinstance(ours, tuple) else ours
    finally:
        for module, mode in training.items():
            module.training = mode
    theirs = theirs[0] if isinstance(theirs, tuple) else theirs
    if not torch.is_tensor(theirs) or theirs.shape != ours.shape:
        shape = tuple(theirs.shape) if torch.is_tensor(theirs) else type(theirs).__name__
        raise ExportError(f"model(example) is {shape}, its layers one after the other give {tuple(ours.shape)}: "
                          f"the model does more than they do")
    difference, largest = float((theirs - ours).abs().max()), float(ours.abs().max())
    if not difference <= 1e-4 * max(largest, 1.0):
        raise ExportError(f"model(example) differs from its layers one after the other by {difference:.3g} (values up to {largest:.3g}): "
                          f"the model does more than they do, or in another order")
