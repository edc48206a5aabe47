"""PyTorch's nn.GRU and nn.LSTM in inference mode: f32, bf16, and int8 by dynamic quantisation, which rounds the vector of each
product when it is known. The state is handed from call to call, as its owner would do it. Eager or traced, with oneDNN or without:
the fastest is taken (oneDNN is slower with one step a call, and faster with many)."""
import itertools
import time
import warnings

import torch

from .network import timed_chunks
from .stream import Stream

WARM_CALLS, CHOOSE_SECONDS = 3, 0.1  # a traced graph is optimised during its first calls

INFERENCE = torch.inference_mode()  # the mode ends with the object: somebody must hold it


class _Model(torch.nn.Module):
    def __init__(self, network):
        super().__init__()
        first = network.layers[0]
        if any(layer.units != first.units for layer in network.layers):
            raise RuntimeError("its layers all have one size; these differ")
        self.recurrent = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[network.op](first.inputs, first.units, len(network.layers))
        self.linear = torch.nn.Linear(first.units, network.outputs) if network.linear else None
        self.sigmoid = bool(network.linear) and network.linear.activation == "sigmoid"
        with torch.no_grad():
            for k, layer in enumerate(network.layers):
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                    getattr(self.recurrent, f"{name}_l{k}").copy_(torch.from_numpy(getattr(layer, name)))
            if network.linear:
                self.linear.weight.copy_(torch.from_numpy(network.linear.weight))
                self.linear.bias.copy_(torch.from_numpy(network.linear.bias))

    def forward(self, x, state):
        y, state = self.recurrent(x, state)
        if self.linear is not None:
            y = self.linear(y)
            if self.sigmoid:
                y = torch.sigmoid(y)
        return y, state


def _quantized(model):
    engines = torch.backends.quantized.supported_engines
    for engine in ("x86", "fbgemm", "onednn", "qnnpack"):
        if engine in engines:
            torch.backends.quantized.engine = engine
            break
    else:
        raise RuntimeError("this build has no engine for int8")
    quantize = getattr(torch, "ao", torch).quantization.quantize_dynamic
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return quantize(model, {torch.nn.GRU, torch.nn.LSTM, torch.nn.Linear}, dtype=torch.qint8), engine


def _traced(model, given, state):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(model, (given, state), check_trace=False)
        try:
            return torch.jit.freeze(traced)
        except RuntimeError:  # not of quantised modules in every version
            return traced


def _fastest(model, given, state):
    """-> (what to call, in words); oneDNN is left on or off as it was fastest."""
    best = None
    for onednn, form in itertools.product((True, False), ("eager", "traced")):
        torch.backends.mkldnn.set_flags(onednn)
        try:
            run = model if form == "eager" else _traced(model, given, state)
            for _ in range(WARM_CALLS):
                run(given, state)
        except Exception:  # of a version that cannot trace this: one form less
            if form == "eager":
                raise
            continue
        times, end = [], time.perf_counter() + CHOOSE_SECONDS
        while not times or time.perf_counter() < end:
            begin = time.perf_counter()
            run(given, state)
            times.append(time.perf_counter() - begin)
        if best is None or min(times) < best[0]:
            best = min(times), run, onednn, form
    torch.backends.mkldnn.set_flags(best[2])
    return best[1], f"{best[3]}, {'with' if best[2] else 'without'} oneDNN"


def open_peer(info, network, x, threads, steps):
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    model, kind, words = _Model(network).eval(), torch.float32, info.precision
    if info.precision == "bf16":
        model, kind = model.to(torch.bfloat16), torch.bfloat16
    elif info.precision == "int8":
        model, engine = _quantized(model)
        words = f"int8 dynamic by {engine}"
    layers, units = len(network.layers), network.layers[0].units
    chunks = timed_chunks(x, steps)
    inputs = [torch.from_numpy(chunk)[:, None, :] for chunk in chunks]  # of float32: they share the chunk's memory
    INFERENCE.__enter__()  # for good: entering it at every call would take a microsecond of each
    state, y = None, None

    def reset():
        nonlocal state
        zeros = [torch.zeros(layers, 1, units, dtype=kind) for _ in range(1 + (network.op == "lstm"))]
        state = tuple(zeros) if network.op == "lstm" else zeros[0]

    reset()
    run, form = _fastest(model, inputs[0].to(kind), state)

    def call_of(given):
        def call():
            nonlocal state, y
            y, state = run(given, state)

        def call_converting():
            nonlocal state, y
            y, state = run(given.to(kind), state)
        return call if kind == torch.float32 else call_converting

    reset_form = ", reset after" if network.op == "gru" else ""
    used = torch.get_num_threads()
    settings = f"{words}, {used} thread{'s' * (used > 1)}{reset_form}, {steps} step{'s' * (steps > 1)} a call, {form}, inference mode"
    return Stream(torch.__version__.split("+")[0], settings, chunks, [call_of(given) for given in inputs],
                  lambda k: y.to(torch.float32).reshape(steps, -1).numpy(), reset)
