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
from .products import plan, vectors
from .stream import LEAST_CALLS, WARM_SHARE

HERE = pathlib.Path(__file__).resolve().parent
CSR, CSR_VECTOR, CSR_THREADS, MKL, GEMV = range(5)  # as in products.c
ROW_MAJOR, COLUMN_MAJOR = 101, 102
SAMPLE_NS = 20_000  # a sample of several calls lasts this long at least: then reading the clock is nothing
CHOOSE_SECONDS = 0.05  # per candidate


class CProduct(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int32), ("rows", ctypes.c_int32), ("columns", ctypes.c_int32), ("order", ctypes.c_int32),
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
            command = [*compiler, *flags, "-std=c11", "-D_GNU_SOURCE", "-fPIC", "-shared", "-w", str(HERE / "products.c"), "-o", str(target)]
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
        library.run_steps.restype = ctypes.c_double
        library.run_steps.argtypes = [ctypes.c_void_p] + [ctypes.c_int64] * 4
        return library, f"{pathlib.Path(compiler[0]).name} {words}", " ".join(flags)
    raise RuntimeError("no C compiler made the timing loop: " + ("; ".join(tried) or "none of clang-19, gcc, clang, cc is there"))


def csr(weights):
    """-> starts [rows + 1], indices, values of the nonzeros."""
    rows, columns = numpy.nonzero(weights)
    starts = numpy.zeros(len(weights) + 1, numpy.int32)
    numpy.cumsum(numpy.bincount(rows, minlength=len(weights)), out=starts[1:])
    return starts, columns.astype(numpy.int32), numpy.ascontiguousarray(weights[rows, columns])


def aligned(*shape):
    """Zeros that begin at a cache line."""
    raw = numpy.zeros(int(numpy.prod(shape)) + 16, numpy.float32)
    skip = (-raw.ctypes.data // 4) % 16
    return raw[skip:skip + int(numpy.prod(shape))].reshape(shape)


@dataclasses.dataclass
class Candidate:
    words: str  # what distinguishes it from the others
    products: list  # of CProduct, without x and y
    keep: typing.Any  # what they point into
    rows: list  # of each product: without padding


class Products:
    products_only = True

    def __init__(self, network, x, dense, steps, library, candidates):
        """Takes the fastest candidate: `candidates` are functions, plan -> Candidate."""
        self.library, self.steps = library, steps
        fixed, random = vectors(network, x, dense), numpy.random.default_rng(6)
        made = plan(network, dense)
        self.best = None
        for make in candidates:
            candidate = make(made)
            self._wire(candidate, fixed, random)
            self._samples(CHOOSE_SECONDS / 5, 1)
            fastest = min(self._samples(CHOOSE_SECONDS, 1)[0])
            if self.best is None or fastest < self.best[0]:
                self.best = (fastest, candidate, self.array, self.outputs, self.vectors)
        _, candidate, self.array, self.outputs, self.vectors = self.best
        self.rows, self.words, self.keep = candidate.rows, candidate.words, candidate.keep

    def _wire(self, candidate, fixed, random):
        self.vectors, self.outputs = [], []
        for product, vector in zip(candidate.products, fixed):
            chunks = aligned(CHUNKS, -(-product.columns // 16) * 16)
            chunks[:, :len(vector)] = random.uniform(-1, 1, (CHUNKS, len(vector)))
            chunks[0, :len(vector)] = vector
            self.vectors.append(chunks)
            self.outputs.append(aligned(product.rows))
            product.x, product.stride = chunks.ctypes.data, chunks.shape[1]
            product.y = self.outputs[-1].ctypes.data
        self.array = (CProduct * len(candidate.products))(*candidate.products)

    def _run(self, steps, first):
        return self.library.run_steps(ctypes.byref(self.array), len(self.array), steps, first, CHUNKS)

    def _samples(self, seconds, steps):
        """-> (nanoseconds per step of each sample, calls); a call is `steps` steps."""
        self._run(steps, 0)
        calls = max(1, round(SAMPLE_NS / max(1.0, self._run(steps, 0)) + 0.5))
        times, end = [], time.perf_counter() + seconds
        while not times or time.perf_counter() < end or len(times) * calls < LEAST_CALLS:
            times.append(self._run(calls * steps, len(times)) / (calls * steps))
        return times, len(times) * calls

    def check(self, x):
        for output in self.outputs:
            output[:] = numpy.nan
        self._run(1, 0)
        return numpy.concatenate([output[:rows] for output, rows in zip(self.outputs, self.rows)])[None]

    def measure(self, seconds):
        self._samples(WARM_SHARE * seconds, self.steps)
        times, calls = self._samples(seconds, self.steps)
        return {"step_us_min": min(times) / 1000, "step_us_median": float(numpy.median(times)) / 1000, "calls": calls}
