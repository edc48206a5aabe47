"""Products with a matrix of few weights that lie anywhere: row by row over the kept ones, by a small library that is compiled from
kept_weights.cpp where a C++ compiler is found, once per process. Without one such a mask is multiplied densely."""
import concurrent.futures
import ctypes
import functools
import logging
import os
import pathlib
import subprocess
import tempfile
from typing import List, Optional, Tuple

import torch
from torch import Tensor

from ..build import CompileError, find_compiler

log = logging.getLogger("rtmc")

SOURCE = pathlib.Path(__file__).with_name("kept_weights.cpp")
_NAMES = {torch.bfloat16: "bfloat16", torch.float32: "float32", torch.float64: "float64"}


@functools.lru_cache(maxsize=None)
def library() -> Optional[ctypes.CDLL]:
    """None where it cannot be made, which is logged."""
    error = ""
    with tempfile.TemporaryDirectory(prefix="rtmc-nn-") as folder:
        made = os.path.join(folder, "kept_weights.so")
        try:
            compiler = find_compiler(None)
        except CompileError as problem:
            log.warning("masks without structure are multiplied densely: %s", problem)
            return None
        for flags in (["-march=native"], []):
            command = [*compiler, "-std=c++20", "-O3", *flags, "-fPIC", "-shared", "-w", str(SOURCE), "-o", made]
            try:
                subprocess.run(command, check=True, capture_output=True, text=True)
                return ctypes.CDLL(made)
            except (subprocess.CalledProcessError, OSError) as problem:
                error = getattr(problem, "stderr", None) or str(problem)
    log.warning("masks without structure are multiplied densely: %s failed: %s", compiler[0], (error.strip().splitlines() or ["nothing was said"])[-1])
    return None


class _Rows:
    """Kept weights by rows: where each row's begin, and the column of each."""

    def __init__(self, mask: Tensor):
        kept = mask.nonzero()
        counts = mask.sum(1)
        self.rows = len(mask)
        self.begin = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        self.column = kept[:, 1].to(torch.int32).contiguous()

    def parts(self, count: int) -> List[Tuple[int, int]]:
        """Ranges of rows with about as many weights each, one per thread."""
        if count == 1:
            return [(0, self.rows)]
        wanted = torch.arange(1, count) * (int(self.begin[-1]) / count)
        cuts = [0, *torch.searchsorted(self.begin.double(), wanted.double()).tolist(), self.rows]
        return [(a, b) for a, b in zip(cuts, cuts[1:]) if a < b]


class KeptWeights:
    """The product with a matrix under `mask` [rows, columns], weight by weight. Sums are float32 (float64 for such weights), and so are
    the weights in them, whatever the precision of what they are multiplied with."""

    def __init__(self, mask: Tensor):
        self.shape, self.share = tuple(mask.shape), float(mask.double().mean())
        self._forward, self._backward = _Rows(mask), _Rows(mask.t())
        self._places = mask.flatten().nonzero().squeeze(1)
        numbered = torch.empty(mask.numel(), dtype=torch.int64)
        numbered[self._places] = torch.arange(len(self._places))
        self._turned = numbered.view(self.shape).t()[mask.t()]

    def pack(self, weight: Tensor, dtype: torch.dtype) -> Tensor:
        """The weights by rows, then by columns."""
        sums = torch.float64 if dtype == torch.float64 else torch.float32
        values = weight.reshape(-1).index_select(0, self._places).to(sums)
        return torch.cat([values, values.index_select(0, self._turned)])

    def times(self, packed: Tensor, x: Tensor, out: Tensor) -> None:
        _times(self._forward, packed[:len(self._places)], x, out, add=False)

    def add_transposed(self, packed: Tensor, y: Tensor, out: Tensor) -> None:
        _times(self._backward, packed[len(self._places):], y, out, add=True)

    def outer(self, y: Tensor, x: Tensor) -> Tensor:
        y, x = _known(y), _known(x)
        gradient = torch.empty(len(self._places), dtype=torch.float64 if y.dtype == torch.float64 else torch.float32)
        _call("outer_" + _NAMES[y.dtype], self._forward, (y, x, gradient), (y.shape[1],))
        return gradient.new_zeros(y.shape[0] * x.shape[0]).scatter_(0, self._places, gradient).view(self.shape)


def _known(x: Tensor) -> Tensor:
    """In a precision that the library has."""
    return (x if x.dtype in _NAMES else x.float()).contiguous()


def _times(rows: _Rows, values: Tensor, x: Tensor, out: Tensor, add: bool) -> None:
    x, place = _known(x), out.contiguous()
    if (x.dtype, out.dtype) not in _PAIRS:
        place = out.to(x.dtype)
    _call(f"times_{_NAMES[x.dtype]}_{_NAMES[place.dtype]}", rows, (values, x, place), (x.shape[1], int(add)))
    if place is not out:
        out.copy_(place)


_PAIRS = {(torch.bfloat16, torch.bfloat16), (torch.bfloat16, torch.float32), (torch.float32, torch.float32), (torch.float64, torch.float64)}


@functools.lru_cache(maxsize=None)
def _threads(count: int) -> concurrent.futures.ThreadPoolExecutor:
    return concurrent.futures.ThreadPoolExecutor(count)


def _call(name: str, rows: _Rows, tensors: Tuple[Tensor, ...], numbers: Tuple[int, ...]) -> None:
    loaded = library()
    assert loaded is not None
    function = getattr(loaded, name)
    pointers = [ctypes.c_void_p(t.data_ptr()) for t in (rows.begin, rows.column, *tensors)]

    def part(rows: Tuple[int, int]) -> None:  # without the interpreter's lock
        function(*pointers, *map(ctypes.c_int64, (*rows, *numbers)))
    parts = rows.parts(torch.get_num_threads())
    if len(parts) == 1:
        part(parts[0])
    else:
        list(_threads(len(parts)).map(part, parts))
