#!/usr/bin/env python3
"""Makes RTMobile's reference network, pruned to a row of the paper's Table II: model.yaml and weights.safetensors.

    make_model.py --rate 10 --out FOLDER [--block 256x256] [--name rtmobile_gru_10]
    make_model.py --all --out FOLDER            one folder per rate

The masks are BSP, per gate matrix: random dense weights (seed 1); in each block max(1, width / column rate of Table I) columns
by norm; then as many rows by norm over the whole matrix as bring it nearest to its kept fraction: the released model's where
the authors released that rate, else 1 / rate. rtmobile.json holds both. A rate is 9,556,992 / nonzeros.
"""
import argparse
import json
import pathlib
import sys

import numpy

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "python"))
from rtmc_files import save_safetensors  # noqa: E402
from rtmc_masks import bsp  # noqa: E402

GATES = {"r": "r", "z": "z", "n": "h"}  # ours -> the paper's letter
# Of a live row's pre-activation, which has about unit variance. A larger share of the state makes the network chaotic:
# after 50 steps two correct programs would disagree.
INPUT_SHARE, STATE_SHARE = 0.8, 0.2

MODEL = """rtm: 1
name: {name}
weights: weights.safetensors
inputs:
  - {{name: features, size: {inputs}}}
layers:
{layers}outputs: [gru{last}]
"""


def prune(row, network, block):
    """-> {(layer, role, gate): pruned weights}. The order of the draws is part of the definition: layer, input before
    state, gates r z n."""
    random = numpy.random.default_rng(1)
    matrices, biases = {}, {}
    for layer in range(network["layers"]):
        inputs = network["inputs"] if layer == 0 else network["units"]
        for role, letter, width in (("ih", "w", inputs), ("hh", "u", network["units"])):
            for gate, paper in GATES.items():
                weights = random.standard_normal((network["units"], width)).astype(numpy.float32)
                if row["rate"] > 1:
                    sparsity = row.get("kept_sparsity")
                    fraction = 1 - sparsity[f"{letter}{paper}.{layer}"] if sparsity else 1 / row["rate"]
                    weights *= bsp(weights, row["column_rate"], fraction, block)
                matrices[layer, role, gate] = weights
        for role in ("ih", "hh"):
            biases[layer, role] = (0.1 * random.standard_normal(3 * network["units"])).astype(numpy.float32)
    return matrices, biases


def live_row_square(weights):
    """Mean over the live rows of their sum of squares."""
    live = weights[weights.any(axis=1)].astype(numpy.float64)
    return (live ** 2).sum(axis=1).mean() if live.size else 1.0


def scales_of(matrices, moments):
    """`moments`: mean square of each layer's state. Rounded, so that no summation order shows in the weights."""
    scales = {}
    for (layer, role, gate), weights in matrices.items():
        share = INPUT_SHARE if role == "ih" else STATE_SHARE
        square = moments[layer] if role == "hh" else moments[layer - 1] if layer else 1.0
        scales[layer, role, gate] = numpy.float32(f"{numpy.sqrt(share / (square * live_row_square(weights))):.3g}")
    return scales


def state_moments(matrices, biases, scales, units, steps=24):
    """Mean squares of the layers' states under random inputs, by running the network."""
    random = numpy.random.default_rng(2)
    layers = len(biases) // 2
    states, squares = [numpy.zeros(units, numpy.float32) for _ in range(layers)], [[] for _ in range(layers)]

    def sigmoid(a):
        return 1 / (1 + numpy.exp(-a))

    for step in range(steps):
        x = random.standard_normal(matrices[0, "ih", "r"].shape[1]).astype(numpy.float32)
        for layer in range(layers):
            bias = numpy.split(biases[layer, "ih"] + biases[layer, "hh"], 3)

            def product(role, gate, vector):
                return scales[layer, role, gate] * (matrices[layer, role, gate] @ vector)

            h = states[layer]
            r = sigmoid(product("ih", "r", x) + product("hh", "r", h) + bias[0])
            z = sigmoid(product("ih", "z", x) + product("hh", "z", h) + bias[1])
            c = numpy.tanh(product("ih", "n", x) + product("hh", "n", r * h) + bias[2])
            states[layer] = x = z * h + (1 - z) * c
            if step >= steps // 2:
                squares[layer].append(float((x ** 2).mean()))
    return [max(float(f"{numpy.mean(s):.2g}"), 1e-3) for s in squares]


def make(row, network, block):
    """-> tensors, nonzeros."""
    matrices, biases = prune(row, network, block)
    moments = [0.15] * network["layers"]
    for _ in range(2):
        scales = scales_of(matrices, moments)
        moments = state_moments(matrices, biases, scales, network["units"])
    scales = scales_of(matrices, moments)
    tensors, nonzeros = {}, 0
    for layer in range(network["layers"]):
        for role in ("ih", "hh"):
            tensors[f"gru{layer}.weight_{role}"] = numpy.concatenate(
                [matrices[layer, role, gate] * scales[layer, role, gate] for gate in GATES])
            nonzeros += int(numpy.count_nonzero(tensors[f"gru{layer}.weight_{role}"]))
            tensors[f"gru{layer}.bias_{role}"] = biases[layer, role]
    return tensors, nonzeros


def write(folder, name, row, network, block):
    tensors, nonzeros = make(row, network, block)
    folder.mkdir(parents=True, exist_ok=True)
    save_safetensors(folder / "weights.safetensors", tensors)
    promise = "" if row["rate"] == 1 else f", sparsity: {{scheme: bsp, block: [{block[0]}, {block[1]}]}}"
    layers = ""
    for layer in range(network["layers"]):
        wire = f", input: gru{layer - 1}" if layer else ""
        layers += f"  - {{name: gru{layer}, op: gru, size: {network['units']}, reset: before{wire}{promise}}}\n"
    text = MODEL.format(name=name, inputs=network["inputs"], layers=layers, last=network["layers"] - 1)
    (folder / "model.yaml").write_text(text)
    weights = sum(t.size for n, t in tensors.items() if "weight" in n)
    print(f"{folder}: rate {row['rate']}: {nonzeros} of {weights} weights kept ({weights / nonzeros:.2f}x)")


def main():
    facts = json.loads((HERE / "rtmobile.json").read_text())
    rates = {row["rate"]: row for row in facts["rates"]}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--rate", type=int, choices=rates)
    which.add_argument("--all", action="store_true")
    parser.add_argument("--block", default="256x256", help="rows x columns (default 256x256)")
    parser.add_argument("--name", help="of the model (default rtmobile_gru_RATE)")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    block = tuple(int(part) for part in arguments.block.split("x"))
    if len(block) != 2 or min(block) < 1:
        parser.error(f"--block is '{arguments.block}'; ROWSxCOLUMNS is needed")
    for rate in rates if arguments.all else [arguments.rate]:
        folder = arguments.out / str(rate) if arguments.all else arguments.out
        write(folder, arguments.name or f"rtmobile_gru_{rate}", rates[rate], facts["network"], block)


if __name__ == "__main__":
    main()
