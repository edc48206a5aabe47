"""Dropout that draws 16 bits per value: on the CPU torch.nn.functional.dropout draws a double for each, which takes 4 % of an epoch of a
GRU of 1024 units (15 ms for 1.5 million values, against 3)."""
import torch
from torch import Tensor

__all__ = ["Dropout", "dropout"]

LEVELS = 1 << 16


def dropout(x: Tensor, p: float, training: bool = True) -> Tensor:
    """torch.nn.functional.dropout, with `p` rounded to a multiple of 2**-16."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout is {p}; a probability is needed")
    level = round(p * LEVELS)
    if not training or level == 0:
        return x
    if level == LEVELS:
        return x * 0
    # All 64 bits of a draw are used: four values.
    drawn = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(torch.iinfo(torch.int64).min, None)
    kept = drawn.view(torch.int16)[:x.numel()].view(x.shape) >= level - LEVELS // 2
    return x * kept.to(x.dtype).mul_(LEVELS / (LEVELS - level))


class Dropout(torch.nn.Dropout):
    """torch.nn.Dropout, by dropout()."""

    def forward(self, input: Tensor) -> Tensor:
        return dropout(input, self.p, self.training) if input.device.type == "cpu" else super().forward(input)
