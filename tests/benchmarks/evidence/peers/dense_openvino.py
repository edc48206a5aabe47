"""OpenVINO's sequence operators on the CPU, latency mode, one stream. The states are the model's own variables: measured, that is
faster than passing them in and out. The ONNX front end would make the same graph; this one needs no onnx."""
import numpy
import openvino
import openvino.properties as properties
import openvino.properties.hint as hint
from openvino import opset13 as ops
from openvino._pyopenvino import InferRequest

from .network import timed_chunks
from .stream import Stream

ORDER = {"gru": (1, 0, 2), "lstm": (1, 0, 2, 3)}  # OpenVINO's z r n and f i g o from r z n and i f g o


def _gates(op, stacked):
    pieces = numpy.split(stacked, len(ORDER[op]))
    return numpy.concatenate([pieces[gate] for gate in ORDER[op]])


def _layer(network, layer, k, value, steps, assigns):
    after = network.op == "gru" and network.reset == "after"
    w, r, b, rb = (_gates(network.op, values) for values in (layer.weight_ih, layer.weight_hh, layer.bias_ih, layer.bias_hh))
    rows = 2 * layer.units
    bias = numpy.concatenate([(b + rb)[:rows], b[rows:], rb[rows:]]) if after else b + rb
    zero = ops.constant(numpy.zeros((1, 1, layer.units), numpy.float32))
    names = [f"{name}{k}" for name in ("h", "c")[:1 + (network.op == "lstm")]]
    states = [ops.read_value(zero, name, numpy.float32, [1, 1, layer.units]) for name in names]
    inputs = [value, *states, ops.constant(numpy.array([steps], numpy.int64)), *(ops.constant(a[None]) for a in (w, r, bias))]
    if network.op == "gru":
        node = ops.gru_sequence(*inputs, layer.units, "forward", linear_before_reset=after)
    else:
        node = ops.lstm_sequence(*inputs, layer.units, "forward")
    # The binding of assign takes a node, not one of its outputs; the conversion from f32 to f32 is gone after compilation.
    assigns += [ops.assign(ops.convert(node.output(1 + i), "f32"), name) for i, name in enumerate(names)]
    return ops.squeeze(node.output(0), ops.constant(numpy.array([1], numpy.int64)))


def build(network, steps):
    x = ops.parameter([1, steps, network.inputs], numpy.float32, name="x")
    value, assigns = x, []
    for k, layer in enumerate(network.layers):
        value = _layer(network, layer, k, value, steps, assigns)
    if network.linear:
        value = ops.add(ops.matmul(value, ops.constant(network.linear.weight), False, True), ops.constant(network.linear.bias))
        if network.linear.activation == "sigmoid":
            value = ops.sigmoid(value)
    return openvino.Model([ops.result(value)], assigns, [x], "network")


def open_peer(info, network, x, threads, steps):
    core = openvino.Core()
    if info.precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise RuntimeError("this processor has no bf16 instructions that it would use")
    compiled = core.compile_model(build(network, steps), "CPU", {
        hint.performance_mode(): hint.PerformanceMode.LATENCY, properties.num_streams(): 1,
        properties.inference_num_threads(): threads,
        hint.inference_precision(): {"f32": openvino.Type.f32, "bf16": openvino.Type.bf16}[info.precision]})
    used = compiled.get_property(properties.inference_num_threads())
    kept = str(compiled.get_property(hint.inference_precision()).to_string())
    if kept != info.precision:
        raise RuntimeError(f"it runs in {kept} where {info.precision} was asked")
    request = compiled.create_infer_request()
    chunks = timed_chunks(x, steps)
    tensors = [openvino.Tensor(chunk[None], shared_memory=True) for chunk in chunks]
    # The class behind openvino.InferRequest: without copies of outputs and checks of inputs in Python.
    run = InferRequest.infer
    form = f", reset {network.reset}" if network.op == "gru" else ""
    settings = (f"{info.precision}, {used} thread{'s' * (used != 1)}{form}, {steps} step{'s' * (steps > 1)} a call, latency mode, "
                "states inside the model")
    return Stream(openvino.__version__.split("-")[0], settings, chunks,
                  [lambda tensor=tensor: run(request, tensor, True, decode_strings=False) for tensor in tensors],
                  lambda k: request.get_output_tensor(0).data.reshape(steps, -1), request.reset_state)
