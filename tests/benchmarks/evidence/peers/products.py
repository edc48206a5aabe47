"""The matrix-vector products of one step, as few calls as the recurrence allows. Owns the plans: which weights are stacked into which
call; and the fixed vectors that `check` multiplies.

Where gates add the input's and the state's part, [W U] is one matrix and (x, h) one vector. A candidate after the reset
(`before`) must wait for it: a second call with (x, v), v = r * h. A candidate with the reset behind the product (`after`) needs its
two parts apart: sparse, that is one matrix whose rows have zeros beside them; dense, W and U apart, because zeros would cost.
A call of several steps may instead multiply the inputs of all its steps ahead, one matrix by many vectors; only what reads the state
goes step by step then. A peer takes the faster.
"""
import dataclasses
import functools

import numpy


@dataclasses.dataclass
class Product:
    weights: numpy.ndarray  # [rows, columns] float32
    sources: tuple  # names of the vectors that stand behind one another in its argument
    rows: numpy.ndarray  # of the result that it is added to
    group: int = 0  # products of a group go in turns, step by step
    ahead: bool = False  # all steps of a call at once

    @functools.cached_property
    def places(self):
        """Rows and columns of the nonzeros, row by row."""
        return numpy.nonzero(self.weights)


def result_rows(network):
    """Per layer W x + U h, but of a candidate with the reset behind the product W x and U h apart; then the linear layer's."""
    apart = network.op == "gru" and network.reset == "after"
    return sum(len(layer.weight_hh) + apart * layer.units for layer in network.layers) + (network.outputs if network.linear else 0)


def _layer(network, k, dense, ahead, base):
    layer = network.layers[k]
    w, u, n = layer.weight_ih, layer.weight_hh, layer.units
    x, h, v = f"x{k}", f"h{k}", f"v{k}"
    rows = base + numpy.arange(len(u) + n)
    after, apart = rows[2 * n:3 * n], rows[3 * n:4 * n]
    both = numpy.concatenate([w, u], axis=1)
    reset_after = network.op == "gru" and network.reset == "after"
    state = [Product(u, (h,), rows[:len(u)])]
    if network.op == "gru":
        state = [Product(u[:2 * n], (h,), rows[:2 * n]), Product(u[2 * n:], (v,), after)]
    if reset_after:
        state = [Product(u, (h,), numpy.concatenate([rows[:2 * n], apart]))]
    if ahead or (reset_after and dense):
        return [Product(w, (x,), rows[:len(w)], ahead=ahead), *state]
    if network.op == "lstm":
        return [Product(both, (x, h), rows[:len(u)])]
    if network.reset == "before":
        return [Product(both[:2 * n], (x, h), rows[:2 * n]), Product(both[2 * n:], (x, v), after)]
    candidate = numpy.zeros((2 * n, both.shape[1]), numpy.float32)
    candidate[:n, :layer.inputs], candidate[n:, layer.inputs:] = w[2 * n:], u[2 * n:]
    return [Product(numpy.concatenate([both[:2 * n], candidate]), (x, h), rows[:4 * n])]


def plan(network, dense, ahead=False):
    """-> the products of a step, or of a call whose inputs are multiplied ahead, in order; every weight is in exactly one of them."""
    products, base = [], 0
    for k, layer in enumerate(network.layers):
        products += _layer(network, k, dense, ahead, base)
        base += len(layer.weight_hh) + layer.units * (network.op == "gru" and network.reset == "after")
    if network.linear:
        products.append(Product(network.linear.weight, ("top",), base + numpy.arange(network.outputs), ahead=ahead))
    for k, product in enumerate(products):
        product.weights = numpy.ascontiguousarray(product.weights)
        if k and ahead:
            product.group = products[k - 1].group + (product.ahead or products[k - 1].ahead)
    return products


def vectors(network, x):
    """name -> float32 vector of every source: x0 is the first frame of x, everything else is random."""
    random = numpy.random.default_rng(5)
    sizes = {"top": network.layers[-1].units}
    for k, layer in enumerate(network.layers):
        sizes |= {f"x{k}": layer.inputs, f"h{k}": layer.units, f"v{k}": layer.units}
    return {name: random.uniform(-1, 1, size).astype(numpy.float32) for name, size in sizes.items()} | {"x0": x[0]}
