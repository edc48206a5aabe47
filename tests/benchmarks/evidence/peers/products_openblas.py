"""Dense products by OpenBLAS's sgemv and sgemm, out of the wheel scipy-openblas32; the faster order of the matrix in memory."""
import ctypes
import pathlib

import numpy
import scipy_openblas32

from .compiled import COLUMN_MAJOR, GEMV, ROW_MAJOR, Candidate, CProduct, Products, compile_products


def _make(library, order):
    vector, matrix = (ctypes.cast(f, ctypes.c_void_p).value for f in (library.scipy_cblas_sgemv, library.scipy_cblas_sgemm))

    def make(product, count):
        rows, columns = product.weights.shape
        array = numpy.ascontiguousarray(product.weights if order == ROW_MAJOR else product.weights.T)
        return CProduct(kind=GEMV, rows=rows, columns=columns, order=order, values=array.ctypes.data,
                        function=vector if count == 1 else matrix), array
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
    candidates = [Candidate(words, _make(library, order), ahead) for words, order in
                  (("rows in order", ROW_MAJOR), ("columns in order", COLUMN_MAJOR)) for ahead in (False, True)]
    peer = Products(network, x, info.dense, steps, loop, candidates)
    peer.version = scipy_openblas32.__version__
    peer.settings = f"f32, {used} thread{'s' * (used > 1)}, OpenBLAS for {core}, {peer.words}"
    return peer
