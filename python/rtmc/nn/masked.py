"""MaskedGRU and MaskedGRUResetBefore: torch.nn.GRU and GRUResetBefore, with their numbers and names, for training on the CPU. Two things
make them faster there. Time runs in one autograd.Function (recurrences.py), so the gradient of a weight is one product over all steps
instead of a sum over steps; and under masks each product leaves out what a block of rows has pruned (kept_columns.py), or, of masks
without such blocks, each pruned weight (kept_weights.py), which a masked dense product multiplies with zeros."""
from typing import TYPE_CHECKING, Dict, List, Mapping, Tuple, Type

import torch
from torch import Tensor

from .dropout import dropout
from .products import Dense, Product, product
from .recurrences import ResetAfter, ResetBefore
from .reset_before import GRUResetBefore, check_width, first_state

__all__ = ["MaskedGRU", "MaskedGRUResetBefore"]

if TYPE_CHECKING:
    _Base = torch.nn.GRU
else:
    _Base = object


class FollowsMasks(_Base):
    """What both have in common; stands before torch.nn.GRU or GRUResetBefore among a class' bases."""
    _recurrence: Type[torch.autograd.Function] = ResetAfter
    _parts: Tuple[Tuple[int, int], ...] = ((0, 3),)  # gates of the state's matrix that are multiplied at once: from, to

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._products: Dict[str, List[Product]] = {}

    def follow(self, masks: Mapping[str, Tensor]) -> Dict[str, float]:
        """`masks`: name of a weight -> bool [3 * hidden_size, columns], True is kept, as `Pruner.masks` gives them for this module.
        Weights outside of them must be, and stay, 0, as a pruner sees to: where that is faster they are not read and get no gradient.
        Returns the share of each weight that products still multiply with; 1.0 where leaving out would not be faster."""
        products: Dict[str, List[Product]] = {}
        for name, mask in masks.items():
            weight = getattr(self, name, None)
            if not isinstance(weight, Tensor) or not name.startswith("weight_"):
                names = ", ".join(n for n, _ in self.named_parameters() if n.startswith("weight_"))
                raise ValueError(f"there is no weight '{name}' here; there are {names}")
            if mask.shape != weight.shape or mask.dtype != torch.bool:
                raise ValueError(f"the mask of {name} is {mask.dtype} {tuple(mask.shape)}; torch.bool {tuple(weight.shape)} is needed")
            if bool(weight.detach().masked_select(~mask).any()):
                raise ValueError(f"{name} has weights outside of its mask that are not 0")
            size = self.hidden_size
            products[name] = [product(mask[begin * size:end * size], end - begin) for begin, end in self._parts_of(name)]
        self._products = products
        return {name: sum(p.share * (end - begin) for p, (begin, end) in zip(its, self._parts_of(name))) / 3 for name, its in products.items()}

    def _parts_of(self, name: str) -> Tuple[Tuple[int, int], ...]:
        return ((0, 3),) if name.startswith("weight_ih") else self._parts

    def forward(self, input, hx=None):
        if not self._has_own_way(input, hx):
            return super().forward(input, hx)
        x = input.transpose(0, 1) if self.batch_first else input
        steps, batch, width = x.shape
        check_width(width, self.input_size)
        hx = first_state(hx, (self.num_layers, batch, self.hidden_size), self.weight_hh_l0)
        x = x.transpose(1, 2).to(_product_dtype(self.weight_hh_l0)).contiguous()
        last: List[Tensor] = []
        with torch.autocast("cpu", enabled=False):
            for layer in range(self.num_layers):
                if layer and self.dropout:
                    x = dropout(x, self.dropout, self.training)
                h0 = hx[layer].t().to(self.weight_hh_l0.dtype).contiguous()
                x, h = self._recurrence.apply(x, h0, *self._tensors(layer), *self._products_of(layer))
                last.append(h.t())
        out = x.transpose(1, 2)
        return out.transpose(0, 1) if self.batch_first else out, torch.stack(last)

    def _has_own_way(self, input, hx) -> bool:
        return (torch.is_grad_enabled() and isinstance(input, Tensor) and input.dim() == 3 and input.numel() > 0
                and input.device.type == "cpu" and not self.bidirectional and (hx is None or hx.dim() == 3))

    def _tensors(self, layer: int) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
        ih, hh = getattr(self, f"weight_ih_l{layer}"), getattr(self, f"weight_hh_l{layer}")
        if not self.bias:
            none = hh.new_zeros(len(hh))
            return ih, hh, none, none
        return ih, hh, getattr(self, f"bias_ih_l{layer}"), getattr(self, f"bias_hh_l{layer}")

    def _products_of(self, layer: int) -> List[Product]:
        names = (f"weight_ih_l{layer}", f"weight_hh_l{layer}")
        return [p for name in names for p in self._products.get(name, [Dense()] * len(self._parts_of(name)))]


class MaskedGRU(FollowsMasks, torch.nn.GRU):
    """Arguments, inputs, outputs, tensors and their names are torch.nn.GRU's, and so is the result, but for rounding. Under autocast
    products are in its precision, states are not. What only torch.nn.GRU does is left to it: other devices, both directions,
    packed sequences, one sequence without a batch, and everything without gradients.

    >>> gru = MaskedGRU(40, 512, 2)
    >>> gru.follow({"weight_hh_l0": mask})       # from now on products leave out what is pruned; follow({}) ends it
    """


class MaskedGRUResetBefore(FollowsMasks, GRUResetBefore):
    """GRUResetBefore in the same way."""
    _recurrence = ResetBefore
    _parts = ((0, 2), (2, 3))


def _product_dtype(weight: Tensor) -> torch.dtype:
    """Autocast's where it is on, else the weight's; asked of a product, since the call that says it has changed its name."""
    one = weight.new_zeros(1, 1)
    with torch.no_grad():
        return torch.mm(one, one).dtype
