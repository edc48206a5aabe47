"""products.c as a loaded library, the candidates of a peer that runs products, and their timing."""
import ctypes
import dataclasses
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile
import time
import typing

import numpy

from .network import CHUNKS
from .products import plan, result_rows, vectors
from .stream import LEAST_CALLS, WARM_SHARE

HERE = pathlib.Path(__file__).resolve().parent
CSR, CSR_VECTOR, CSR_THREADS, MKL, GEMV = range(5)  # as in products.c
ROW_MAJOR, COLUMN_MAJOR = 101, 102
SAMPLE_NS = 20_000  # a sample of several calls lasts this long at least: then reading the clock is nothing
CHOOSE_SECONDS = 0.05  # per candidate
HOPELESS = 1.5  # times as slow as the best so far at first sight


class CProduct(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int32), ("rows", ctypes.c_int32), ("columns", ctypes.c_int32), ("order", ctypes.c_int32),
                ("count", ctypes.c_int32), ("group", ctypes.c_int32), ("repeat", ctypes.c_int32),
                ("starts", ctypes.c_void_p), ("indices", ctypes.c_void_p), ("values", ctypes.c_void_p), ("matrix", ctypes.c_void_p),
                ("function", ctypes.c_void_p), ("x", ctypes.c_void_p), ("y", ctypes.c_void_p), ("stride", ctypes.c_int64)]


