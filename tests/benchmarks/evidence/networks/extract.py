#!/usr/bin/env python3
"""Takes a small real network out of an ONNX file, for rtmc and for the peers.

    extract.py dtln | deepfilternet3 | silero_vad --models ../shared/models --out FOLDER

Writes model.yaml, weights.safetensors (rtmc), network.npz (../peers/README.md) and x.npy: random frames without negative values, as
spectra and rectified features are. Needs numpy and onnx. original.py runs the same part of the file itself.
"""
import argparse
import os
import pathlib
import sys

import numpy

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[3] / "python")]
from peers.network import BadNetwork, from_arrays  # noqa: E402
from rtmc_files import save_safetensors  # noqa: E402

FRAMES = 100
ORDER = {"GRU": (1, 0, 2), "LSTM": (0, 2, 3, 1)}  # r z n out of ONNX's z r n; i f g o out of i o f c


def tensors(graph):
    """Name -> array of what is constant in the graph's first level."""
    from onnx import numpy_helper
    found = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return found


def _pytorch_gates(op, stacked):
    pieces = numpy.split(stacked, len(ORDER[op]))
    return numpy.concatenate([pieces[gate] for gate in ORDER[op]])


def _attributes(node):
    from onnx import helper
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def _must_be_plain(node, attributes):
    special = [name for name in ("activation_alpha", "activation_beta", "clip", "input_forget", "layout") if attributes.get(name)]
    plain = {"GRU": [b"Sigmoid", b"Tanh"], "LSTM": [b"Sigmoid", b"Tanh", b"Tanh"]}[node.op_type]
    if attributes.get("activations", plain) not in ([], plain):
        special.append("activations")
    if attributes.get("direction", b"forward") != b"forward":
        special.append("direction")
    if any(node.input[7:8]):
        special.append("peepholes")
    if not any(node.input[3:4]):
        special.append("form without biases")
    if special:
        raise BadNetwork(f"node '{node.name}' has its own {', '.join(special)}; a plain forward layer is needed")


def recurrent_layers(graph):
    """The GRU or LSTM nodes in order -> arrays of network.npz. BadNetwork where they are not of the plain kind."""
    nodes = [node for node in graph.node if node.op_type in ORDER]
    kinds = {(node.op_type.lower(), "after" if _attributes(node).get("linear_before_reset") else "before") for node in nodes}
    if len(kinds) != 1:
        raise BadNetwork(f"it has {len(kinds)} kinds of recurrent layers; one is needed")
    op, reset = kinds.pop()
    constants, arrays = tensors(graph), {"op": op, "reset": reset, "layers": len(nodes)}
    for k, node in enumerate(nodes):
        _must_be_plain(node, _attributes(node))
        w, r, b = (constants[name][0].astype(numpy.float32) for name in node.input[1:4])
        arrays |= {f"weight_ih{k}": _pytorch_gates(node.op_type, w), f"weight_hh{k}": _pytorch_gates(node.op_type, r)}
        for name, half in zip(("bias_ih", "bias_hh"), numpy.split(b, 2)):
            arrays[f"{name}{k}"] = _pytorch_gates(node.op_type, half)
    return arrays


def _dtln(graph):
    """Two LSTMs of 128 and the dense layer that makes the mask."""
    constants = tensors(graph)
    return recurrent_layers(graph) | {"linear_weight": constants["dense_2/kernel:0"].T, "linear_bias": constants["dense_2/bias:0"],
                                      "linear_activation": "sigmoid"}


def _silero_vad(graph):
    """The file keeps the LSTM's weights in PyTorch's order and turns them round inside a branch."""
    constants = tensors(graph)
    return {"op": "lstm", "reset": "after", "layers": 1} | {
        f"{name}0": constants[f"model.decoder.rnn.{name}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}


# name -> (file, what takes it)
NETWORKS = {
    "dtln": ("dtln/model_1.onnx", _dtln),
    "deepfilternet3": ("deepfilternet3/enc_gru_streaming.onnx", recurrent_layers),
    "silero_vad": ("silero_vad/silero_vad_16k_op15.onnx", _silero_vad),
}


def extract(name, models):
    """-> Network. BadNetwork or OSError says what is wrong with the file."""
    import onnx
    from google.protobuf.message import DecodeError
    file, take = NETWORKS[name]
    try:
        model = onnx.load(pathlib.Path(models) / file)
    except DecodeError as problem:
        raise BadNetwork(f"{file} is no ONNX file: {problem}") from None
    try:
        return from_arrays(take(model.graph))
    except KeyError as missing:
        raise BadNetwork(f"{file} has no tensor {missing}; is it the file that ../shared/models has?") from None


def model_yaml(name, network):
    reset = f", reset: {network.reset}" if network.op == "gru" else ""
    layers = [f"  - {{name: l{k}, op: {network.op}, size: {layer.units}{reset}}}\n" for k, layer in enumerate(network.layers)]
    last = f"l{len(network.layers) - 1}"
    if network.linear:
        last = "linear"
        layers.append(f"  - {{name: linear, op: linear, size: {network.outputs}, activation: {network.linear.activation}}}\n")
    return (f"rtm: 1\nname: {name}\nweights: weights.safetensors\ninputs:\n  - {{name: x, size: {network.inputs}}}\nlayers:\n"
            f"{''.join(layers)}outputs: [{last}]\n")


def _whole(path, write):
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            write(file)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write(folder, name, network, x):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {f"l{k}.{field}": getattr(layer, field) for k, layer in enumerate(network.layers)
               for field in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    if network.linear:
        weights |= {"linear.weight": network.linear.weight, "linear.bias": network.linear.bias}
    save_safetensors(folder / "weights.safetensors", weights)
    _whole(folder / "network.npz", lambda file: numpy.savez(file, **network.arrays()))
    _whole(folder / "x.npy", lambda file: numpy.save(file, numpy.asarray(x, numpy.float32)))
    _whole(folder / "model.yaml", lambda file: file.write(model_yaml(name, network).encode()))


def frames(network):
    return numpy.abs(numpy.random.default_rng(3).standard_normal((FRAMES, network.inputs))).astype(numpy.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=NETWORKS)
    parser.add_argument("--models", type=pathlib.Path, required=True, help="the folder that has dtln/, deepfilternet3/, silero_vad/")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    try:
        network = extract(arguments.name, arguments.models)
        write(arguments.out, arguments.name, network, frames(network))
    except ImportError as missing:
        print(f"extract.py: {missing.name} is not installed; pip install {missing.name}", file=sys.stderr)
        return 2
    except (BadNetwork, OSError) as problem:
        print(f"extract.py: {problem}", file=sys.stderr)
        return 1
    weights = sum(layer.weight_ih.size + layer.weight_hh.size for layer in network.layers)
    weights += network.linear.weight.size if network.linear else 0
    print(f"{arguments.out}: {network.op}, {len(network.layers)} layers, {network.inputs} -> {network.outputs}, {weights} weights")
    return 0


if __name__ == "__main__":
    sys.exit(main())
