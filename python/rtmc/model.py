"""compile: model.yaml -> a shared library -> an object that takes and gives numpy arrays. ctypes over the C interface (rtm/rtm.h)."""
import ctypes
import os
import threading
from typing import Any, Optional, Sequence, Union

import numpy

from .build import CompileError, build_library

__all__ = ["CompileError", "Model", "compile"]
_NOT_CAUSAL = 6


class _Options(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("threads", ctypes.c_uint32), ("max_steps", ctypes.c_uint32), ("spin_us", ctypes.c_uint32),
                ("weights", ctypes.c_void_p)]


class _Info(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("abi", ctypes.c_uint32), ("name", ctypes.c_char_p), ("precision", ctypes.c_char_p),
                ("cpu", ctypes.c_char_p), ("inputs", ctypes.c_uint32), ("outputs", ctypes.c_uint32), ("threads", ctypes.c_uint32),
                ("causal", ctypes.c_uint32), ("weights_hash", ctypes.c_uint64), ("shape_hash", ctypes.c_uint64),
                ("weight_bytes", ctypes.c_uint64), ("state_bytes", ctypes.c_uint64), ("weight_data", ctypes.c_void_p)]


_pointer, _status = ctypes.c_void_p, ctypes.c_int


class _Functions(ctypes.Structure):
    """The table that build.py's shim exports, in its order."""
    _fields_ = [("model", ctypes.CFUNCTYPE(_pointer)),
                ("describe", ctypes.CFUNCTYPE(_status, _pointer, ctypes.POINTER(_Info))),
                ("create", ctypes.CFUNCTYPE(_status, _pointer, ctypes.POINTER(_Options), ctypes.POINTER(_pointer))),
                ("destroy", ctypes.CFUNCTYPE(None, _pointer)),
                ("step", ctypes.CFUNCTYPE(_status, _pointer, _pointer, _pointer)),
                ("run", ctypes.CFUNCTYPE(_status, _pointer, _pointer, ctypes.c_size_t, _pointer)),
                ("reset", ctypes.CFUNCTYPE(_status, _pointer)),
                ("state_save", ctypes.CFUNCTYPE(_status, _pointer, _pointer, ctypes.c_size_t)),
                ("state_load", ctypes.CFUNCTYPE(_status, _pointer, _pointer, ctypes.c_size_t)),
                ("status_string", ctypes.CFUNCTYPE(ctypes.c_char_p, _status))]


def compile(model: Union[str, "os.PathLike[str]"], *, precision: str = "f32", threads: int = 1, rtmc: Optional[str] = None,
            cxx: Optional[str] = None, cache: Optional[str] = None, options: Sequence[str] = ()) -> "Model":
    """`model`: a folder that `export` wrote, or a model.yaml.

    precision  how weights are stored: f32, f16, bf16.
    threads    at most so many.
    rtmc, cxx  the compilers; otherwise $RTMC, PATH or the checkout's build folder, and $CXX, clang++-19 or g++.
    cache      where libraries are kept; otherwise $RTMC_CACHE or ~/.cache/rtmc. The same model is built once.
    options    more options of the command `rtmc`, such as ["--cpu", "x86-64-v3"].
    """
    return Model(build_library(os.fspath(model), ["--precision", precision, "--threads", str(threads), *options], rtmc, cxx, cache))


