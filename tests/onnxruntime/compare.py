#!/usr/bin/env python3
"""rtmc against ONNX Runtime on random models.

    compare.py --rtmc PATH [--count 64] [--seed 1] [--jobs 2] [--keep FOLDER]

Case number i has the seed `seed + i`; `--seed S --count 1` repeats one. A failing case leaves its model, arrays and command in
--keep.

How close is close enough. Two right programs differ by rounding, and a recurrent network may magnify that, so no constant will
do. Each case measures its own conditioning: the network runs in double precision, then again with every weight of every product
disturbed at random, relatively by up to
    f32:   2^-22: rounding of sums of a few hundred terms, each sum 2^-24, and of the vectorised gates
    f16:   the same where halves are widened first, which is exact (the weights are halves already); with arithmetic in half
           precision 2^-9, the contract's 4 * 2^-11 of sum |w x| for its chains
    bf16:  2^-8:  two weights share a word and the upper one is read with the lower one's bits behind it, which is off by half a
                  unit of its last place at most (the weights are bf16 already)
The largest change of any output, of several such runs, times SAFETY is the bound. What a wrong index, gate or mask changes is of
the order of the outputs themselves. ONNX Runtime, which gets the same weights, must agree with our double precision at the f32
bound: otherwise the test's own graph is wrong.
"""
import argparse
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import traceback

import numpy

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "python")]
from random_models import random_model, write_model  # noqa: E402
from references import Numpy, run_onnxruntime  # noqa: E402

F32, HALF_ARITHMETIC, BF16 = 2.0**-22, 2.0**-9, 2.0**-8
SAFETY, RUNS = 4.0, 3
FLOOR = 1e-6  # of the largest output: what reading out and the last gate round
TIMEOUT = 240  # of one model; usually 1 to 2 s


def round_half(values):
    return values.astype(numpy.float16).astype(numpy.float32)


def round_bf16(values):
    bits = values.view(numpy.uint32).astype(numpy.uint64)
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return bits.astype(numpy.uint32).view(numpy.float32)


ROUND = {"f32": lambda values: values, "f16": round_half, "bf16": round_bf16}


def cpu_flags():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("flags", "Features")):
            return set(line.split(":")[1].split())
    return set()


def relative_error(precision, cpu):
    if precision == "f16" and cpu == "" and {"avx512_fp16", "asimdhp"} & cpu_flags():
        return HALF_ARITHMETIC
    return BF16 if precision == "bf16" else F32