def compile_products(threads):
    """-> (library, compiler and flags in words). $CC, or the first of the usual compilers that has what is needed."""
    flags = ["-O3", "-march=native", "-fopenmp" if threads > 1 else "-fopenmp-simd"]
    named = shlex.split(os.environ.get("CC", ""))
    tried = []
    for compiler in [named] if named else [[c] for c in ("clang-19", "gcc", "clang", "cc") if shutil.which(c)]:
        with tempfile.TemporaryDirectory(prefix="rtmc-peer-") as folder:
            target = pathlib.Path(folder) / "products.so"
            command = [*compiler, *flags, "-std=c11", "-D_GNU_SOURCE", "-fPIC", "-shared", "-w", str(HERE / "products.c"), "-o",
                       str(target)]
            try:
                done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
                if done.returncode:
                    tried.append(f"{compiler[0]}: {(done.stderr.strip() or 'failed').splitlines()[0]}")
                    continue
                library = ctypes.CDLL(str(target))  # stays loaded when its file is gone
            except OSError as problem:
                tried.append(f"{compiler[0]}: {problem}")
                continue
        words = subprocess.run([*compiler, "-dumpversion"], capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout.strip()
        library.run_calls.restype = ctypes.c_double
        library.run_calls.argtypes = [ctypes.c_void_p] + [ctypes.c_int64] * 4
        return library, f"{pathlib.Path(compiler[-1]).name} {words}", " ".join(flags)
    raise RuntimeError("no C compiler made the timing loop: " + ("; ".join(tried) or "none of clang-19, gcc, clang, cc is there"))


def starts_of(rows, count):
    """Where each of `count` rows begins among entries whose rows are `rows`, in order."""
    starts = numpy.zeros(count + 1, numpy.int32)
    numpy.cumsum(numpy.bincount(rows, minlength=count), out=starts[1:])
    return starts


def csr(product):
    """-> starts [rows + 1], indices, values of the nonzeros."""
    rows, columns = product.places
    return starts_of(rows, len(product.weights)), columns.astype(numpy.int32), product.weights[rows, columns]


def aligned(*shape):
    """Zeros that begin at a cache line."""
    raw = numpy.zeros(int(numpy.prod(shape)) + 16, numpy.float32)
    skip = (-raw.ctypes.data // 4) % 16
    return raw[skip:skip + int(numpy.prod(shape))].reshape(shape)


@dataclasses.dataclass
class Candidate:
    words: str  # what distinguishes it from the others
    make: typing.Callable  # (Product, vectors at once) -> CProduct, and what it points into
    ahead: bool = False  # inputs of all steps of a call at once


class Products:
    """Takes the fastest of the candidates; one that works ahead is left out where a call is one step."""

    products_only = True

    def __init__(self, network, x, dense, steps, library, candidates):
        self.library, self.steps, self.fixed = library, steps, vectors(network, x)
        self.result = numpy.zeros(result_rows(network), numpy.float32)
        plans, best = {}, None
        for candidate in candidates:
            if candidate.ahead and steps == 1:
                continue
            if candidate.ahead not in plans:
                plans[candidate.ahead] = plan(network, dense, candidate.ahead)
            # Without work ahead every step is alike, and one of them tells enough.
            self._wire(candidate, plans[candidate.ahead], steps if candidate.ahead else 1)
            if not numpy.isfinite(self.check(x)).all():
                continue  # MKL has no product of many vectors for some forms: it answers with a status, and does nothing
            if best and min(self._run(1, k) for k in range(3)) > HOPELESS * best[0] * self.per_call:
                continue
            fastest = min(self._samples(CHOOSE_SECONDS, 2)[0])
            if best is None or fastest < best[0]:
                best = fastest, candidate, self.array, self.wires, self.keep
        if best is None:
            raise RuntimeError("none of its forms computes anything here")
        _, chosen, self.array, self.wires, self.keep = best
        self.words = chosen.words + (f", inputs of {steps} steps at once" if chosen.ahead else "")
        self.per_call = steps
        if not chosen.ahead:
            for one in self.array:
                one.repeat = steps

    def _wire(self, candidate, products, per_call):
        random, self.wires, self.keep, made, self.per_call = numpy.random.default_rng(6), [], [], [], per_call
        for product in products:
            count = self.steps if product.ahead else 1
            one, keep = candidate.make(product, count)
            vector = numpy.concatenate([self.fixed[name] for name in product.sources])
            shape = (one.columns, count) if one.order == ROW_MAJOR else (count, one.columns)
            chunks = aligned(CHUNKS, -(-one.columns * count // 16) * 16)
            for k, chunk in enumerate(chunks):
                argument = chunk[:one.columns * count].reshape(shape)
                argument = argument if one.order == ROW_MAJOR else argument.T
                # `check` runs the first chunk, with the same vector in every column.
                argument[:len(vector)] = random.uniform(-1, 1, (len(vector), count)) if k else vector[:, None]
            y = aligned(one.rows * count)
            one.x, one.y, one.stride, one.count = chunks.ctypes.data, y.ctypes.data, chunks.shape[1], count
            one.group, one.repeat = product.group, 1 if product.ahead else per_call
            self.wires.append((product.rows, y.reshape(one.rows, count) if one.order == ROW_MAJOR else y.reshape(count, one.rows).T))
            self.keep.append((keep, chunks))
            made.append(one)
        self.array = (CProduct * len(made))(*made)

    def _run(self, calls, first):
        return self.library.run_calls(ctypes.byref(self.array), len(self.array), calls, first, CHUNKS)

    def _samples(self, seconds, least):
        """-> (nanoseconds per step of each sample, calls)."""
        self._run(1, 0)
        calls = max(1, round(SAMPLE_NS / max(1.0, self._run(1, 1)) + 0.5))
        times, end = [], time.perf_counter() + seconds
        while time.perf_counter() < end or len(times) * calls < least or not times:
            times.append(self._run(calls, len(times) * calls) / (calls * self.per_call))
        return times, len(times) * calls

    def check(self, x):
        for _, y in self.wires:
            y[:] = numpy.nan
        single = (CProduct * len(self.array))(*self.array)
        for one in single:
            one.repeat = 1
        self.library.run_calls(ctypes.byref(single), len(single), 1, 0, CHUNKS)
        self.result[:] = 0
        for rows, y in self.wires:
            # Every column has the same numbers: each row is taken out of another one.
            self.result[rows] += y[numpy.arange(len(rows)), numpy.arange(len(rows)) % y.shape[1]]
        return self.result[None]

    def measure(self, seconds):
        self._samples(WARM_SHARE * seconds, 1)
        times, calls = self._samples(seconds, LEAST_CALLS)
        return {"step_us_min": min(times) / 1000, "step_us_median": float(numpy.median(times)) / 1000, "calls": calls}
