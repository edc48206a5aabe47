"""oneMKL's sparse matrices by the inspector-executor interface: the matrix is shown once, with the hint that it will be multiplied
often, and MKL may rearrange it. BSR takes the fastest of several block sizes and orders within a block; padding is zeros."""
import ctypes
import ctypes.util
import importlib.metadata
import pathlib

import numpy

from .compiled import COLUMN_MAJOR, MKL, ROW_MAJOR, Candidate, CProduct, Products, compile_products, csr, starts_of

OPERATION, BASE_ZERO, KEEP_MEMORY = 10, 0, 81  # NON_TRANSPOSE, SPARSE_INDEX_BASE_ZERO, SPARSE_MEMORY_AGGRESSIVE
CALLS = 1_000_000  # that are announced
BLOCKS = (2, 4, 8, 16)


class _Descr(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("mode", ctypes.c_int), ("diag", ctypes.c_int)]


GENERAL = _Descr(20, 0, 0)


def _library():
    def load(package, stem):
        for file in importlib.metadata.files(package) or []:
            if file.name.startswith(stem):
                return ctypes.CDLL(str(pathlib.Path(file.locate()).resolve()), mode=ctypes.RTLD_GLOBAL)
        return None

    try:
        load("intel-openmp", "libiomp5.so")  # libmkl_rt looks for it by name, not beside itself
        library = load("mkl", "libmkl_rt.so")
    except importlib.metadata.PackageNotFoundError:
        found = ctypes.util.find_library("mkl_rt")
        library = ctypes.CDLL(found, mode=ctypes.RTLD_GLOBAL) if found else None
    if library is None:
        raise ModuleNotFoundError("mkl is not installed", name="mkl")
    return library


def _succeed(status, what):
    if status:
        raise RuntimeError(f"mkl_sparse_{what} ended with status {status}")


def _pointer(array):
    return ctypes.c_void_p(array.ctypes.data)


def _optimized(library, handle, count, order):
    if count == 1:
        _succeed(library.mkl_sparse_set_mv_hint(handle, OPERATION, GENERAL, CALLS), "set_mv_hint")
    else:
        _succeed(library.mkl_sparse_set_mm_hint(handle, OPERATION, GENERAL, order, count, CALLS), "set_mm_hint")
    _succeed(library.mkl_sparse_set_memory_hint(handle, KEEP_MEMORY), "set_memory_hint")
    _succeed(library.mkl_sparse_optimize(handle), "optimize")


def bsr(product, size, order):
    """-> starts, block columns, values [blocks, size, size] of the blocks that have a nonzero; edges are padded with zeros."""
    row, column = product.places
    kept = numpy.zeros([-(-n // size) for n in product.weights.shape], bool)
    kept[row // size, column // size] = True
    block_row, block_column = numpy.nonzero(kept)
    number = numpy.zeros(kept.shape, numpy.int32)
    number[block_row, block_column] = numpy.arange(len(block_row))
    values = numpy.zeros((len(block_row), size, size), numpy.float32)
    inside = (row % size, column % size) if order == ROW_MAJOR else (column % size, row % size)
    values[(number[row // size, column // size], *inside)] = product.weights[row, column]
    return starts_of(block_row, len(kept)), block_column.astype(numpy.int32), values


def _make(library, create, size, order):
    """`create`: mkl_sparse_s_create_csr or ..._bsr; `size`: 1 for CSR."""
    vector, matrix = (ctypes.cast(f, ctypes.c_void_p).value for f in (library.mkl_sparse_s_mv, library.mkl_sparse_s_mm))

    def make(product, count):
        starts, indices, values = bsr(product, size, order) if size > 1 else csr(product)
        rows, columns = (-(-n // size) for n in product.weights.shape)
        handle, block = ctypes.c_void_p(), (order,) if size > 1 else ()
        _succeed(create(ctypes.byref(handle), BASE_ZERO, *block, rows, columns, *((size,) if size > 1 else ()), _pointer(starts),
                        ctypes.c_void_p(starts.ctypes.data + 4), _pointer(indices), _pointer(values)), "create")
        _optimized(library, handle, count, order)
        return CProduct(kind=MKL, rows=rows * size, columns=columns * size, order=order, matrix=handle.value,
                        function=vector if count == 1 else matrix), (starts, indices, values)
    return make


def _candidates(library, blocked):
    both = ((ROW_MAJOR, "rows"), (COLUMN_MAJOR, "columns"))
    if blocked:  # many vectors at once it has for blocks by rows only
        return [Candidate(f", {size}x{size} blocks by {name}", _make(library, library.mkl_sparse_s_create_bsr, size, order), ahead)
                for ahead in (False, True) for size in BLOCKS for order, name in both[:1 if ahead else 2]]
    create = library.mkl_sparse_s_create_csr  # the order is that of several vectors
    return [Candidate("", _make(library, create, 1, ROW_MAJOR)),
            *(Candidate(f", vectors by {name}", _make(library, create, 1, order), True) for order, name in both)]


def _kernels():
    """Which kernels MKL chose for this processor: it goes by the maker, too, and takes its generic ones elsewhere than on Intel's.
    No documented setting changes that, so none is used; the report has to say it."""
    loaded = pathlib.Path("/proc/self/maps").read_text()
    names = {"libmkl_avx10": "AVX10", "libmkl_avx512": "AVX-512", "libmkl_avx2": "AVX2", "libmkl_mc3": "SSE4.2",
             "libmkl_def": "generic, as on processors of other makers"}
    return next((f"kernels: {words}" for stem, words in names.items() if f"/{stem}.so" in loaded), "kernels: unknown")


def open_peer(info, network, x, threads, steps):
    loop, _, _ = compile_products(1)
    library = _library()
    text = ctypes.create_string_buffer(200)
    library.mkl_get_version_string(text, len(text))
    used = library.mkl_get_max_threads()
    peer = Products(network, x, info.dense, steps, loop, _candidates(library, info.name == "mkl-bsr"))
    try:
        peer.version = importlib.metadata.version("mkl")
    except importlib.metadata.PackageNotFoundError:
        peer.version = text.value.decode().split("Version")[-1].split()[0]
    form = "BSR" if info.name == "mkl-bsr" else "CSR"
    peer.settings = f"f32, {used} thread{'s' * (used > 1)}, {form}{peer.words}, inspector-executor, {_kernels()}"
    return peer