class Model:
    """A compiled model and one stream of it. `model(x)` is `model.run(x)`; the state goes on from call to call until reset().

    `inputs`, `outputs`: values per step; `name`, `precision`, `cpu`, `threads`, `weight_bytes`; `causal`: False where a layer reads
    the future, then only run() works, on whole sequences, and there is no state.
    """

    def __init__(self, path: str):
        self.path = path
        self._session = _pointer()
        self._lock = threading.Lock()  # a session is used by one caller at a time, and ctypes lets others run
        try:
            self._library = ctypes.CDLL(path)
            self._call = _Functions.in_dll(self._library, "rtmc_python")
        except (OSError, ValueError) as error:
            raise CompileError(f"{path} cannot be loaded: {error}") from None
        self._model = self._call.model()
        info = _Info(size=ctypes.sizeof(_Info))
        self._check(self._call.describe(self._model, ctypes.byref(info)))
        self.name, self.precision, self.cpu = (text.decode() for text in (info.name, info.precision, info.cpu))
        self.inputs, self.outputs, self.threads = info.inputs, info.outputs, info.threads
        self.causal, self.weight_bytes, self._state_bytes = bool(info.causal), info.weight_bytes, info.state_bytes
        self._max_steps = 0
        self._open(0 if self.causal else 64)

    def __repr__(self) -> str:
        return f"<rtmc model {self.name}: {self.inputs} -> {self.outputs}, {self.precision}, {self.threads} thread(s), {self.cpu}>"

    def __call__(self, x: Any) -> numpy.ndarray:
        return self.run(x)

    def step(self, x: Any) -> numpy.ndarray:
        """[inputs] -> [outputs], float32: one time step."""
        x = self._input(x, (self.inputs,))
        out = numpy.empty(self.outputs, numpy.float32)
        with self._lock:
            self._check(self._call.step(self._live(), x.ctypes.data, out.ctypes.data))
        return out

    def run(self, x: Any) -> numpy.ndarray:
        """[steps, inputs] -> [steps, outputs], float32. The same bits as so many calls of step()."""
        x = self._input(x, (None, self.inputs))
        out = numpy.empty((len(x), self.outputs), numpy.float32)
        with self._lock:
            if self._live() and not self.causal and len(x) > self._max_steps:
                self._open(1 << (len(x) - 1).bit_length())
            if len(x):
                self._check(self._call.run(self._live(), x.ctypes.data, len(x), out.ctypes.data))
        return out

    def reset(self) -> None:
        """Back to the zero state."""
        with self._lock:
            self._check(self._call.reset(self._live()))

    @property
    def state(self) -> bytes:
        """What the stream remembers. Assigning it goes back there, in any object of the same model."""
        if not self.causal:
            raise RuntimeError(self._words(_NOT_CAUSAL))
        buffer = ctypes.create_string_buffer(self._state_bytes)
        with self._lock:
            self._check(self._call.state_save(self._live(), buffer, len(buffer)))
        return buffer.raw

    @state.setter
    def state(self, value: bytes) -> None:
        buffer = bytes(value)
        with self._lock:
            self._check(self._call.state_load(self._live(), ctypes.c_char_p(buffer), len(buffer)))

    def stream(self) -> "Model":
        """Another stream of the same model, in the zero state."""
        return Model(self.path)

    def close(self) -> None:
        with self._lock:
            self._close()

    def __enter__(self) -> "Model":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_call"):
            self._close()

    def _open(self, max_steps: int) -> None:
        options = _Options(size=ctypes.sizeof(_Options), max_steps=max_steps)
        session = _pointer()
        self._check(self._call.create(self._model, ctypes.byref(options), ctypes.byref(session)))
        self._close()
        self._session, self._max_steps = session, max_steps

    def _close(self) -> None:
        if self._session:
            self._call.destroy(self._session)
            self._session = _pointer()

    def _live(self) -> ctypes.c_void_p:
        if not self._session:
            raise RuntimeError("the model was closed")
        return self._session

    def _input(self, x: Any, shape: tuple) -> numpy.ndarray:
        x = numpy.asarray(x)
        if x.dtype.kind not in "fiub":
            raise TypeError(f"the input's dtype is {x.dtype}; numbers are needed")
        if x.ndim != len(shape) or x.shape[-1] != shape[-1]:
            needed = f"[{self.inputs}]" if len(shape) == 1 else f"[steps, {self.inputs}]"
            raise ValueError(f"the input has the shape {list(x.shape)}; {needed} is needed")
        return numpy.ascontiguousarray(x, numpy.float32)

    def _words(self, status: int) -> str:
        return f"{getattr(self, 'name', 'the model')}: {self._call.status_string(status).decode()}"

    def _check(self, status: int) -> None:
        if status:
            raise RuntimeError(self._words(status))
