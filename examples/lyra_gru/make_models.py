#!/usr/bin/env python3
"""Turns the weights of Lyra's WaveGRU, as its authors shipped them, into models that rtmc reads.

    make_models.py FOLDER_OF_RAW_GZ --out FOLDER

Input: lyra_16khz_<layer>_{weights,mask,bias}.raw.gz, little-endian float32, [out, in] row by row.
Output: lyra_gru/ (GRU 1024 with its projection), and gru_layer/, conv_to_gates/, proj/: each matrix as one linear layer.

The GRU's equations are those of Lyra's public gru_gates code: gates stand in the order reset, update, candidate (rtmc's default
r, z, n); the reset comes after the product, so gru_layer's bias belongs inside it (PyTorch's bias_hh); and
h' = c + z (h - c), rtmc's update. The inputs of one step are what the conditioning stack gives (1024 values) and the four samples
drawn in the step before: conv_to_gates and ar_to_gates side by side are weight_ih; ar_to_gates has no bias of its own.
Lyra computes conv_to_gates once per conditioning frame; as part of the cell it is computed here at every step.
"""
import argparse
import gzip
import pathlib
import sys

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "python"))
from rtmc_files import save_safetensors  # noqa: E402

UNITS = 1024
ROWS = {"gru_layer": 3 * UNITS, "conv_to_gates": 3 * UNITS, "ar_to_gates": 3 * UNITS, "proj": 512}


def load(folder, layer):
    """-> weights [out, in], mask of the same shape (bool), bias [out]."""

    def read(kind):
        path = folder / f"lyra_16khz_{layer}_{kind}.raw.gz"
        with gzip.open(path) as file:
            return numpy.frombuffer(file.read(), "<f4")

    weights, mask, bias = read("weights"), read("mask"), read("bias")
    if bias.size != ROWS[layer] or weights.size != mask.size or weights.size % ROWS[layer]:
        sys.exit(f"{layer}: {weights.size} weights, {mask.size} mask values and {bias.size} biases do not fit {ROWS[layer]} rows")
    return weights.reshape(ROWS[layer], -1), mask.reshape(ROWS[layer], -1) != 0, bias


def write(folder, text, tensors):
    folder.mkdir(parents=True, exist_ok=True)
    save_safetensors(folder / "weights.safetensors", tensors)
    (folder / "model.yaml").write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("raw", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    layers = {name: load(arguments.raw, name) for name in ROWS}

    recurrent, conditioning, samples, projection = (layers[name] for name in ROWS)
    write(arguments.out / "lyra_gru", f"""rtm: 1
name: lyra_gru
weights: weights.safetensors
inputs:
  - {{name: conditioning, size: {conditioning[0].shape[1]}}}
  - {{name: samples, size: {samples[0].shape[1]}}}
layers:
  - {{name: gru, op: gru, size: {UNITS}, reset: after, input: [conditioning, samples]}}
  - {{name: proj, op: linear, size: {ROWS["proj"]}}}
outputs: [proj]
""", {
        "gru.weight_ih": numpy.concatenate([conditioning[0], samples[0]], axis=1),
        "gru.weight_ih_mask": numpy.concatenate([conditioning[1], samples[1]], axis=1),
        "gru.bias_ih": conditioning[2] + samples[2],
        "gru.weight_hh": recurrent[0],
        "gru.weight_hh_mask": recurrent[1],
        "gru.bias_hh": recurrent[2],
        "proj.weight": projection[0],
        "proj.weight_mask": projection[1],
        "proj.bias": projection[2],
    })
    for name in ("gru_layer", "conv_to_gates", "proj"):
        weights, mask, bias = layers[name]
        write(arguments.out / name, f"""rtm: 1
name: lyra_{name}
weights: weights.safetensors
inputs:
  - {{name: x, size: {weights.shape[1]}}}
layers:
  - {{name: y, op: linear, size: {weights.shape[0]}}}
outputs: [y]
""", {"y.weight": weights, "y.weight_mask": mask, "y.bias": bias})
    for name, (weights, mask, _) in layers.items():
        print(f"{name}: {weights.shape[0]} x {weights.shape[1]}, {100 * mask.mean():.2f} % kept")


if __name__ == "__main__":
    main()
