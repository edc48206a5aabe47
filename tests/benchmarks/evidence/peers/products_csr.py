"""The loop over compressed rows that anyone would write, f32 values and 32-bit columns; products.c has it. One thread takes the
faster of a plain sum and one that the compiler may reorder; more threads share the rows by OpenMP."""
from .compiled import CSR, CSR_THREADS, CSR_VECTOR, ROW_MAJOR, Candidate, CProduct, Products, compile_products, csr


def _make(kind):
    def make(product, count):
        starts, indices, values = csr(product)
        rows, columns = product.weights.shape
        return CProduct(kind=kind, rows=rows, columns=columns, order=ROW_MAJOR, starts=starts.ctypes.data, indices=indices.ctypes.data,
                        values=values.ctypes.data), (starts, indices, values)
    return make


def open_peer(info, network, x, threads, steps):
    library, compiler, flags = compile_products(threads)
    kinds = [("rows shared by OpenMP", CSR_THREADS)] if threads > 1 else [("plain sum", CSR), ("sum in any order", CSR_VECTOR)]
    candidates = [Candidate(words, _make(kind), ahead) for words, kind in kinds for ahead in (False, True)]
    peer = Products(network, x, info.dense, steps, library, candidates)
    peer.version = compiler
    peer.settings = f"f32, {threads} thread{'s' * (threads > 1)}, 32-bit columns, {peer.words}, {compiler} {flags}"
    return peer
