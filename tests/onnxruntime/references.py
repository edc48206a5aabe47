"""The same network twice more: as an ONNX graph for ONNX Runtime, and in numpy with double precision, where weights can be
disturbed. Refuses to own what a network is (random_models.py) and what is close enough (compare.py)."""
import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from random_models import GATES

ONNX_GATES = {"gru": "zrn", "lstm": "iofg", "rnn": "n"}
DIRECTIONS = {"forward": "forward", "backward": "reverse", "both": "bidirectional"}


def onnx_order(op, stacked):
    """Gates in ONNX's order, from ours."""
    pieces = dict(zip(GATES[op], numpy.split(stacked, len(GATES[op]))))
    return numpy.concatenate([pieces[g] for g in ONNX_GATES[op]])


class _Graph:
    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, name, values):
        self.constants.append(numpy_helper.from_array(numpy.ascontiguousarray(values), name))
        return name

    def node(self, op, inputs, output, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output


def _recurrent(graph, layer, x):
    """[steps, 1, width] -> the same of this layer."""
    gates, size, name = len(GATES[layer.op]), layer.size, layer.name

    def stacked(role):
        return numpy.stack([onnx_order(layer.op, layer.tensors[role + suffix]) for suffix in layer.suffixes])

    def bias(role, suffix):
        return onnx_order(layer.op, layer.tensors.get(role + suffix, numpy.zeros(gates * size, numpy.float32)))

    both = numpy.stack([numpy.concatenate([bias("bias_ih", s), bias("bias_hh", s)]) for s in layer.suffixes])
    inputs = [x, graph.constant(f"{name}_W", stacked("weight_ih")), graph.constant(f"{name}_R", stacked("weight_hh")),
              graph.constant(f"{name}_B", both)]
    attributes = {"hidden_size": size, "direction": DIRECTIONS[layer.direction]}
    if layer.op == "gru":
        attributes["linear_before_reset"] = int(layer.reset == "after")
    if layer.op == "rnn":
        attributes["activations"] = [layer.activation.capitalize()] * len(layer.suffixes)
    if layer.peepholes:  # i, o, f in ONNX; i, f, o in rtmc
        peepholes = []
        for suffix in layer.suffixes:
            i, f, o = numpy.split(layer.tensors["peephole" + suffix], 3)
            peepholes.append(numpy.concatenate([i, o, f]))
        inputs += ["", "", "", graph.constant(f"{name}_P", numpy.stack(peepholes))]
    y = graph.node(layer.op.upper(), inputs, f"{name}_Y", **attributes)  # [steps, directions, 1, size]
    y = graph.node("Transpose", [y], f"{name}_T", perm=[0, 2, 1, 3])
    shape = graph.constant(f"{name}_shape", numpy.array([0, 1, layer.width], numpy.int64))
    return graph.node("Reshape", [y, shape], name)


def _linear(graph, layer, x):
    names = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "softmax": "Softmax", "log_softmax": "LogSoftmax"}
    y = graph.node("MatMul", [x, graph.constant(f"{layer.name}_W", layer.tensors["weight"].T)], f"{layer.name}_product")
    bias = layer.tensors.get("bias", numpy.zeros(layer.size, numpy.float32))
    y = graph.node("Add", [y, graph.constant(f"{layer.name}_b", bias)], f"{layer.name}_sum")
    if layer.activation == "none":
        return graph.node("Identity", [y], layer.name)
    attributes = {"axis": -1} if "softmax" in layer.activation else {}
    return graph.node(names[layer.activation], [y], layer.name, **attributes)


def run_onnxruntime(model, x):
    """x [steps, inputs] -> [steps, outputs], computed by ONNX Runtime."""
    graph = _Graph()
    sizes = [size for _, size in model.inputs]
    split = graph.constant("input_sizes", numpy.array(sizes, numpy.int64))
    graph.nodes.append(helper.make_node("Split", ["x", split], [n for n, _ in model.inputs], axis=2))
    for layer in model.layers:
        wires = layer.inputs[0]
        if len(layer.inputs) > 1:
            wires = graph.node("Concat", layer.inputs, f"{layer.name}_in", axis=2)
        (_linear if layer.op == "linear" else _recurrent)(graph, layer, wires)
    graph.node("Concat", model.outputs, "y", axis=2)
    width = sum(model.width_of(n) for n in model.outputs)
    proto = helper.make_model(
        helper.make_graph(graph.nodes, "network",
                          [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1, sum(sizes)])],
                          [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1, width])],
                          graph.constants), opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.checker.check_model(proto)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x[:, None, :]})[0][:, 0, :]


