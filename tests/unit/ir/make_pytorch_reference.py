#!/usr/bin/env python3
"""Writes network_reference.h: small networks in the network IR's text, an input, and the outputs that PyTorch computes.

Run once, by hand, where torch and numpy are installed (Debian: python3-torch); its output is committed:
    python3 tests/unit/ir/make_pytorch_reference.py > tests/unit/ir/network_reference.h
PyTorch has no GRU with the reset before the product and no peepholes: those two are scalar loops below, written from the
cells' equations and sharing nothing with rtmc's interpreter. All sums run in double precision on weights that are floats.
"""
import math

import numpy
import torch

torch.set_default_dtype(torch.float64)
generator = numpy.random.default_rng(20240501)


def random_floats(*shape):
    """Float32 values, as doubles; a third of them zero, as pruned weights are."""
    values = generator.uniform(-0.9, 0.9, size=shape)
    values *= generator.uniform(size=shape) > 0.33
    return values.astype(numpy.float32).astype(numpy.float64)


def floats(values):
    return ", ".join(str(numpy.float32(v)) for v in numpy.asarray(values).ravel())


def tensor(indent, role, name, values):
    pad = " " * indent
    shape = ", ".join(str(n) for n in values.shape)
    return f"{pad}{role}:\n{pad}  name: {name}\n{pad}  shape: [{shape}]\n{pad}  values: [{floats(values)}]\n"


TENSORS = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "peephole", "weight_hr"]


def recurrent(name, op, size, inputs, directions, extras=""):
    """`directions`: one dict of tensors per direction."""
    text = f"  - name: {name}\n    op: {op}\n    size: {size}\n    inputs: [{inputs}]\n{extras}    directions:\n"
    for number, tensors in enumerate(directions):
        suffix = "_reverse" if number else ""
        body = "".join(tensor(8, t, f"{name}.{t}{suffix}", tensors[t]) for t in TENSORS if t in tensors)
        text += "      - " + body[8:]
    return text


def linear(name, weight, bias, activation, inputs):
    text = f"  - name: {name}\n    op: linear\n    size: {weight.shape[0]}\n    inputs: [{inputs}]\n"
    return text + f"    activation: {activation}\n" + tensor(4, "weight", name + ".weight", weight) + tensor(
        4, "bias", name + ".bias", bias)


def network(name, inputs, layers, outputs):
    text = f"rtm_network: 1\nname: {name}\ninputs:\n"
    text += "".join(f"  - {{name: {n}, size: {s}}}\n" for n, s in inputs)
    return text + "layers:\n" + "".join(layers) + f"outputs: [{outputs}]\n"


def fill(module, layer=0):
    """Random tensors for one layer of a torch module; returns them per direction under the IR's names."""
    directions = []
    for suffix in ["", "_reverse"] if module.bidirectional else [""]:
        tensors = {}
        for t in TENSORS:
            parameter = getattr(module, f"{t}_l{layer}{suffix}", None)
            if parameter is None:
                continue
            tensors[t] = random_floats(*parameter.shape)
            with torch.no_grad():
                parameter.copy_(torch.from_numpy(tensors[t]))
        directions.append(tensors)
    return directions


cases = []


def case(name, yaml, x, y):
    cases.append((name, yaml, x, numpy.asarray(y)))


def torch_case(name, module, op, size, x, extras="", flip=False):
    directions = fill(module)
    source = torch.from_numpy(x[::-1].copy() if flip else x)
    with torch.no_grad():
        y = module(source)[0].numpy()
    text = network(name, [("x", x.shape[1])], [recurrent("rnn0", op, size, "x", directions, extras)], "rnn0")
    case(name, text, x, y[::-1] if flip else y)


def sigmoid(v):
    return 1 / (1 + math.exp(-v))


def dot(matrix, row, vector):
    return sum(float(matrix[row][i]) * float(vector[i]) for i in range(len(vector)))


def gru_before(t, x, size):
    h, rows = [0.0] * size, []
    for step in x:
        def pre(gate, u, state):
            row = gate * size + u
            return dot(t["weight_ih"], row, step) + t["bias_ih"][row] + t["bias_hh"][row] + dot(t["weight_hh"], row, state)
        r = [sigmoid(pre(0, u, h)) for u in range(size)]
        z = [sigmoid(pre(1, u, h)) for u in range(size)]
        reset = [r[u] * h[u] for u in range(size)]
        n = [math.tanh(pre(2, u, reset)) for u in range(size)]
        h = [z[u] * h[u] + (1 - z[u]) * n[u] for u in range(size)]
        rows.append(h)
    return rows


def lstm_peepholes(t, x, size):
    h, c, rows = [0.0] * size, [0.0] * size, []
    p = t["peephole"]
    for step in x:
        def pre(gate, u):
            row = gate * size + u
            return dot(t["weight_ih"], row, step) + t["bias_ih"][row] + t["bias_hh"][row] + dot(t["weight_hh"], row, h)
        i = [sigmoid(pre(0, u) + p[u] * c[u]) for u in range(size)]
        f = [sigmoid(pre(1, u) + p[size + u] * c[u]) for u in range(size)]
        g = [math.tanh(pre(2, u)) for u in range(size)]
        c = [f[u] * c[u] + i[u] * g[u] for u in range(size)]
        o = [sigmoid(pre(3, u) + p[2 * size + u] * c[u]) for u in range(size)]
        h = [o[u] * math.tanh(c[u]) for u in range(size)]
        rows.append(h)
    return rows