def runnable_cpus():
    """Names for --cpu that this machine runs, from the flags that the kernel reports; "" is the default."""
    cpus = ["", "", "portable"]
    if os.uname().machine != "x86_64":
        return cpus
    flags = cpu_flags()
    cpus.append("x86-64")
    if {"avx2", "fma", "f16c", "bmi2", "movbe"} <= flags:
        cpus.append("x86-64-v3")
    if {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512cd"} <= flags:
        cpus.append("x86-64-v4")
    return cpus


# A barrier that costs nothing: small models are cut into shares too.
MACHINE = """name: eager
source: test
cores: 8
bandwidth:
  - {bytes: 32768, gbps: 200, gbps4k: 200}
  - {bytes: 67108864, gbps: 20, gbps4k: 20}
fmaGops32: 80
fmaGopsHalf: 160
convertGopsF16: 40
convertGopsBf16: 60
barrierNs: 0.001
gateNs: 1
loadsPerNs: 6
tileNs: 1
scatterNs: 1
"""


def random_options(random, folder, unroll, cpu):
    options = ["--unroll", unroll]
    if cpu:
        options += ["--cpu", cpu]
    threads = int(random.integers(1, 4))
    if threads > 1:
        (folder / "machine.yaml").write_text(MACHINE)
        options += ["--threads", str(threads), "--machine", str(folder / "machine.yaml")]
    else:
        options += ["--chunk", str(random.integers(1, 9))]
    if random.random() < 0.2:
        options += ["--weights", "blob"]
    if random.random() < 0.2:
        options += ["--placement", str(random.choice(["in-place", "arena"]))]
    for flag in ("--no-fold", "--no-permute", "--no-reorder", "--no-share-loads", "--no-compact"):
        if random.random() < 0.08:
            options.append(flag)
    return options


def bound_of(random, model, x, exact, relative):
    def disturb(weights):
        return weights * (1 + relative * random.uniform(-1, 1, size=weights.shape))

    worst = max(numpy.abs(Numpy(model, disturb).run(x) - exact).max() for _ in range(RUNS))
    return SAFETY * worst + FLOOR * max(1.0, numpy.abs(exact).max())


def write_case(folder, seed):
    random = numpy.random.default_rng(seed)
    precision = str(random.choice(["f32", "f32", "f16", "bf16"]))
    unroll = str(random.choice(["none", "tile", "full", "auto", "auto"]))
    # Full unrolling is for small models; large ones take the C++ compiler minutes.
    model = random_model(random, f"case_{seed}", ROUND[precision], 100 if unroll == "full" else 300)
    path = write_model(random, model, folder, precision == "f16")
    x = random.uniform(-2, 2, size=(int(random.integers(1, 11)), sum(s for _, s in model.inputs))).astype(numpy.float32)
    numpy.save(folder / "x.npy", x)
    arguments = ["run", str(path), "-i", str(folder / "x.npy"), "-o", str(folder / "y.npy"), "--precision", precision]
    cpu = str(random.choice(runnable_cpus()))
    return random, model, x, precision, cpu, arguments + random_options(random, folder, unroll, cpu)


def run_case(rtmc, seed, keep):
    """-> (seed, error or "", precision, share of the bound that was used, command)"""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"rtmc-ort-{seed}-"))
    command, precision, used = "", "?", 0.0
    try:
        random, model, x, precision, cpu, arguments = write_case(folder, seed)
        command = " ".join([rtmc, *arguments])
        try:
            done = subprocess.run([rtmc, *arguments], capture_output=True, text=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"rtmc was not done after {TIMEOUT} s") from None
        if done.returncode:
            raise AssertionError(f"rtmc ended with {done.returncode}:\n{done.stderr}")
        y = numpy.load(folder / "y.npy")
        expected = run_onnxruntime(model, x)
        exact = Numpy(model).run(x)
        f32_bound = bound_of(random, model, x, exact, F32)
        own = numpy.abs(expected - exact).max()
        if not own <= f32_bound:
            raise AssertionError(f"ONNX Runtime differs from double precision by {own:.3g}, bound {f32_bound:.3g}: a fault of this test")
        relative = relative_error(precision, cpu)
        bound = f32_bound if relative == F32 else f32_bound + bound_of(random, model, x, exact, relative)
        if y.shape != expected.shape:
            raise AssertionError(f"shape {y.shape}; ONNX Runtime has {expected.shape}")
        difference = numpy.abs(y - expected)
        if not numpy.isfinite(y).all():
            raise AssertionError(f"{numpy.count_nonzero(~numpy.isfinite(y))} outputs are not finite")
        used = float(difference.max() / bound)
        if used > 1:
            step, place = numpy.unravel_index(difference.argmax(), difference.shape)
            raise AssertionError(f"differs by {difference.max():.3g} at step {step}, output {place} (rtmc {y[step, place]:.7g}, "
                                 f"ONNX Runtime {expected[step, place]:.7g}); bound {bound:.3g}; "
                                 f"{numpy.count_nonzero(difference > bound)} of {y.size} outputs are outside")
        error = ""
    except AssertionError as problem:
        error = str(problem)
    except Exception:  # the report names the seed, whatever went wrong
        error = traceback.format_exc()
    if error and keep:
        target = pathlib.Path(keep) / str(seed)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder, target)
        command = command.replace(str(folder), str(target))
        (target / "command.txt").write_text(command + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    return seed, error, precision, used, command


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rtmc", required=True)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", help="folder for the files of failing cases")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}, {arguments.count} models", flush=True)
    failed, shares = 0, {}
    with concurrent.futures.ProcessPoolExecutor(arguments.jobs) as pool:
        cases = [pool.submit(run_case, arguments.rtmc, arguments.seed + i, arguments.keep) for i in range(arguments.count)]
        for case in concurrent.futures.as_completed(cases):
            seed, error, precision, used, command = case.result()
            if not error:
                shares.setdefault(precision, []).append(used)
                continue
            failed += 1
            print(f"FAILED: --seed {seed} --count 1\n  {command}\n  {error}", flush=True)
    for precision, used in sorted(shares.items()):
        print(f"{precision}: {len(used)} models agree, at worst {max(used):.3f} of the bound, median {numpy.median(used):.3f}")
    print(f"{arguments.count - failed} passed, {failed} failed")
    return 1 if failed or not arguments.count else 0


if __name__ == "__main__":
    sys.exit(main())