def _sigmoid(a):
    return 0.5 * (1 + numpy.tanh(0.5 * a))


class Numpy:
    """Double precision. `disturb(weights) -> weights` is called for every product of every step."""

    def __init__(self, model, disturb=lambda weights: weights):
        self.model, self.disturb = model, disturb

    def run(self, x):
        model, values, begin = self.model, {}, 0
        for name, size in model.inputs:
            values[name] = x[:, begin:begin + size].astype(numpy.float64)
            begin += size
        for layer in model.layers:
            wires = numpy.concatenate([values[n] for n in layer.inputs], axis=1)
            values[layer.name] = self._linear(layer, wires) if layer.op == "linear" else self._recurrent(layer, wires)
        return numpy.concatenate([values[n] for n in model.outputs], axis=1)

    def _product(self, weights, vector):
        return self.disturb(weights.astype(numpy.float64)) @ vector

    def _linear(self, layer, x):
        a = numpy.stack([self._product(layer.tensors["weight"], row) for row in x]) + layer.tensors.get("bias", 0.0)
        if "softmax" in layer.activation:
            a = a - a.max(axis=1, keepdims=True)
            log = a - numpy.log(numpy.exp(a).sum(axis=1, keepdims=True))
            return log if layer.activation == "log_softmax" else numpy.exp(log)
        return {"none": lambda v: v, "relu": lambda v: numpy.maximum(v, 0), "sigmoid": _sigmoid, "tanh": numpy.tanh}[
            layer.activation](a)

    def _recurrent(self, layer, x):
        parts = []
        for suffix in layer.suffixes:
            backward = layer.direction == "backward" or suffix == "_reverse"
            order = range(len(x) - 1, -1, -1) if backward else range(len(x))
            parts.append(self._cell(layer, suffix, x, order))
        return numpy.concatenate(parts, axis=1)

    def _cell(self, layer, suffix, x, order):
        size, gates = layer.size, len(GATES[layer.op])
        get = lambda role, n: layer.tensors.get(role + suffix, numpy.zeros(n)).astype(numpy.float64)  # noqa: E731
        b_ih, b_hh = get("bias_ih", gates * size), get("bias_hh", gates * size)
        w_ih, w_hh = layer.tensors["weight_ih" + suffix], layer.tensors["weight_hh" + suffix]
        h, c, out = numpy.zeros(size), numpy.zeros(size), numpy.zeros((len(x), size))
        peep_i, peep_f, peep_o = numpy.split(get("peephole", 3 * size), 3)
        for step in order:
            a = self._product(w_ih, x[step]) + b_ih
            if layer.op == "gru":
                u = self._product(w_hh[:2 * size], h) + b_hh[:2 * size]
                r, z = _sigmoid(a[:size] + u[:size]), _sigmoid(a[size:2 * size] + u[size:])
                w_n, b_n = w_hh[2 * size:], b_hh[2 * size:]
                if layer.reset == "before":
                    candidate = self._product(w_n, r * h) + b_n
                else:
                    candidate = r * (self._product(w_n, h) + b_n)
                h = z * h + (1 - z) * numpy.tanh(a[2 * size:] + candidate)
            else:
                a = a + self._product(w_hh, h) + b_hh
                if layer.op == "rnn":
                    h = numpy.tanh(a) if layer.activation == "tanh" else numpy.maximum(a, 0)
                else:
                    i, f, g, o = numpy.split(a, 4)
                    i, f = _sigmoid(i + peep_i * c), _sigmoid(f + peep_f * c)
                    c = f * c + i * numpy.tanh(g)
                    h = _sigmoid(o + peep_o * c) * numpy.tanh(c)
            out[step] = h
        return out
