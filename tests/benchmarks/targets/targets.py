#!/usr/bin/env python3
"""The project's speed targets, measured on this machine: every figure is a ratio from one run, with the floor beside it.

    targets.py --rtmc build/release/bin/rtmc [--rates 1,10,29] [--rounds 3] [--block 256x256] [--lyra FOLDER] [--json FILE]

The reference network (examples/rtmobile_gru) at each rate of Table II against ONNX Runtime's dense f32 GRU, 50 steps a call,
one thread, in turns: one block of ONNX Runtime, one of rtmc, again. Ratios are of the minima; a pair whose rounds disagree by more
than 25 % is marked with '?'. The roof is what a step at exactly its floor would reach: a target above it cannot be met here.
Without onnxruntime the ratios are missing and the shares remain. --lyra: folder of lyra_16khz_*.raw.gz, for the block-pruned
matrices that somebody else made.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy

ROOT = pathlib.Path(__file__).resolve().parents[3]
STEPS, WEIGHTS, UNITS, INPUTS = 50, 9_556_992, 1024, 39


def onnx_session(layers, inputs, steps):
    """A dense float32 chain of GRU (reset before) or LSTM layers in ONNX Runtime, one thread."""
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    random = numpy.random.default_rng(1)
    nodes, constants, value, width = [], [], "x", inputs
    for k, (op, units) in enumerate(layers):
        gates = 3 if op == "GRU" else 4
        for name, shape in (("W", (1, gates * units, width)), ("R", (1, gates * units, units)), ("B", (1, 2 * gates * units))):
            constant = (random.standard_normal(shape) / numpy.sqrt(shape[-1])).astype(numpy.float32)
            constants.append(numpy_helper.from_array(constant, f"{name}{k}"))
        constants.append(numpy_helper.from_array(numpy.array([1]), f"axis{k}"))
        nodes.append(helper.make_node(op, [value, f"W{k}", f"R{k}", f"B{k}"], [f"Y{k}"], hidden_size=units))
        nodes.append(helper.make_node("Squeeze", [f"Y{k}", f"axis{k}"], [f"y{k}"]))
        value, width = f"y{k}", units
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [steps, 1, inputs])],
        [helper.make_tensor_value_info(value, TensorProto.FLOAT, [steps, 1, width])], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 8
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    x = random.standard_normal((steps, 1, inputs)).astype(numpy.float32)

    def measure(seconds=0.5):
        best, end = float("inf"), time.perf_counter() + seconds
        session.run(None, {"x": x})
        while time.perf_counter() < end:
            begin = time.perf_counter()
            session.run(None, {"x": x})
            best = min(best, time.perf_counter() - begin)
        return best * 1e6 / steps

    return measure


def rtmc_bench(rtmc, model, precision, steps_per_call=STEPS, threads=1):
    done = subprocess.run([rtmc, "bench", str(model), "--precision", precision, "--threads", str(threads),
                           "--steps-per-call", str(steps_per_call), "--json", "--quiet"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"rtmc bench {model}: {done.stderr}")
    return json.loads(done.stdout)


def in_turns(rounds, peer, ours):
    """-> (smallest peer time or None, our best reply, rounds agree)."""
    peers, replies = [], []
    for _ in range(rounds):
        if peer:
            peers.append(peer())
        replies.append(ours())
    times = [r["step_us_min"] for r in replies]
    agree = all(max(t) <= 1.25 * min(t) for t in (peers, times) if t)
    return min(peers) if peers else None, min(replies, key=lambda r: r["step_us_min"]), agree


def row(name, target, peer, reply, agree, rate=None):
    speedup = peer / reply["step_us_min"] if peer else None
    figures = {"what": name, "target": target, "step_us": reply["step_us_min"], "floor_us": reply["floor_us"],
               "roofline_share": reply["roofline_share"], "peer_us": peer, "speedup": speedup, "rounds_agree": agree,
               "packed_bytes": reply["weight_bytes"], "csr_bytes": reply["csr_bytes"], "threads": reply["threads_used"]}
    text = "" if speedup is None else f"{speedup:8.1f} x"
    if speedup is not None and rate:
        figures["speedup_over_rate"] = speedup / rate
        figures["roof_over_rate"] = peer / reply["floor_us"] / rate
        text += f" = {speedup / rate:.2f} x rate (roof {figures['roof_over_rate']:.2f})"
    print(f"{name:34s} {reply['step_us_min']:9.2f} us  share {reply['roofline_share']:.2f}  {text:39s}"
          f"{' ' if agree else '?'} target {target}", flush=True)
    return figures


def make_reference(folder, rate, block):
    subprocess.run([sys.executable, str(ROOT / "examples/rtmobile_gru/make_model.py"), "--rate", str(rate), "--block", block,
                    "--out", str(folder)], check=True, stdout=subprocess.DEVNULL)
    return next(folder.rglob("model.yaml"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rtmc", required=True)
    parser.add_argument("--rates", default="1,10,19,29,43,80,103,153,245,301")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--block", default="256x256")
    parser.add_argument("--lyra")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    rates = [int(rate) for rate in arguments.rates.split(",")]
    try:
        dense = onnx_session([("GRU", UNITS), ("GRU", UNITS)], INPUTS, STEPS)
    except ImportError as missing:
        print(f"no peer: {missing}", file=sys.stderr)
        dense = None
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        for rate in rates:
            model = make_reference(folder / str(rate), rate, arguments.block)
            if rate == 1:
                peer, reply, agree = in_turns(arguments.rounds, dense, lambda: rtmc_bench(arguments.rtmc, model, "f32"))
                results.append(row("1x f32", "share >= 0.8", peer, reply, agree, 1))
                continue
            for precision, factor in (("bf16", 3), ("f16", 3), ("f32", 2)):
                peer, reply, agree = in_turns(arguments.rounds, dense, lambda: rtmc_bench(arguments.rtmc, model, precision))
                results.append(row(f"{rate}x {precision}", f">= {factor} x rate", peer, reply, agree, rate))
        if 10 in rates:
            model = folder / "10"
            model = next(model.rglob("model.yaml"))
            pairs = [(rtmc_bench(arguments.rtmc, model, "bf16"), rtmc_bench(arguments.rtmc, model, "bf16", threads=2))
                     for _ in range(arguments.rounds)]
            one = min(a["step_us_min"] for a, _ in pairs)
            best = min((b for _, b in pairs), key=lambda b: b["step_us_min"])
            results.append(row("10x bf16, 2 threads against 1", ">= 2.0", one, best, True))
        if arguments.lyra:
            subprocess.run([sys.executable, str(ROOT / "examples/lyra_gru/make_models.py"), arguments.lyra, "--out",
                            str(folder / "lyra")], check=True, stdout=subprocess.DEVNULL)
            for name, target in (("gru_layer", 0.7), ("conv_to_gates", 0.5), ("proj", 0.5)):
                _, reply, agree = in_turns(
                    arguments.rounds, None, lambda: rtmc_bench(arguments.rtmc, folder / "lyra" / name / "model.yaml", "bf16"))
                results.append(row(f"Lyra {name} bf16", f"share >= {target}", None, reply, agree))
        for name, layers, inputs in (("GRU 256", [("GRU", 256)], 256), ("LSTM 128 x 2", [("LSTM", 128)] * 2, 257)):
            model = small_model(folder / name.replace(" ", ""), layers, inputs)
            peer = onnx_session(layers, inputs, 1) if dense else None
            peer, reply, agree = in_turns(arguments.rounds, peer, lambda: rtmc_bench(arguments.rtmc, model, "f32", 1))
            results.append(row(f"{name} dense f32, 1 step a call", ">= 2.5", peer, reply, agree))
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(results, indent=2) + "\n")


def small_model(folder, layers, inputs):
    """Dense random weights; the values do not matter for the time."""
    sys.path.insert(0, str(ROOT / "python"))
    from rtmc_files import save_safetensors
    folder.mkdir(parents=True)
    random = numpy.random.default_rng(1)
    tensors, lines, width = {}, [], inputs
    for k, (op, units) in enumerate(layers):
        gates = 3 if op == "GRU" else 4
        for role, columns in (("ih", width), ("hh", units)):
            tensors[f"l{k}.weight_{role}"] = (random.standard_normal((gates * units, columns)) / numpy.sqrt(columns)).astype(
                numpy.float32)
            tensors[f"l{k}.bias_{role}"] = numpy.zeros(gates * units, numpy.float32)
        reset = ", reset: before" if op == "GRU" else ""
        lines.append(f"  - {{name: l{k}, op: {op.lower()}, size: {units}{reset}}}\n")
        width = units
    save_safetensors(folder / "weights.safetensors", tensors)
    model = folder / "model.yaml"
    model.write_text(f"rtm: 1\nname: small\nweights: weights.safetensors\ninputs: [{{name: x, size: {inputs}}}]\nlayers:\n"
                     + "".join(lines) + f"outputs: [l{len(layers) - 1}]\n")
    return model


if __name__ == "__main__":
    main()
