#!/usr/bin/env python3
"""Writes streaming_lstm.safetensors: random weights of model.yaml, a quarter of the 16x4 blocks kept, by norm.

    make_weights.py streaming_lstm.safetensors
"""
import pathlib
import sys

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "python"))
from rtmc_files import save_safetensors  # noqa: E402

UNITS, FRAME, OUTPUTS, BLOCK, KEPT = 128, 40, 16, (16, 4), 0.25


def pruned(random, rows, columns):
    weights = random.standard_normal((rows, columns)).astype(numpy.float32) / numpy.float32((KEPT * columns) ** 0.5)
    blocks = weights.reshape(rows // BLOCK[0], BLOCK[0], columns // BLOCK[1], BLOCK[1])
    norms = (blocks ** 2).sum(axis=(1, 3))
    return (blocks * (norms >= numpy.quantile(norms, 1 - KEPT))[:, None, :, None]).reshape(rows, columns)


random = numpy.random.default_rng(1)
tensors = {}
for layer, inputs in (("lstm0", FRAME), ("lstm1", UNITS)):
    tensors[f"{layer}.weight_ih"] = pruned(random, 4 * UNITS, inputs)
    tensors[f"{layer}.weight_hh"] = pruned(random, 4 * UNITS, UNITS)
    tensors[f"{layer}.bias_ih"] = (0.1 * random.standard_normal(4 * UNITS)).astype(numpy.float32)
    tensors[f"{layer}.bias_hh"] = numpy.zeros(4 * UNITS, numpy.float32)
tensors["out.weight"] = (random.standard_normal((OUTPUTS, UNITS)) / UNITS ** 0.5).astype(numpy.float32)
tensors["out.bias"] = numpy.zeros(OUTPUTS, numpy.float32)
save_safetensors(sys.argv[1], tensors)
