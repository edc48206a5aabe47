"""Runs the ONNX files themselves, frame by frame as an application would, and shows what goes into the part that extract.py takes
and what comes out of it. Needs onnx and onnxruntime; refuses to know how the weights are stored."""
import pathlib

import numpy
import onnx
import onnxruntime

from extract import NETWORKS

HIDDEN_INPUT = "/model/encoder/3/activation/Relu_output_0"  # of Silero's LSTM, [1, 128, 1]
AUDIO = 576  # samples per frame at 16 kHz: 512 new ones behind 64 old ones


def _session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _dtln(model, steps, random):
    session, state = _session(model), numpy.zeros((1, 2, 128, 2), numpy.float32)
    x, y = numpy.abs(random.standard_normal((steps, 257))).astype(numpy.float32), []
    for row in x:
        mask, state = session.run(["activation_2", "tf_op_layer_stack_2"], {"input_2": row[None, None], "input_3": state})
        y.append(mask[0, 0])
    return x, numpy.stack(y)


def _deepfilternet3(model, steps, random):
    session, state = _session(model), numpy.zeros((1, 1, 256), numpy.float32)
    x, y = numpy.abs(random.standard_normal((steps, 256))).astype(numpy.float32), []
    for row in x:
        state, = session.run(["h1"], {"emb": row[None, None], "h0": state})
        y.append(state[0, 0])
    return x, numpy.stack(y)


def _silero_vad(model, steps, random):
    """Noise whose loudness changes, as audio; what the convolutions make of it is the LSTM's input."""
    model.graph.output.append(onnx.helper.make_tensor_value_info(HIDDEN_INPUT, onnx.TensorProto.FLOAT, None))
    session, state = _session(model), numpy.zeros((2, 1, 128), numpy.float32)
    x, y = [], []
    for step in range(steps):
        audio = (0.3 * abs(numpy.sin(step)) * random.standard_normal((1, AUDIO))).astype(numpy.float32)
        hidden, state = session.run([HIDDEN_INPUT, "stateN"], {"input": audio, "state": state, "sr": numpy.array(16000, numpy.int64)})
        x.append(hidden[0, :, 0])
        y.append(state[0, 0])
    return numpy.stack(x), numpy.stack(y)


def run(name, models, steps, seed=4):
    """-> x [steps, inputs], y [steps, outputs] of the part that extract.py takes, from the zero state."""
    model = onnx.load(pathlib.Path(models) / NETWORKS[name][0])
    take = {"dtln": _dtln, "deepfilternet3": _deepfilternet3, "silero_vad": _silero_vad}[name]
    return take(model, steps, numpy.random.default_rng(seed))
