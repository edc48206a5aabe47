"""GRUResetBefore: the GRU whose reset gate acts on the state before the product (Cho et al. 2014; RTMobile's cell), which
torch.nn.GRU does not have. Same interface, same stacked tensors (r, z, n), model.yaml's `reset: before`.

    r = s(Wr x + Ur h + br)   z = s(Wz x + Uz h + bz)   n = tanh(Wn x + Un (r*h) + bn)   h' = z*h + (1-z)*n

Time runs in one autograd.Function: a loop over autograd's own operations trains several times slower.
"""
import math
from typing import Dict, List, Optional, Tuple, Union

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

__all__ = ["GRUResetBefore"]


def _times(sizes: List[int], reverse: bool) -> List[Tuple[int, int]]:
    """(first row, rows) of each step in the order in which they are computed. Rows of a step are packed as PackedSequence's."""
    begins, begin = [], 0
    for size in sizes:
        begins.append((begin, size))
        begin += size
    return begins[::-1] if reverse else begins


def check_width(width: int, input_size: int) -> None:
    if width != input_size:
        raise ValueError(f"the input has {width} values per step; {input_size} are needed")


def first_state(hx: Optional[Tensor], shape: Tuple[int, int, int], like: Tensor) -> Tensor:
    """`hx`, or zeros of the kind of `like`."""
    if hx is None:
        return like.new_zeros(shape)
    if tuple(hx.shape) != shape:
        raise ValueError(f"the first state is {tuple(hx.shape)}; {shape} is needed")
    return hx


class _Recurrence(torch.autograd.Function):
    """gates [N, 3H] (input part and biases), h0 [B, H], weight_hh [3H, H] -> states [N, H], last state [B, H]."""

    @staticmethod
    def forward(ctx, gates: Tensor, h0: Tensor, weight_hh: Tensor, sizes: List[int], reverse: bool):
        size = weight_hh.shape[1]
        to_rz, to_n = weight_hh[:2 * size].t(), weight_hh[2 * size:].t()
        out, before = torch.empty_like(gates[:, :size]), torch.empty_like(gates[:, :size])
        rz, n = torch.empty_like(gates[:, :2 * size]), torch.empty_like(gates[:, :size])
        h = h0
        for begin, rows in _times(sizes, reverse):
            here, old = slice(begin, begin + rows), h[:rows]
            before[here] = old
            rz_t = torch.addmm(gates[here, :2 * size], old, to_rz).sigmoid_()
            n_t = torch.addmm(gates[here, 2 * size:], rz_t[:, :size] * old, to_n).tanh_()
            new = n_t + rz_t[:, size:] * (old - n_t)
            rz[here], n[here], out[here] = rz_t, n_t, new
            h = new if rows == len(h) else torch.cat([new, h[rows:]])  # sequences that are over, or not begun, keep theirs
        ctx.save_for_backward(rz, n, before, weight_hh)
        ctx.sizes, ctx.reverse = sizes, reverse
        return out, h

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, d_out: Tensor, d_last: Tensor):
        rz, n, before, weight_hh = ctx.saved_tensors
        size = weight_hh.shape[1]
        from_rz, from_n = weight_hh[:2 * size], weight_hh[2 * size:]
        d_gates = torch.empty(len(n), 3 * size, dtype=n.dtype, device=n.device)
        d_h = d_last
        for begin, rows in reversed(_times(ctx.sizes, ctx.reverse)):
            here = slice(begin, begin + rows)
            r, z, n_t, old = rz[here, :size], rz[here, size:], n[here], before[here]
            d_new = d_h[:rows] + d_out[here]
            d_n = d_new * (1 - z) * (1 - n_t * n_t)
            d_reset = d_n @ from_n  # of r * h
            d_gates[here, :size] = d_reset * old * r * (1 - r)
            d_gates[here, size:2 * size] = d_new * (old - n_t) * z * (1 - z)
            d_gates[here, 2 * size:] = d_n
            d_old = torch.addmm(d_new * z + d_reset * r, d_gates[here, :2 * size], from_rz)
            d_h = d_old if rows == len(d_h) else torch.cat([d_old, d_h[rows:]])
        d_weight = torch.cat([d_gates[:, :2 * size].t() @ before, d_gates[:, 2 * size:].t() @ (rz[:, :size] * before)])
        return d_gates, d_h, d_weight, None, None


