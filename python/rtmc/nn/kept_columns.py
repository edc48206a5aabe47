"""Products with a matrix whose rows share their kept columns in blocks: each block is a small dense matrix, and a product is one batch of
those (torch.bmm) over the gathered rows of what it is multiplied with. Vectors stand beside each other as columns: [features, batch],
so that gathering is copying of whole rows."""
from typing import Optional, Tuple

import torch
from torch import Tensor

HEIGHTS = range(12, 129)  # rows of a block: lower ones multiply slowly
ROUND = 8                 # columns of a block are a multiple of this: matrix units like it


class KeptColumns:
    """The product with a matrix under `mask` [rows, columns], in blocks of `height` rows, which divides the rows. A block keeps each
    column that one of its rows keeps; blocks that keep fewer than the fullest are filled up. Pruned weights count as 0, also in kept columns,
    and get gradients of 0."""

    def __init__(self, mask: Tensor, height: int):
        self.shape, self.height, self.blocks = tuple(mask.shape), height, len(mask) // height
        kept, self.width = _kept(mask, height)
        # A block's kept columns first, in their order; those after them are all different, too.
        chosen = torch.sort((~kept).to(torch.uint8), dim=1, stable=True).indices[:, :self.width]
        self._rows = chosen.reshape(-1)
        self._columns = chosen.unsqueeze(1).expand(-1, height, -1)
        self._pruned = ~self._blocks_of(mask)

    @property
    def share(self) -> float:
        """Of the dense matrix that is multiplied with."""
        return self.width / self.shape[1]

    def pack(self, weight: Tensor, dtype: torch.dtype) -> Tensor:
        return self._blocks_of(weight).masked_fill_(self._pruned, 0).to(dtype)

    def times(self, packed: Tensor, x: Tensor, out: Tensor) -> None:
        torch.bmm(packed, self._gathered(x), out=out.view(self.blocks, self.height, -1))

    def add_transposed(self, packed: Tensor, y: Tensor, out: Tensor) -> None:
        parts = torch.bmm(packed.transpose(1, 2), y.view(self.blocks, self.height, -1))
        out.index_add_(0, self._rows, parts.view(len(self._rows), -1).to(out.dtype))

    def outer(self, y: Tensor, x: Tensor) -> Tensor:
        parts = torch.bmm(y.view(self.blocks, self.height, -1), self._gathered(x).transpose(1, 2)).masked_fill_(self._pruned, 0)
        whole = parts.new_zeros(self.blocks, self.height, self.shape[1])
        return whole.scatter_(2, self._columns, parts).view(self.shape)

    def _blocks_of(self, matrix: Tensor) -> Tensor:
        """[rows, columns] -> [blocks, height, width]"""
        return matrix.reshape(self.blocks, self.height, self.shape[1]).gather(2, self._columns)

    def _gathered(self, x: Tensor) -> Tensor:
        return x.index_select(0, self._rows).view(self.blocks, self.width, -1)


def height_for(mask: Tensor, gates: int) -> Tuple[Optional[int], float]:
    """Of the blocks that leave least to multiply, for `gates` stacked matrices, and the share of the dense matrix that they leave; None if no
    height divides a gate's rows."""
    size = mask.shape[0] // gates
    widths = {height: _kept(mask, height)[1] for height in HEIGHTS if size % height == 0}
    best = min(widths, key=lambda height: (widths[height], -height), default=None)
    return best, 1.0 if best is None else widths[best] / mask.shape[1]


def _kept(mask: Tensor, height: int) -> Tuple[Tensor, int]:
    """Which columns each block of rows keeps, bool [blocks, columns], and the most of one, rounded up, at least one round."""
    kept = mask.reshape(-1, height, mask.shape[1]).any(1)
    return kept, min(mask.shape[1], -(-max(int(kept.sum(1).max()), 1) // ROUND) * ROUND)
