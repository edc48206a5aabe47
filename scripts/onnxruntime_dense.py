#!/usr/bin/env python3
"""Prints the microseconds per step that ONNX Runtime needs for a dense GRU network, one thread: the best of many calls.

    onnxruntime_dense.py --inputs 39 --units 1024 --layers 2 --reset before [--linear OUTPUTS] [--steps 50] [--threads 1]

Weights are random: a dense kernel's time does not depend on them. Inputs change from call to call.
"""
import argparse
import time

import numpy
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def build(arguments):
    random = numpy.random.default_rng(1)
    nodes, constants = [], []

    def constant(name, *shape):
        values = (random.standard_normal(shape) / numpy.sqrt(shape[-1])).astype(numpy.float32)
        constants.append(numpy_helper.from_array(values, name))
        return name

    x, width = "x", arguments.inputs
    for layer in range(arguments.layers):
        weights = [constant(f"W{layer}", 1, 3 * arguments.units, width),
                   constant(f"R{layer}", 1, 3 * arguments.units, arguments.units), constant(f"B{layer}", 1, 6 * arguments.units)]
        nodes.append(helper.make_node("GRU", [x, *weights], [f"y{layer}"], hidden_size=arguments.units,
                                      linear_before_reset=int(arguments.reset == "after")))
        nodes.append(helper.make_node("Squeeze", [f"y{layer}", "axis"], [f"h{layer}"]))
        x, width = f"h{layer}", arguments.units
    constants.append(numpy_helper.from_array(numpy.array([1], numpy.int64), "axis"))
    if arguments.linear:
        nodes.append(helper.make_node("MatMul", [x, constant("P", width, arguments.linear)], ["p"]))
        x, width = "p", arguments.linear
    graph = helper.make_graph(nodes, "dense",
                              [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1, arguments.inputs])],
                              [helper.make_tensor_value_info(x, TensorProto.FLOAT, [None, 1, width])], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


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
    session = build(arguments)
    inputs = numpy.random.default_rng(2).standard_normal((8, arguments.steps, 1, arguments.inputs)).astype(numpy.float32)
    best, end, calls = float("inf"), time.perf_counter() + arguments.seconds, 0
    while time.perf_counter() < end or calls < 10:
        feed = {"x": inputs[calls % len(inputs)]}
        begin = time.perf_counter()
        session.run(None, feed)
        best = min(best, time.perf_counter() - begin)
        calls += 1
    print(f"{1e6 * best / arguments.steps:.3f}")


if __name__ == "__main__":
    main()