class GRUResetBefore(torch.nn.Module):
    """Arguments, inputs, outputs and names of tensors are torch.nn.GRU's; so is the initialisation. PackedSequence works.
    Under autocast the recurrence stays in the weights' precision."""

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
                 dropout: float = 0.0, bidirectional: bool = False, device=None, dtype=None) -> None:
        super().__init__()
        if min(input_size, hidden_size, num_layers) < 1:
            raise ValueError("input_size, hidden_size and num_layers must be 1 or more")
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout is {dropout}; a probability is needed")
        self.input_size, self.hidden_size, self.num_layers, self.bias = input_size, hidden_size, num_layers, bias
        self.batch_first, self.dropout, self.bidirectional = batch_first, float(dropout), bidirectional
        for layer in range(num_layers):
            width = input_size if layer == 0 else hidden_size * (2 if bidirectional else 1)
            for suffix in self._suffixes(layer):
                shapes: Dict[str, Tuple[int, ...]] = {"weight_ih": (3 * hidden_size, width), "weight_hh": (3 * hidden_size, hidden_size)}
                if bias:
                    shapes.update(bias_ih=(3 * hidden_size,), bias_hh=(3 * hidden_size,))
                for name, shape in shapes.items():
                    self.register_parameter(name + suffix, torch.nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()

    def _suffixes(self, layer: int) -> List[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"] if self.bidirectional else [f"_l{layer}"]

    def reset_parameters(self) -> None:
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            torch.nn.init.uniform_(parameter, -bound, bound)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}, bidirectional={self.bidirectional}"

    def _direction(self, data: Tensor, h0: Tensor, suffix: str, sizes: List[int]) -> Tuple[Tensor, Tensor]:
        weight_hh = getattr(self, "weight_hh" + suffix)
        bias = getattr(self, "bias_ih" + suffix) + getattr(self, "bias_hh" + suffix) if self.bias else None
        gates = torch.nn.functional.linear(data, getattr(self, "weight_ih" + suffix), bias).to(weight_hh.dtype)
        with torch.autocast(device_type=weight_hh.device.type, enabled=False):
            return _Recurrence.apply(gates, h0.to(weight_hh.dtype), weight_hh, sizes, suffix.endswith("_reverse"))

    def forward(self, input: Union[Tensor, PackedSequence], hx: Optional[Tensor] = None):
        packed, batched = None, True
        if isinstance(input, PackedSequence):
            packed = input
            data, sizes = packed.data, packed.batch_sizes.tolist()
        else:
            batched = input.dim() == 3
            if input.dim() not in (2, 3):
                raise ValueError(f"the input has {input.dim()} dimensions; 2 (steps, values) or 3 are needed")
            steps = input.unsqueeze(1) if not batched else input.transpose(0, 1) if self.batch_first else input
            data, sizes = steps.reshape(-1, steps.shape[2]), [steps.shape[1]] * steps.shape[0]
        check_width(data.shape[1], self.input_size)
        if not sizes or sizes[0] == 0:
            raise ValueError("the input has no steps or no sequences")
        directions = 2 if self.bidirectional else 1
        if hx is not None and not batched:
            hx = hx.unsqueeze(1)
        hx = first_state(hx, (self.num_layers * directions, sizes[0], self.hidden_size), data)
        if packed is not None and packed.sorted_indices is not None:
            hx = hx.index_select(1, packed.sorted_indices)

        last: List[Tensor] = []
        for layer in range(self.num_layers):
            if layer and self.dropout:
                data = torch.nn.functional.dropout(data, self.dropout, self.training)
            outs = []
            for suffix in self._suffixes(layer):
                out, h = self._direction(data, hx[len(last)], suffix, sizes)
                outs.append(out)
                last.append(h)
            data = torch.cat(outs, 1) if directions == 2 else outs[0]
        state = torch.stack(last)
        if packed is not None:
            if packed.unsorted_indices is not None:
                state = state.index_select(1, packed.unsorted_indices)
            return PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices), state
        out = data.view(len(sizes), sizes[0], -1)
        if not batched:
            return out.squeeze(1), state.squeeze(1)
        return out.transpose(0, 1) if self.batch_first else out, state
