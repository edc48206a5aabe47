"""MaskedGRU: torch.nn.GRU with its numbers and names, for training on the CPU. Two things make it faster there. Time runs in one
autograd.Function, so the gradient of a weight is one product over all steps instead of a sum over steps; and under masks each product
leaves out what a block of rows has pruned (kept_columns.py), which a masked dense product multiplies with zeros."""
from typing import Dict, List, Mapping, Optional, Tuple

import torch
from torch import Tensor

from .kept_columns import Dense, Product, product

__all__ = ["MaskedGRU"]


class _Layer(torch.autograd.Function):
    """x [T, F, B], h0 [H, B], weights and biases as torch.nn.GRU's -> states [T, H, B] in the products' precision, last state [H, B] in
    that of h0.

    r = s(Wr x + Ur h + br)   z = s(Wz x + Uz h + bz)   n = tanh(Wn x + bn + r*(Un h + cn))   h' = n + z*(h - n)"""

    @staticmethod
    def forward(ctx, x: Tensor, h0: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor,
                input_product: Product, state_product: Product):
        (steps, _, batch), size = x.shape, weight_hh.shape[1]
        to_gates, again = input_product.pack(weight_ih, x.dtype), state_product.pack(weight_hh, x.dtype)
        gates = x.new_empty(steps, 3 * size, batch)
        for t in range(steps):
            input_product.times(to_gates, x[t], gates[t])
        bias = bias_ih.clone()
        bias[:2 * size] += bias_hh[:2 * size]
        gates += bias.to(x.dtype).unsqueeze(1)
        bias_n = bias_hh[2 * size:].to(x.dtype).unsqueeze(1)
        states = x.new_empty(steps + 1, size, batch)
        states[0] = h = h0
        n_again, products = x.new_empty(steps, size, batch), x.new_empty(3 * size, batch)
        for t in range(steps):
            state_product.times(again, states[t], products)
            rz, n = gates[t, :2 * size], gates[t, 2 * size:]
            rz.add_(products[:2 * size]).sigmoid_()
            torch.add(products[2 * size:], bias_n, out=n_again[t])
            n.addcmul_(rz[:size], n_again[t]).tanh_()
            h = torch.lerp(n.to(h0.dtype), h, rz[size:].to(h0.dtype))
            states[t + 1] = h
        ctx.save_for_backward(x, gates, n_again, states, to_gates, again)
        ctx.products, ctx.state_dtype, ctx.weight_dtype = (input_product, state_product), h0.dtype, weight_hh.dtype
        return states[1:].clone(), h.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, d_states: Tensor, d_last: Tensor):
        x, gates, n_again, states, to_gates, again = ctx.saved_tensors
        input_product, state_product = ctx.products
        steps, size, batch = n_again.shape
        d_gates, d_products = torch.empty_like(gates), torch.empty_like(gates)
        d_h = d_last
        for t in reversed(range(steps)):
            r, z, n = gates[t, :size], gates[t, size:2 * size], gates[t, 2 * size:]
            d_h = d_h + d_states[t]
            d = d_h.to(x.dtype)
            d_r, d_z, d_n = d_products[t, :size], d_products[t, size:2 * size], d_gates[t, 2 * size:]
            torch.mul(d - d * z, 1 - n * n, out=d_n)
            torch.mul(d * (states[t] - n), z - z * z, out=d_z)
            torch.mul(d_n * n_again[t], r - r * r, out=d_r)
            torch.mul(d_n, r, out=d_products[t, 2 * size:])
            d_h = d_h * z
            state_product.add_transposed(again, d_products[t], d_h)
        d_gates[:, :2 * size] = d_products[:, :2 * size]
        d_x = None
        if ctx.needs_input_grad[0]:
            d_x = torch.zeros_like(x)
            for t in range(steps):
                input_product.add_transposed(to_gates, d_gates[t], d_x[t])

        def flat(sequence: Tensor) -> Tensor:  # [T, n, B] -> [n, T * B]
            return sequence.transpose(0, 1).reshape(sequence.shape[1], -1)
        d_gates, d_products = flat(d_gates), flat(d_products)
        d_weight_ih = input_product.outer(d_gates, flat(x)).to(ctx.weight_dtype)
        d_weight_hh = state_product.outer(d_products, flat(states[:-1])).to(ctx.weight_dtype)
        d_bias_ih, d_bias_hh = d_gates.sum(1, dtype=ctx.weight_dtype), d_products.sum(1, dtype=ctx.weight_dtype)
        return d_x, d_h, d_weight_ih, d_weight_hh, d_bias_ih, d_bias_hh, None, None


