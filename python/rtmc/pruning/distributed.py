"""Decisions are made by the first process and sent to the others, so that all have the same masks, Z and U to the last bit."""
from typing import Callable, Iterable, List, TypeVar

import torch
import torch.distributed as dist

from .errors import PruningError

T = TypeVar("T")


def active() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def from_first(compute: Callable[[], T]) -> T:
    """What `compute` returns, or raises, in the first process."""
    if not active():
        return compute()
    box: List = [None, None]
    if dist.get_rank() == 0:
        try:
            box[0] = compute()
        except PruningError as error:
            box[1] = error
    dist.broadcast_object_list(box, src=0)
    if box[1] is not None:
        raise box[1]
    return box[0]


def broadcast(tensors: Iterable[torch.Tensor]) -> None:
    """Overwrites them, in place, with those of the first process."""
    if active():
        for tensor in tensors:
            dist.broadcast(tensor, src=0)
