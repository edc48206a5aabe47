"""The products of a recurrence with its matrices, and which of them is the fastest for a mask. Vectors stand beside each other as columns:
[features, batch]."""
from typing import Union

import torch
from torch import Tensor

from . import kept_weights
from .kept_columns import KeptColumns, height_for
from .kept_weights import KeptWeights

WORTH = 0.6          # of a dense product's time; above, a dense one is taken, which has no exceptions
WEIGHT = 3.0         # time of a kept weight over that of a weight in a dense product (tests/benchmarks/training)
SMALLEST = 1 << 14   # weights of a matrix from which on calls of the compiled library pay


class Dense:
    """The product that leaves nothing out."""
    share = 1.0

    def pack(self, weight: Tensor, dtype: torch.dtype) -> Tensor:
        return weight.to(dtype)

    def times(self, packed: Tensor, x: Tensor, out: Tensor) -> None:
        """out [rows, batch] = weight times x [columns, batch]"""
        torch.mm(packed, x, out=out)

    def add_transposed(self, packed: Tensor, y: Tensor, out: Tensor) -> None:
        """out [columns, batch] += transposed weight times y [rows, batch]"""
        out += packed.t() @ y

    def outer(self, y: Tensor, x: Tensor) -> Tensor:
        """The weight's gradient: y [rows, n] times transposed x [columns, n]"""
        return y @ x.t()


Product = Union[Dense, KeptColumns, KeptWeights]


def product(mask: Tensor, gates: int) -> Product:
    """The fastest for this mask of `gates` stacked matrices."""
    height, time = height_for(mask, gates)
    by_weight = WEIGHT * float(mask.double().mean())
    if mask.numel() >= SMALLEST and by_weight < min(time, WORTH) and kept_weights.library() is not None:
        return KeptWeights(mask)
    return KeptColumns(mask, height) if height is not None and time <= WORTH else Dense()
