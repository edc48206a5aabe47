"""The competitors: what each is, which wheels it needs, which networks it takes. Imports nothing, so that any Python can read the
list; worker.py runs one of them in a process of its own.

oneDNN has no row of its own: no wheel offers its RNN primitive directly, and OpenVINO and PyTorch call it already.
"""
import typing


class PeerInfo(typing.NamedTuple):
    name: str
    library: str  # "" where nothing is installed
    wheels: tuple  # everything that pip has to install for it, the library first
    module: str  # of this package
    dense: bool  # reads zeros like any other weight
    precision: str
    products_only: bool  # runs the matrix-vector products of a step, not the gates
    reset: tuple  # forms of the GRU that it runs
    what: str


def _info(name, library, wheels, module, precision, what, dense=True, products_only=False, reset=("before", "after")):
    return PeerInfo(name, library, wheels, module, dense, precision, products_only, reset, what)


PEERS = {info.name: info for info in (
    _info("onnxruntime-f32", "onnxruntime", ("onnxruntime", "onnx"), "dense_onnxruntime", "f32",
          "ONNX Runtime's GRU and LSTM operators on the CPU"),
)}
