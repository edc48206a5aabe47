"""One file with everything that a run needs to go on, bit for bit on the CPU with as many threads: model, pruner, optimiser,
scheduler, scaler, place in the data, random states. Written whole or not at all, and never from a run that diverged."""
import io
import os
import random
from typing import Any, Dict, Iterator, Mapping, Optional, Union

import numpy
import torch
from torch import nn

from ..files import write_whole
from .errors import Diverged, PruningError
from .pruner import Pruner
from .tensors import canonical

Path = Union[str, "os.PathLike[str]"]


def save_checkpoint(path: Path, model: nn.Module, pruner: Optional[Pruner], optimizer: Optional[torch.optim.Optimizer] = None,
                    extra: Optional[Mapping[str, Any]] = None, **others: Any) -> None:
    """`pruner`: None where nothing is pruned (yet). `others`: whatever else has state_dict() (scheduler=, scaler=, sampler=).
    `extra`: plain values of your own.
    With several processes only the first one calls this; the others' random states are theirs to keep."""
    if pruner is not None and pruner.diverged:
        raise PruningError(f"{path}: the run diverged; the checkpoint of before is kept")
    for name, value in model.state_dict().items():
        if torch.is_tensor(value) and value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise Diverged(canonical(name), f"holds NaN or infinite values; {path} is kept as it was")
    numpy_state: Any = numpy.random.get_state()
    kind, keys, position, has_gauss, gauss = numpy_state
    state: Dict[str, Any] = {
        "version": 1, "model": model.state_dict(), "pruner": None if pruner is None else pruner.state_dict(),
        "optimizer": None if optimizer is None else optimizer.state_dict(),
        "others": {name: other.state_dict() for name, other in others.items() if other is not None},
        "extra": dict(extra or {}),
        # Tensors and plain values only: the file can be read with weights_only.
        "random": {"python": _plain(random.getstate()), "torch": torch.get_rng_state(),
                   "numpy": [kind, torch.from_numpy(keys.astype(numpy.int64)), position, has_gauss, gauss],
                   "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []}}
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_whole(os.fspath(path), [buffer.getbuffer()])


def load_checkpoint(path: Path, model: nn.Module, pruner: Optional[Pruner], optimizer: Optional[torch.optim.Optimizer] = None,
                    **others: Any) -> Dict[str, Any]:
    """Into objects made as for the first run: the pruner prepared, and attached where it was. Returns `extra`."""
    with open(path, "rb") as file:
        content = io.BytesIO(file.read())
    try:
        # PyTorch 1.13's safe reader knows no floats: there a checkpoint can run code, so load only files that you trust.
        state = torch.load(content, map_location="cpu", weights_only=int(torch.__version__.split(".")[0]) >= 2)
    except Exception as error:  # whatever a damaged pickle or zip file gives
        raise PruningError(f"{path} is damaged or no checkpoint: {error}") from error
    if not isinstance(state, dict) or state.get("version") != 1 or "pruner" not in state:
        raise PruningError(f"{path} is no checkpoint of this package")
    missing = [name for name, other in others.items() if other is not None and name not in state["others"]]
    unused = [name for name in state["others"] if others.get(name) is None]
    for name, given in (("pruner", pruner), ("optimizer", optimizer)):
        if given is not None and state[name] is None:
            missing.append(name)
        if given is None and state[name] is not None:
            unused.append(name)
    if missing or unused:
        words = [f"has no {name}" for name in missing] + [f"has a {name}, which was not given" for name in unused]
        raise PruningError(f"{path} {'; '.join(words)}")
    _load_model(model, state["model"])
    if pruner is not None:
        pruner.load_state_dict(state["pruner"])
    if optimizer is not None:
        optimizer.load_state_dict(state["optimizer"])
    for name, other in others.items():
        if other is not None:
            other.load_state_dict(state["others"][name])
    saved = state["random"]
    version, internal, gauss = saved["python"]
    random.setstate((version, tuple(internal), gauss))
    kind, keys, position, has_gauss, cached = saved["numpy"]
    numpy.random.set_state((kind, keys.numpy().astype(numpy.uint32), position, has_gauss, cached))
    torch.set_rng_state(saved["torch"])
    if torch.cuda.is_available() and len(saved["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(saved["cuda"])
    return state["extra"]


def _load_model(model: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """With or without the prefixes of DistributedDataParallel and torch.compile, on either side."""
    own = {canonical(name): name for name in model.state_dict()}
    model.load_state_dict({own.get(canonical(name), name): value for name, value in state.items()})


def _plain(value: Any) -> Any:
    return [_plain(v) for v in value] if isinstance(value, (tuple, list)) else value


class ResumableSampler(torch.utils.data.Sampler):
    """Shuffles anew in each epoch, from `seed` and the epoch alone, and can go on in the middle of one: call advance(n) after each
    optimiser step with the number of examples that it used. A DataLoader reads ahead, so the sampler itself cannot know. Give the
    DataLoader a generator of its own (generator=torch.Generator()): otherwise each epoch, resumed ones too, draws from the global one."""

    def __init__(self, length: int, seed: int = 0, rank: int = 0, replicas: int = 1):
        self.length, self.seed, self.rank, self.replicas = length, seed, rank, replicas
        self.epoch = self.position = 0

    def __iter__(self) -> Iterator[int]:
        order = numpy.random.default_rng([self.seed, self.epoch]).permutation(self.length)
        whole = len(order) // self.replicas * self.replicas  # every process has as many
        return iter(order[:whole][self.rank::self.replicas][self.position:].tolist())

    def __len__(self) -> int:
        return self.length // self.replicas - self.position

    def advance(self, examples: int) -> None:
        self.position += examples

    def next_epoch(self) -> None:
        self.epoch, self.position = self.epoch + 1, 0

    def state_dict(self) -> Dict[str, int]:
        return {"epoch": self.epoch, "position": self.position, "seed": self.seed, "length": self.length}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        if (state["seed"], state["length"]) != (self.seed, self.length):
            raise PruningError(f"the sampler had seed {state['seed']} and {state['length']} examples; it has {self.seed} and {self.length}")
        self.epoch, self.position = state["epoch"], state["position"]