x = random_floats(5, 3)
after, before = "    reset: after\n", "    reset: before\n"
both = "    direction: both\n"
torch_case("gru_after", torch.nn.GRU(3, 4), "gru", 4, x, after)
torch_case("gru_after_both", torch.nn.GRU(3, 4, bidirectional=True), "gru", 4, x, both + after)
torch_case("gru_after_backward", torch.nn.GRU(3, 4), "gru", 4, x, "    direction: backward\n" + after, flip=True)
torch_case("lstm", torch.nn.LSTM(3, 4), "lstm", 4, x)
torch_case("lstm_projection", torch.nn.LSTM(3, 5, proj_size=2), "lstm", 5, x, "    projection: 2\n")
torch_case("lstm_projection_both", torch.nn.LSTM(3, 4, proj_size=3, bidirectional=True), "lstm", 4, x,
           both + "    projection: 3\n")
torch_case("rnn_tanh", torch.nn.RNN(3, 6), "rnn", 6, x, "    activation: tanh\n")
torch_case("rnn_relu_both", torch.nn.RNN(3, 4, nonlinearity="relu", bidirectional=True), "rnn", 4, x,
           both + "    activation: relu\n")

# Two inputs, two layers, the second reads the first and an input, two outputs.
a, b = random_floats(6, 2), random_floats(6, 3)
gru, lstm = torch.nn.GRU(5, 4), torch.nn.LSTM(6, 3)
gru_tensors, lstm_tensors = fill(gru), fill(lstm)
weight, bias = random_floats(4, 3), random_floats(4)
with torch.no_grad():
    first = gru(torch.from_numpy(numpy.concatenate([b, a], axis=1)))[0]
    second = lstm(torch.cat([first, torch.from_numpy(a)], dim=1))[0]
    last = torch.log_softmax(second @ torch.from_numpy(weight).T + torch.from_numpy(bias), dim=1)
case("wired", network("wired", [("a", 2), ("b", 3)], [
    recurrent("g", "gru", 4, "b, a", gru_tensors, after),
    recurrent("l", "lstm", 3, "g, a", lstm_tensors),
    linear("y", weight, bias, "log_softmax", "l"),
], "y, g"), numpy.concatenate([a, b], axis=1), numpy.concatenate([last.numpy(), first.numpy()], axis=1))

functions = {"none": lambda v: v, "relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh,
             "softmax": lambda v: torch.softmax(v, 1), "log_softmax": lambda v: torch.log_softmax(v, 1)}
for activation, function in functions.items():
    weight, bias, values = random_floats(5, 3), random_floats(5), random_floats(2, 3)
    y = function(torch.from_numpy(values) @ torch.from_numpy(weight).T + torch.from_numpy(bias)).numpy()
    case("linear_" + activation, network("linear_" + activation, [("x", 3)],
                                         [linear("y", weight, bias, activation, "x")], "y"), values, y)


def tensors_for(gates, size, inputs, extra=None):
    tensors = {"weight_ih": random_floats(gates * size, inputs), "weight_hh": random_floats(gates * size, size),
               "bias_ih": random_floats(gates * size), "bias_hh": random_floats(gates * size)}
    return {**tensors, **(extra or {})}


t = tensors_for(3, 4, 3)
case("gru_before", network("gru_before", [("x", 3)], [recurrent("rnn0", "gru", 4, "x", [t], before)], "rnn0"), x,
     gru_before(t, x, 4))
t = tensors_for(4, 3, 3, {"peephole": random_floats(9)})
case("lstm_peepholes", network("lstm_peepholes", [("x", 3)],
                               [recurrent("rnn0", "lstm", 3, "x", [t], "    peepholes: true\n")], "rnn0"), x,
     lstm_peepholes(t, x, 3))

print("// Generated by make_pytorch_reference.py (PyTorch " + torch.__version__.split("a")[0] + "); do not edit.")
print("#pragma once\n\n#include <cstddef>\n#include <vector>\n\nnamespace rtmc::ir {\n")
print("struct ReferenceCase {\n  const char *name;\n  const char *yaml;\n  size_t steps;\n  std::vector<float> in;"
      "\n  std::vector<double> out;\n};\n")
print("inline const std::vector<ReferenceCase> kReferenceCases = {")
for name, yaml, values, expected in cases:
    print(f'    {{"{name}",\n     R"yaml({yaml})yaml",\n     {len(values)},')
    print("     {" + ", ".join(repr(float(v)) + "f" for v in values.astype(numpy.float32).ravel()) + "},")
    print("     {" + ", ".join(repr(float(v)) for v in expected.ravel()) + "}},")
print("};\n\n}  // namespace rtmc::ir")
