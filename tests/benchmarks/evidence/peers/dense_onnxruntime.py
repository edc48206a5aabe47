"""ONNX Runtime's GRU and LSTM operators. Inputs, outputs and states are bound once to memory of ours, so that a call copies nothing
and looks up no name; the state alternates between two sets of buffers. Only the CPU, all of its graph optimisations."""
import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from .network import CHUNKS, timed_chunks
from .stream import Stream

ORDER = {"gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}  # ONNX's z r n and i o f g from r z n and i f g o


def onnx_gates(op, stacked):
    pieces = numpy.split(stacked, len(ORDER[op]))
    return numpy.concatenate([pieces[gate] for gate in ORDER[op]])


def build(network, steps):
    """-> a model: x [steps, 1, inputs] and the states to y [steps, 1, outputs] and the new states."""
    constants, nodes, inputs, outputs = [], [], [], []

    def constant(name, values):
        constants.append(numpy_helper.from_array(numpy.ascontiguousarray(values), name))
        return name

    constant("one", numpy.array([1], numpy.int64))
    value = "x"
    for k, layer in enumerate(network.layers):
        gates = [constant(f"{name}{k}", onnx_gates(network.op, values)[None])
                 for name, values in (("W", layer.weight_ih), ("R", layer.weight_hh))]
        bias = constant(f"B{k}", numpy.concatenate([onnx_gates(network.op, b) for b in (layer.bias_ih, layer.bias_hh)])[None])
        states = [f"h{k}"] + ([f"c{k}"] if network.op == "lstm" else [])
        attributes = {"linear_before_reset": int(network.reset == "after")} if network.op == "gru" else {}
        # One step: the last state is the output, and no node has to take a dimension out of it.
        whole = "" if steps == 1 else f"Y{k}"
        nodes.append(helper.make_node(network.op.upper(), [value, *gates, bias, "", *states],
                                      [whole, *(f"{s}_out" for s in states)], hidden_size=layer.units, **attributes))
        value = f"h{k}_out"
        if whole:
            value = f"y{k}"
            nodes.append(helper.make_node("Squeeze", [whole, "one"], [value]))
        for state in states:
            inputs.append(helper.make_tensor_value_info(state, TensorProto.FLOAT, [1, 1, layer.units]))
            outputs.append(helper.make_tensor_value_info(f"{state}_out", TensorProto.FLOAT, [1, 1, layer.units]))
    if network.linear:
        nodes.append(helper.make_node("MatMul", [value, constant("P", network.linear.weight.T)], ["product"]))
        nodes.append(helper.make_node("Add", ["product", constant("b", network.linear.bias)], ["linear"]))
        value = "linear"
        if network.linear.activation == "sigmoid":
            value = "sigmoid"
            nodes.append(helper.make_node("Sigmoid", ["linear"], [value]))
    shape = [steps, 1, network.outputs]
    if value.endswith("_out"):
        outputs = [o for o in outputs if o.name != value]
    graph = helper.make_graph(nodes, "network", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [steps, 1, network.inputs]),
                                                 *inputs],
                              [helper.make_tensor_value_info(value, TensorProto.FLOAT, shape), *outputs], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def _session(model, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def open_peer(info, network, x, threads, steps):
    model = build(network, steps)
    session = _session(model, threads)
    names = [value.name for value in model.graph.input if value.name != "x"]
    shapes = {value.name: [d.dim_value for d in value.type.tensor_type.shape.dim] for value in model.graph.output}
    y_name = model.graph.output[0].name
    state_is_output = y_name.endswith("_out")
    chunks = timed_chunks(x, steps)
    states = [{name: numpy.zeros(shapes[f"{name}_out"], numpy.float32) for name in names} for _ in range(2)]
    y = [numpy.zeros(shapes[y_name], numpy.float32) for _ in range(2)]
    bindings = []
    for k in range(CHUNKS):
        before, after = states[k % 2], states[(k + 1) % 2]
        binding = session.io_binding()
        for name, array in [("x", chunks[k][:, None, :]), *before.items()]:
            binding.bind_input(name, "cpu", 0, numpy.float32, array.shape, array.ctypes.data)
        for name, array in after.items():
            binding.bind_output(f"{name}_out", "cpu", 0, numpy.float32, array.shape, array.ctypes.data)
        if not state_is_output:
            binding.bind_output(y_name, "cpu", 0, numpy.float32, y[k % 2].shape, y[k % 2].ctypes.data)
        bindings.append(binding)

    def call_of(binding):
        # What InferenceSession.run_with_iobinding does, without its layers of Python.
        run, inner = session._sess.run_with_iobinding, binding._iobinding
        return lambda: run(inner, None)

    def output(k):
        return (states[(k + 1) % 2][y_name.removesuffix("_out")] if state_is_output else y[k % 2]).reshape(steps, -1)

    def reset():
        for array in states[0].values():
            array[:] = 0

    form = f", reset {network.reset}" if network.op == "gru" else ""
    stream = Stream(onnxruntime.__version__, f"f32, {threads} thread{'s' * (threads > 1)}{form}, {steps} step"
                    f"{'s' * (steps > 1)} a call, bound buffers", chunks, [call_of(b) for b in bindings], output, reset)
    stream.keep = (session, bindings, states, y)  # the bindings hold bare pointers into these
    return stream
