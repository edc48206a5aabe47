"""The network that every peer runs: reads network.npz and says what is wrong with it. Owns the file's names and the cutting of x
into calls; refuses to know any library."""
import dataclasses
import pathlib
import zipfile
import zlib

import numpy

GATES = {"gru": 3, "lstm": 4}
CHUNKS = 8  # different inputs that calls take in turn; even, because states alternate between two buffers


class BadNetwork(ValueError):
    """The file cannot be used; the text is for the person who wrote it."""


@dataclasses.dataclass
class Layer:
    weight_ih: numpy.ndarray  # [G*H, I]
    weight_hh: numpy.ndarray  # [G*H, H]
    bias_ih: numpy.ndarray
    bias_hh: numpy.ndarray

    @property
    def units(self):
        return self.weight_hh.shape[1]

    @property
    def inputs(self):
        return self.weight_ih.shape[1]


@dataclasses.dataclass
class Linear:
    weight: numpy.ndarray  # [O, H]
    bias: numpy.ndarray
    activation: str  # none | sigmoid


@dataclasses.dataclass
class Network:
    op: str  # gru | lstm
    reset: str  # before | after; of no meaning for lstm
    layers: list
    linear: Linear | None = None

    @property
    def inputs(self):
        return self.layers[0].inputs

    @property
    def outputs(self):
        return len(self.linear.bias) if self.linear else self.layers[-1].units

    def arrays(self):
        """What goes into network.npz."""
        arrays = {"op": numpy.array(self.op), "reset": numpy.array(self.reset), "layers": numpy.array(len(self.layers))}
        for k, layer in enumerate(self.layers):
            arrays |= {f"{field.name}{k}": getattr(layer, field.name) for field in dataclasses.fields(layer)}
        if self.linear:
            arrays |= {"linear_weight": self.linear.weight, "linear_bias": self.linear.bias,
                       "linear_activation": numpy.array(self.linear.activation)}
        return arrays


def load(path):
    """-> Network, weights as contiguous float32. BadNetwork says what is wrong."""
    try:
        with open(path, "rb") as file, numpy.lib.npyio.NpzFile(file) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zlib.error, zipfile.BadZipFile) as problem:
        raise BadNetwork(f"{pathlib.Path(path).name} is no readable .npz: {problem}") from None
    return from_arrays(arrays)


def from_arrays(arrays):
    def text(name, allowed, default=None):
        value = str(arrays.get(name, default))
        if value not in allowed:
            raise BadNetwork(f"'{name}' is '{value}'; it must be one of {', '.join(allowed)}")
        return value

    def array(name, *shape):
        if name not in arrays:
            raise BadNetwork(f"'{name}' is missing")
        values = numpy.ascontiguousarray(arrays[name], numpy.float32)
        if values.ndim != len(shape) or any(n is not None and n != m for n, m in zip(shape, values.shape)):
            raise BadNetwork(f"'{name}' has the shape {list(values.shape)}; {list(shape)} is needed".replace("None", "?"))
        if not numpy.isfinite(values).all():
            raise BadNetwork(f"'{name}' has values that are not finite")
        return values

    op = text("op", GATES)
    reset = text("reset", ("before", "after"), "after")
    try:
        count = int(arrays.get("layers", 0))
    except (TypeError, ValueError):
        count = 0
    if count < 1:
        raise BadNetwork(f"'layers' is {arrays.get('layers', 'missing')}; at least 1 is needed")
    layers, width = [], None
    for k in range(count):
        hh = array(f"weight_hh{k}", None, None)
        rows, units = hh.shape
        if rows != GATES[op] * units:
            raise BadNetwork(f"'weight_hh{k}' has the shape {[rows, units]}; {GATES[op]} gates of {units} rows are needed")
        layers.append(Layer(array(f"weight_ih{k}", rows, width), hh, array(f"bias_ih{k}", rows), array(f"bias_hh{k}", rows)))
        width = units
    linear = None
    if "linear_weight" in arrays:
        weight = array("linear_weight", None, width)
        linear = Linear(weight, array("linear_bias", len(weight)), text("linear_activation", ("none", "sigmoid"), "none"))
    return Network(op, reset, layers, linear)


def load_input(path, network):
    try:
        x = numpy.load(path, allow_pickle=False)
    except (OSError, ValueError) as problem:
        raise BadNetwork(f"{pathlib.Path(path).name} is no readable .npy: {problem}") from None
    if not isinstance(x, numpy.ndarray) or x.ndim != 2 or x.shape[1] != network.inputs or not len(x):
        raise BadNetwork(f"{pathlib.Path(path).name} has the shape {list(numpy.shape(x))}; [steps, {network.inputs}] is needed")
    return numpy.ascontiguousarray(x, numpy.float32)


def timed_chunks(x, steps):
    """-> CHUNKS arrays [steps, inputs]: pieces of x that begin at different places, around its end where it is short."""
    starts = numpy.arange(CHUNKS) * max(1, len(x) // CHUNKS)
    return [numpy.ascontiguousarray(x[(start + numpy.arange(steps)) % len(x)]) for start in starts]
