"""One layer of a GRU over all steps, in both forms, as autograd.Functions that multiply through products.py. Activations are [T, features,
batch]. Products are in the precision of x, states in that of h0; the gradient of a weight is one product over all steps."""
from typing import Tuple

import torch
from torch import Tensor

from .products import Product


def _input_gates(x: Tensor, packed: Tensor, product: Product, bias: Tensor) -> Tensor:
    gates = x.new_empty(len(x), len(bias), x.shape[2])
    for t in range(len(x)):
        product.times(packed, x[t], gates[t])
    gates += bias.to(x.dtype).unsqueeze(1)
    return gates


def _input_gradient(x: Tensor, packed: Tensor, product: Product, d_gates: Tensor) -> Tensor:
    d_x = torch.zeros_like(x)
    for t in range(len(x)):
        product.add_transposed(packed, d_gates[t], d_x[t])
    return d_x


def _flat(sequence: Tensor) -> Tensor:
    """[T, n, batch] -> [n, T * batch]"""
    return sequence.transpose(0, 1).reshape(sequence.shape[1], -1)


def _bias_gradient(d_gates: Tensor, dtype: torch.dtype) -> Tensor:
    """[T, n, batch] -> [n]. A step's sum is rounded to the products' precision: one sum in `dtype` would first copy all of it to that."""
    return d_gates.sum(2).sum(0, dtype=dtype)


def _states(x: Tensor, h0: Tensor) -> Tuple[Tensor, Tensor]:
    """Room for the state before each step and after the last one; the first is there."""
    states = x.new_empty(len(x) + 1, *h0.shape)
    states[0] = h0
    return states, h0


class ResetAfter(torch.autograd.Function):
    """x [T, F, B], h0 [H, B], weights and biases as torch.nn.GRU's, the products with the input and with the state
    -> states [T, H, B] in the products' precision, last state [H, B] in that of h0.

    r = s(Wr x + Ur h + br)   z = s(Wz x + Uz h + bz)   n = tanh(Wn x + bn + r*(Un h + cn))   h' = n + z*(h - n)"""

    @staticmethod
    def forward(ctx, x: Tensor, h0: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor,
                input_product: Product, state_product: Product):
        steps, size = len(x), len(h0)
        to_gates, again = input_product.pack(weight_ih, x.dtype), state_product.pack(weight_hh, x.dtype)
        bias = bias_ih.clone()
        bias[:2 * size] += bias_hh[:2 * size]
        gates = _input_gates(x, to_gates, input_product, bias)
        bias_n = bias_hh[2 * size:].to(x.dtype).unsqueeze(1)
        states, h = _states(x, h0)
        n_again, products = torch.empty_like(states[1:]), torch.empty_like(gates[0])
        for t in range(steps):
            state_product.times(again, states[t], products)
            rz, n = gates[t, :2 * size], gates[t, 2 * size:]
            rz.add_(products[:2 * size]).sigmoid_()
            torch.add(products[2 * size:], bias_n, out=n_again[t])
            n.addcmul_(rz[:size], n_again[t]).tanh_()
            h = torch.lerp(n.to(h0.dtype), h, rz[size:].to(h0.dtype))
            states[t + 1] = h
        ctx.save_for_backward(x, gates, n_again, states, to_gates, again)
        ctx.products, ctx.weight_dtype = (input_product, state_product), weight_hh.dtype
        return states[1:].clone(), h.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, d_states: Tensor, d_last: Tensor):
        x, gates, n_again, states, to_gates, again = ctx.saved_tensors
        input_product, state_product = ctx.products
        size, d_h = n_again.shape[1], d_last
        d_gates, d_products = torch.empty_like(gates), torch.empty_like(gates)
        for t in reversed(range(len(x))):
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
        d_x = _input_gradient(x, to_gates, input_product, d_gates) if ctx.needs_input_grad[0] else None
        dtype = ctx.weight_dtype
        return (d_x, d_h, input_product.outer(_flat(d_gates), _flat(x)).to(dtype), state_product.outer(_flat(d_products), _flat(states[:-1])).to(dtype),
                _bias_gradient(d_gates, dtype), _bias_gradient(d_products, dtype), None, None)


class ResetBefore(torch.autograd.Function):
    """As ResetAfter, but for the cell of Cho et al. 2014, and with a product for r and z and another for n.

    r = s(Wr x + Ur h + br)   z = s(Wz x + Uz h + bz)   n = tanh(Wn x + Un (r*h) + bn)   h' = n + z*(h - n)"""

    @staticmethod
    def forward(ctx, x: Tensor, h0: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor,
                input_product: Product, rz_product: Product, n_product: Product):
        steps, size = len(x), len(h0)
        to_gates = input_product.pack(weight_ih, x.dtype)
        to_rz, to_n = rz_product.pack(weight_hh[:2 * size], x.dtype), n_product.pack(weight_hh[2 * size:], x.dtype)
        gates = _input_gates(x, to_gates, input_product, bias_ih + bias_hh)
        states, h = _states(x, h0)
        reset, products = torch.empty_like(states[1:]), torch.empty_like(gates[0])
        for t in range(steps):
            rz, n = gates[t, :2 * size], gates[t, 2 * size:]
            rz_product.times(to_rz, states[t], products[:2 * size])
            rz.add_(products[:2 * size]).sigmoid_()
            torch.mul(rz[:size], states[t], out=reset[t])
            n_product.times(to_n, reset[t], products[2 * size:])
            n.add_(products[2 * size:]).tanh_()
            h = torch.lerp(n.to(h0.dtype), h, rz[size:].to(h0.dtype))
            states[t + 1] = h
        ctx.save_for_backward(x, gates, reset, states, to_gates, to_rz, to_n)
        ctx.products, ctx.weight_dtype = (input_product, rz_product, n_product), weight_hh.dtype
        return states[1:].clone(), h.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, d_states: Tensor, d_last: Tensor):
        x, gates, reset, states, to_gates, to_rz, to_n = ctx.saved_tensors
        input_product, rz_product, n_product = ctx.products
        size, d_h = reset.shape[1], d_last
        d_gates = torch.empty_like(gates)
        for t in reversed(range(len(x))):
            r, z, n = gates[t, :size], gates[t, size:2 * size], gates[t, 2 * size:]
            d_h = d_h + d_states[t]
            d = d_h.to(x.dtype)
            torch.mul(d - d * z, 1 - n * n, out=d_gates[t, 2 * size:])
            torch.mul(d * (states[t] - n), z - z * z, out=d_gates[t, size:2 * size])
            d_reset = torch.zeros_like(d_h)
            n_product.add_transposed(to_n, d_gates[t, 2 * size:], d_reset)
            torch.mul(d_reset.to(x.dtype) * states[t], r - r * r, out=d_gates[t, :size])
            d_h = torch.addcmul(d_h * z, d_reset, r.to(d_reset.dtype))
            rz_product.add_transposed(to_rz, d_gates[t, :2 * size], d_h)
        d_x = _input_gradient(x, to_gates, input_product, d_gates) if ctx.needs_input_grad[0] else None
        dtype = ctx.weight_dtype
        d_bias, d_gates = _bias_gradient(d_gates, dtype), _flat(d_gates)
        d_weight_hh = torch.cat([rz_product.outer(d_gates[:2 * size], _flat(states[:-1])), n_product.outer(d_gates[2 * size:], _flat(reset))])
        return (d_x, d_h, input_product.outer(d_gates, _flat(x)).to(dtype), d_weight_hh.to(dtype), d_bias, d_bias.clone(),
                None, None, None)
