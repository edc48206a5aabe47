"""What `check` must produce, in numpy with double precision, and how close is close enough.

Two right programs differ by rounding, and a recurrent network may magnify that, so no constant will do: the network runs again
with its weights, the vectors and results of its products and the states disturbed at random by what the precision may round, and
the largest change of any output, of several such runs, times SAFETY is the bound. (tests/onnxruntime/compare.py measures rtmc in
the same way.) What a wrong index, gate or mask changes is of the order of the outputs themselves.
"""
import dataclasses
import zlib

import numpy

from . import PEERS
from .network import Network, load
from .products import vectors

SAFETY, RUNS = 4.0, 3
FLOOR = 1e-6  # of the largest output: what reading out and the last gate round
F32 = 2.0**-24  # of every addition: a sum of n terms in any order is off by about sqrt(n) of them, vectorised gates by a few
BF16 = 2.0**-8  # half a unit of the last place is 2^-9; PyTorch rounds every result and state, too
INT8 = 1 / 127  # a step of the scale is max / 127 or max / 255, and rounding is half of one; some libraries keep 7 bits


class _Exact:
    def weights(self, values):
        return values.astype(numpy.float64)

    def vector(self, values):
        return values

    result = vector


class _Disturbed:
    """Relative changes for floating point; for int8, of weights and vectors, relative to the largest value."""

    def __init__(self, precision, random):
        self.precision, self.random = precision, random
        self.relative = BF16 if precision == "bf16" else 4 * F32

    def weights(self, values):
        values = values.astype(numpy.float64)
        if self.precision == "f32":
            return self._relatively(values, F32 * max(4.0, values.shape[1]**0.5))
        return self.vector(values)

    def vector(self, values):
        if self.precision == "int8":
            return values + INT8 * numpy.abs(values).max(initial=0) * self.random.uniform(-1, 1, values.shape)
        return values if self.precision == "f32" else self._relatively(values, BF16)

    def result(self, values):
        return self._relatively(values, self.relative)

    def _relatively(self, values, size):
        return values * (1 + size * self.random.uniform(-1, 1, values.shape))


def _sigmoid(a):
    return 0.5 * (1 + numpy.tanh(0.5 * a))


def _recurrent(network, layer, x, rounding):
    w_ih, w_hh = rounding.weights(layer.weight_ih), rounding.weights(layer.weight_hh)
    b_ih, b_hh = layer.bias_ih.astype(numpy.float64), layer.bias_hh.astype(numpy.float64)
    n, result = layer.units, rounding.result
    h, c, out = numpy.zeros(n), numpy.zeros(n), numpy.empty((len(x), n))
    for step, row in enumerate(x):
        a = result(w_ih @ rounding.vector(row) + b_ih)
        rounded = rounding.vector(h)
        if network.op == "lstm":
            i, f, g, o = numpy.split(a + result(w_hh @ rounded + b_hh), 4)
            c = result(_sigmoid(f) * c + _sigmoid(i) * numpy.tanh(g))
            h = result(_sigmoid(o) * numpy.tanh(c))
        else:
            u = result(w_hh[:2 * n] @ rounded + b_hh[:2 * n])
            r, z = _sigmoid(a[:n] + u[:n]), _sigmoid(a[n:2 * n] + u[n:])
            if network.reset == "before":
                candidate = result(w_hh[2 * n:] @ rounding.vector(r * h) + b_hh[2 * n:])
            else:
                candidate = r * result(w_hh[2 * n:] @ rounded + b_hh[2 * n:])
            h = result(z * h + (1 - z) * numpy.tanh(a[2 * n:] + candidate))
        out[step] = h
    return out


def run_network(network, x, rounding=_Exact()):
    """x [steps, inputs] -> [steps, outputs], from the zero state, float64."""
    values = x.astype(numpy.float64)
    for layer in network.layers:
        values = _recurrent(network, layer, values, rounding)
    if network.linear:
        weight = rounding.weights(network.linear.weight)
        values = numpy.stack([rounding.result(weight @ rounding.vector(row) + network.linear.bias) for row in values])
        if network.linear.activation == "sigmoid":
            values = rounding.result(_sigmoid(values))
    return values


def run_products(network, x, rounding=_Exact()):
    """-> [1, rows]: what products.result_rows says, of the fixed vectors of products.vectors."""
    pieces, given = [], {name: vector.astype(numpy.float64) for name, vector in vectors(network, x).items()}
    for k, layer in enumerate(network.layers):
        n = layer.units
        wx = rounding.weights(layer.weight_ih) @ rounding.vector(given[f"x{k}"])
        u, h = rounding.weights(layer.weight_hh), rounding.vector(given[f"h{k}"])
        if network.op == "lstm":
            pieces.append(wx + u @ h)
            continue
        pieces.append(wx[:2 * n] + u[:2 * n] @ h)
        if network.reset == "before":
            pieces.append(wx[2 * n:] + u[2 * n:] @ rounding.vector(given[f"v{k}"]))
        else:
            pieces += [wx[2 * n:], u[2 * n:] @ h]
    if network.linear:
        pieces.append(rounding.weights(network.linear.weight) @ rounding.vector(given["top"]))
    return numpy.concatenate(pieces)[None]


def _run(peer, network, x, rounding):
    if PEERS[peer].products_only:
        return run_products(network, x, rounding)
    return run_network(network, x, rounding)


def reference(peer, network, x):
    """What `check` of this peer must produce; `network`: a Network, or the path of network.npz."""
    return _run(peer, network if isinstance(network, Network) else load(network), x, _Exact())


@dataclasses.dataclass
class Agreement:
    ok: bool
    difference: float  # the largest of any output
    bound: float
    why: str  # one line, "" when ok


def agreement(peer, network, x, y):
    """Whether y, that the peer's `check` wrote, is the reference within the rounding of the peer's precision."""
    network = network if isinstance(network, Network) else load(network)
    exact = _run(peer, network, x, _Exact())
    if y.shape != exact.shape:
        return Agreement(False, float("nan"), float("nan"), f"{peer} wrote the shape {y.shape}; {exact.shape} is needed")
    if not numpy.isfinite(y).all():
        return Agreement(False, float("nan"), float("nan"), f"{peer}: {(~numpy.isfinite(y)).sum()} values are not finite")
    random = numpy.random.default_rng(zlib.crc32(peer.encode()))
    rounding = _Disturbed(PEERS[peer].precision, random)
    changes = [numpy.abs(_run(peer, network, x, rounding) - exact).max() for _ in range(RUNS)]
    bound = SAFETY * max(changes) + FLOOR * max(1.0, numpy.abs(exact).max())
    difference = numpy.abs(y - exact)
    step, place = numpy.unravel_index(difference.argmax(), difference.shape)
    ok, worst = bool(difference.max() <= bound), float(difference.max())
    return Agreement(ok, worst, float(bound), "" if ok else f"{peer} differs by {worst:.3g} at step {step}, output {place} "
                     f"({y[step, place]:.7g}, not {exact[step, place]:.7g}); bound {bound:.3g}")
