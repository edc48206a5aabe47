"""Dense products by OpenBLAS's sgemv, out of the wheel scipy-openblas32; the faster order of the matrix in memory."""
import ctypes
import pathlib

import numpy
import scipy_openblas32

from .compiled import COLUMN_MAJOR, GEMV, ROW_MAJOR, Candidate, CProduct, Products, compile_products


def _candidate(words, order, function):
    def make(plan):
        arrays = [numpy.ascontiguousarray(p.weights if order == ROW_MAJOR else p.weights.T) for p in plan]
        products = [CProduct(kind=GEMV, rows=len(p.weights), columns=p.weights.shape[1], order=order, values=a.ctypes.data,
                             function=function) for p, a in zip(plan, arrays)]
        return Candidate(words, products, arrays, [len(p.weights) for p in plan])
    return make


def open_peer(info, network, x, threads, steps):
    loop, _, _ = compile_products(1)
    path = next(pathlib.Path(scipy_openblas32.get_lib_dir()).glob("libscipy_openblas*.so*"), None)
    if path is None:
        raise RuntimeError("the wheel scipy-openblas32 has no library inside")
    library = ctypes.CDLL(str(path))
    library.scipy_openblas_set_num_threads(ctypes.c_int(threads))
    library.scipy_openblas_get_corename.restype = ctypes.c_char_p
    core, used = library.scipy_openblas_get_corename().decode(), library.scipy_openblas_get_num_threads()
    function = ctypes.cast(library.scipy_cblas_sgemv, ctypes.c_void_p).value
    peer = Products(network, x, info.dense, steps, loop, [
        _candidate("rows in order", ROW_MAJOR, function), _candidate("columns in order", COLUMN_MAJOR, function)])
    peer.version = scipy_openblas32.__version__
    peer.settings = f"f32, {used} thread{'s' * (used > 1)}, OpenBLAS sgemv for {core}, {peer.words}"
    return peer
