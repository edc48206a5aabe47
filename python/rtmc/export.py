"""export: a PyTorch module that chains recurrent and linear layers -> model.yaml, model.safetensors and masks, which rtmc compiles.
Owns the files; layers.py reads the module."""
import os
import re
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Sequence, Tuple, Union

import numpy

from .files import save_safetensors, write_whole
from .layers import ExportError, Layer, chain_of, compare, entries_of, unwrapped

if TYPE_CHECKING:
    import torch
    from torch import nn

    from .pruning.pruner import Pruner

__all__ = ["ExportError", "export"]


def export(model: "nn.Module", folder: Union[str, "os.PathLike[str]"], *, layers: Optional[Sequence[Any]] = None,
           masks: Union[None, "Pruner", Mapping[str, Any]] = None, name: str = "model",
           example: Optional["torch.Tensor"] = None) -> str:
    """Writes `folder`/model.yaml and model.safetensors, each whole or not at all. Returns the path of model.yaml.

    model    a recurrent or linear layer, an nn.Sequential or nn.ModuleList of such, or any module with `layers` given.
    layers   the model's layers in the order in which it calls them: names of submodules, submodules, or activations of
             linear layers ("relu", "sigmoid", "tanh", "softmax", "log_softmax").
    masks    a Pruner whose masks are final (then the structure is promised, too), or names -> masks. Otherwise the zeros
             are the mask. Masks are always written: a small weight may round to zero in 16 bits and still is kept.
    name     a C identifier; the prefix of every generated symbol.
    example  an input of the model: model(example) is compared with the layers called one after the other.
    """
    import torch
    if not isinstance(model, torch.nn.Module):
        raise ExportError(f"the model is a {type(model).__name__}; a torch.nn.Module is needed")
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        raise ExportError(f"the name '{name}' is no C identifier")
    model = unwrapped(model)
    chain = chain_of(model, layers)
    if example is not None:
        compare(model, chain, example)
    entries = entries_of(chain)
    with torch.no_grad():
        tensors = _tensors(entries, *_masks_of(masks))
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "model.yaml")
    save_safetensors(os.path.join(folder, "model.safetensors"), tensors)
    write_whole(path, [_yaml(name, entries).encode()])
    return path


def _masks_of(masks: Union[None, "Pruner", Mapping[str, Any]]) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """By the weights' bare names: masks, and the structures that they were projected onto (of a Pruner)."""
    if masks is None:
        return {}, {}
    if not isinstance(masks, Mapping):
        if not masks.final:
            raise ExportError(f"the pruner is in stage {masks.stage}: its masks are not final yet")
        return masks.masks, {key: (structure, masks.gates(key)) for key, structure in masks.config.structures.items()}
    from .pruning.tensors import canonical
    return {canonical(key): mask for key, mask in masks.items()}, {}


def _tensors(entries: Sequence[Layer], masks: Dict[str, Any], structures: Dict[str, Any]) -> Dict[str, numpy.ndarray]:
    import torch
    from torch.nn.parameter import UninitializedTensorMixin  # type: ignore[attr-defined]

    from .pruning.errors import nearest
    known = [path for layer in entries for key, (path, _) in layer.tensors.items() if key.startswith("weight")]
    for path in masks:
        if path not in known and path not in structures:  # a Pruner may have pruned layers that are not exported
            raise ExportError(f"there is a mask for '{path}', which is no weight of the exported layers{nearest(path, known)}")
    tensors: Dict[str, numpy.ndarray] = {}
    for layer in entries:
        promises = {}
        for key, (path, value) in layer.tensors.items():
            if isinstance(value, UninitializedTensorMixin) or value.is_meta:
                raise ExportError(f"{path} has no values yet (a lazy module, or device 'meta')")
            values = value.detach().cpu().to(torch.float32).contiguous().numpy()
            if not numpy.isfinite(values).all():
                raise ExportError(f"{path} holds NaN or infinite values (as float32)")
            if not key.startswith("weight"):
                tensors[f"{layer.name}.{key}"] = values
                continue
            mask = masks.get(path)
            mask = values != 0 if mask is None else numpy.asarray(mask.cpu() if torch.is_tensor(mask) else mask) != 0
            if mask.shape != values.shape:
                raise ExportError(f"the mask of {path} has the shape {mask.shape}, the weight {values.shape}")
            tensors[f"{layer.name}.{key}"] = numpy.where(mask, values, numpy.float32(0))
            tensors[f"{layer.name}.{key}_mask"] = mask
            if path in structures:
                from .pruning.projections import promise
                structure, gates = structures[path]
                promises[key] = promise(structure, values.shape[0] // gates, values.shape[1])
        promises = {key: p for key, p in promises.items() if p}
        if promises:
            layer.keys["sparsity"] = promises
    return tensors


def _flow(value: Any) -> str:
    """A value in YAML's flow style. All texts here are plain words."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(v)}" for key, v in value.items()) + "}"
    return "[" + ", ".join(map(_flow, value)) + "]" if isinstance(value, (list, tuple)) else str(value)


def _yaml(name: str, entries: Sequence[Layer]) -> str:
    source = "x" if all(layer.name != "x" for layer in entries) else "input"
    lines = ["rtm: 1", f"name: {name}", "weights: model.safetensors",
             "inputs:", f"  - {{name: {source}, size: {entries[0].inputs}}}", "layers:"]
    for layer in entries:
        plain = {"name": layer.name, **{key: value for key, value in layer.keys.items() if key != "sparsity"}}
        if "sparsity" not in layer.keys:
            lines.append(f"  - {_flow(plain)}")
            continue
        lines += [f"  {'- ' if key == 'name' else '  '}{key}: {_flow(value)}" for key, value in plain.items()] + ["    sparsity:"]
        lines += [f"      {key}: {_flow(value)}" for key, value in layer.keys["sparsity"].items()]
    return "\n".join([*lines, f"outputs: [{entries[-1].name}]", ""])
