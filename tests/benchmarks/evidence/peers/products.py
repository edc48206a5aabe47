"""The matrix-vector products of one step, as few calls as the recurrence allows. Owns the plan: which weights are stacked into
which call, and the fixed vectors that `check` multiplies.

Where gates add the input's and the state's part, [W U] is one matrix and (x, h) one vector. A candidate after the reset
(`before`) must wait for it: a second call with (x, r*h). A candidate with the reset behind the product (`after`) needs its two
parts apart: sparse, that is one matrix whose rows have zeros beside them; dense, W and U apart, because zeros would cost.
"""
import dataclasses

import numpy


@dataclasses.dataclass
class Product:
    name: str
    weights: numpy.ndarray  # [rows, columns] float32


def _layer(op, reset, layer, k, dense):
    w, u, n = layer.weight_ih, layer.weight_hh, layer.units
    both = numpy.concatenate([w, u], axis=1)
    if op == "lstm":
        return [Product(f"layer {k}", both)]
    if reset == "before":
        return [Product(f"layer {k} r, z", both[:2 * n]), Product(f"layer {k} n", both[2 * n:])]
    if dense:
        return [Product(f"layer {k} x", w), Product(f"layer {k} h", u)]
    apart = numpy.zeros((2 * n, both.shape[1]), numpy.float32)
    apart[:n, :layer.inputs], apart[n:, layer.inputs:] = w[2 * n:], u[2 * n:]
    return [Product(f"layer {k}", numpy.concatenate([both[:2 * n], apart]))]


def plan(network, dense):
    """-> the step's products in order; every weight is in exactly one of them."""
    products = []
    for k, layer in enumerate(network.layers):
        products += _layer(network.op, network.reset, layer, k, dense)
    if network.linear:
        products.append(Product("linear", network.linear.weight))
    return [Product(p.name, numpy.ascontiguousarray(p.weights)) for p in products]


def vectors(network, x, dense):
    """-> one float32 vector per product: the first begins with the first frame of x, everything else is random."""
    random = numpy.random.default_rng(5)
    result = [random.uniform(-1, 1, p.weights.shape[1]).astype(numpy.float32) for p in plan(network, dense)]
    result[0][:network.inputs] = x[0]
    return result
