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
    _info("openvino-f32", "openvino", ("openvino",), "dense_openvino", "f32", "OpenVINO's sequence operators on the CPU"),
    _info("openvino-bf16", "openvino", ("openvino",), "dense_openvino", "bf16", "the same with the bf16 precision hint"),
    _info("pytorch-f32", "torch", ("torch",), "dense_pytorch", "f32", "PyTorch's nn.GRU and nn.LSTM", reset=("after",)),
    _info("pytorch-bf16", "torch", ("torch",), "dense_pytorch", "bf16", "the same in bfloat16", reset=("after",)),
    _info("pytorch-int8", "torch", ("torch",), "dense_pytorch", "int8", "the same with dynamic quantisation", reset=("after",)),
    _info("mkl-csr", "mkl", ("mkl",), "products_mkl", "f32", "oneMKL's sparse product, compressed rows", dense=False, products_only=True),
    _info("mkl-bsr", "mkl", ("mkl",), "products_mkl", "f32", "oneMKL's sparse product, square blocks", dense=False, products_only=True),
    _info("csr", "", (), "products_csr", "f32", "a plain loop over compressed rows in C", dense=False, products_only=True),
    _info("openblas", "scipy-openblas32", ("scipy-openblas32",), "products_openblas", "f32", "OpenBLAS's dense matrix-vector product",
          products_only=True),
)}