class MaskedGRU(torch.nn.GRU):
    """Arguments, inputs, outputs, tensors and their names are torch.nn.GRU's, and so is the result, but for rounding. Under autocast
    products are in its precision, states are not. What only torch.nn.GRU does is left to it: other devices, both directions,
    packed sequences, one sequence without a batch, and everything without gradients.

    >>> gru = MaskedGRU(40, 512, 2)
    >>> gru.follow({"weight_hh_l0": mask})       # from now on products leave out what is pruned; follow({}) ends it
    """

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._products: Dict[str, Product] = {}

    def follow(self, masks: Mapping[str, Tensor]) -> Dict[str, float]:
        """`masks`: name of a weight -> bool [3 * hidden_size, columns], True is kept, as `Pruner.masks` gives them for this module.
        Weights outside of them must be, and stay, 0, as a pruner sees to: where that is faster they are not read and get no gradient.
        Returns the share of each weight that products still multiply with; 1.0 where leaving out would not be faster."""
        products: Dict[str, Product] = {}
        for name, mask in masks.items():
            weight = getattr(self, name, None)
            if not isinstance(weight, Tensor) or not name.startswith("weight_"):
                raise ValueError(f"there is no weight '{name}' here; there are {', '.join(n for n, _ in self.named_parameters() if 'weight' in n)}")
            if mask.shape != weight.shape or mask.dtype != torch.bool:
                raise ValueError(f"the mask of {name} is {mask.dtype} {tuple(mask.shape)}; torch.bool {tuple(weight.shape)} is needed")
            if bool(weight.detach().masked_select(~mask).any()):
                raise ValueError(f"{name} has weights outside of its mask that are not 0")
            products[name] = product(mask, 3)
        self._products = products
        return {name: getattr(p, "share", 1.0) for name, p in products.items()}

    def forward(self, input, hx=None):
        if not self._has_own_way(input, hx):
            return super().forward(input, hx)
        x = input.transpose(0, 1) if self.batch_first else input
        steps, batch, width = x.shape
        if width != self.input_size:
            raise ValueError(f"the input has {width} values per step; {self.input_size} are needed")
        shape = (self.num_layers, batch, self.hidden_size)
        if hx is None:
            hx = torch.zeros(shape, dtype=self.weight_hh_l0.dtype)
        elif tuple(hx.shape) != shape:
            raise ValueError(f"the first state is {tuple(hx.shape)}; {shape} is needed")
        x = x.transpose(1, 2).to(_product_dtype(self.weight_hh_l0)).contiguous()
        last: List[Tensor] = []
        with torch.autocast("cpu", enabled=False):
            for layer in range(self.num_layers):
                if layer and self.dropout:
                    x = torch.nn.functional.dropout(x, self.dropout, self.training)
                h0 = hx[layer].t().to(self.weight_hh_l0.dtype).contiguous()
                x, h = _Layer.apply(x, h0, *self._tensors(layer), *(self._products.get(f"weight_{kind}_l{layer}", Dense())
                                                                    for kind in ("ih", "hh")))
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


def _product_dtype(weight: Tensor) -> torch.dtype:
    """Autocast's where it is on, else the weight's; asked of a product, since the call that says it has changed its name."""
    one = weight.new_zeros(1, 1)
    with torch.no_grad():
        return torch.mm(one, one).dtype
