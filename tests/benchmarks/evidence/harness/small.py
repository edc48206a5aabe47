"""Small real networks, dense, as most users have them: weights out of the ONNX files where ../shared/models has those, else random ones
of the same shape (a dense step takes as long)."""
import importlib.util
import pathlib

import numpy

from .networks import ROOT, Network, write_raw
from .processes import Failed

SHAPES = {  # op, reset, inputs, units, layers, outputs of a linear layer behind them
    "deepfilternet3": ("gru", "after", 256, 256, 1, 0), "dtln": ("lstm", "after", 257, 128, 2, 257),
    "silero_vad": ("lstm", "after", 128, 128, 1, 0)}
EXTRACT = pathlib.Path(__file__).resolve().parent.parent / "networks" / "extract.py"


def _extractor():
    if not EXTRACT.exists():
        raise Failed("networks/extract.py is not here")
    spec = importlib.util.spec_from_file_location("extract", EXTRACT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def random_arrays(op: str, reset: str, width: int, units: int, layers: int, outputs: int, activation: str = "sigmoid") -> dict:
    """Of a dense network, as network.npz has them. `outputs`: of a linear layer behind the others, 0: there is none."""
    random, gates = numpy.random.default_rng(5), {"gru": 3, "lstm": 4}[op]

    def matrix(rows, columns):
        return (random.standard_normal((rows, columns)) / numpy.sqrt(columns)).astype(numpy.float32)

    arrays = {"op": op, "reset": reset, "layers": layers}
    for k in range(layers):
        arrays |= {f"weight_ih{k}": matrix(gates * units, width), f"weight_hh{k}": matrix(gates * units, units),
                   f"bias_ih{k}": matrix(1, gates * units)[0], f"bias_hh{k}": matrix(1, gates * units)[0]}
        width = units
    if outputs:
        arrays |= {"linear_weight": matrix(outputs, units), "linear_bias": matrix(1, outputs)[0], "linear_activation": activation}
    return arrays


def make(work: pathlib.Path, name: str, models: pathlib.Path = ROOT.parent / "shared" / "models") -> tuple[Network, str, str, str]:
    """-> the network, its op, its reset form, and in words what it is."""
    extract = _extractor()
    try:
        network, source = extract.extract(name, models), f"weights of {extract.NETWORKS[name][0]}"
    except (ImportError, OSError, ValueError) as problem:
        reason = "../shared/models is not here" if isinstance(problem, OSError) else str(problem)
        network, source = extract.from_arrays(random_arrays(*SHAPES[name])), f"random weights of that shape ({reason})"
    folder = work / name
    x = extract.frames(network)
    extract.write(folder, name, network, x)
    write_raw(folder, x, x)
    weights = sum(layer.weight_ih.size + layer.weight_hh.size for layer in network.layers)
    weights += network.linear.weight.size if network.linear else 0
    layers = f"{network.op.upper()} {network.layers[0].units}" + (f" x {len(network.layers)}" if len(network.layers) > 1 else "")
    linear = " and a linear layer" if network.linear else ""
    what = f"{layers}{linear}, {network.inputs} -> {network.outputs}, {weights:,} weights; {source}"
    return Network(folder, network.inputs, network.outputs, weights, weights, len(x), len(x)), network.op, network.reset, what
