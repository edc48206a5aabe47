#!/usr/bin/env python3
"""Prints the microseconds per step that ONNX Runtime needs for a dense GRU network: the best of many calls.

    onnxruntime_dense.py --inputs 39 --units 1024 --layers 2 --reset before [--linear OUTPUTS] [--steps 50] [--threads 1]

Weights are random: a dense kernel's time does not depend on them. Graph, session and timing are those of scripts/bench.sh's peer
(tests/benchmarks/evidence/peers). Needs numpy, onnx and onnxruntime.
"""
import argparse
import pathlib
import sys

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "benchmarks" / "evidence"))
from harness.small import random_arrays  # noqa: E402
from peers import PEERS, network as networks  # noqa: E402
from peers.dense_onnxruntime import open_peer  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("inputs", "units", "layers"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--reset", choices=["before", "after"], default="after")
    parser.add_argument("--linear", type=int, default=0)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0)
    arguments = parser.parse_args()
    arrays = random_arrays("gru", arguments.reset, arguments.inputs, arguments.units, arguments.layers, arguments.linear, "none")
    network = networks.from_arrays(arrays)
    x = numpy.random.default_rng(2).standard_normal((networks.CHUNKS * arguments.steps, arguments.inputs)).astype(numpy.float32)
    peer = open_peer(PEERS["onnxruntime-f32"], network, x, arguments.threads, arguments.steps)
    print(f"{peer.measure(arguments.seconds)['step_us_min']:.3f}")


if __name__ == "__main__":
    main()
