"""The loop over compressed rows that anyone would write, f32 values and 32-bit columns; products.c has it. One thread takes the
faster of a plain sum and one that the compiler may reorder; more threads share the rows by OpenMP."""
from .compiled import CSR, CSR_THREADS, CSR_VECTOR, Candidate, CProduct, Products, compile_products, csr


def _candidate(words, kind):
    def make(plan):
        arrays = [csr(product.weights) for product in plan]
        products = [CProduct(kind=kind, rows=len(p.weights), columns=p.weights.shape[1], starts=s.ctypes.data, indices=i.ctypes.data,
                             values=v.ctypes.data) for p, (s, i, v) in zip(plan, arrays)]
        return Candidate(words, products, arrays, [len(p.weights) for p in plan])
    return make


def open_peer(info, network, x, threads, steps):
    library, compiler, flags = compile_products(threads)
    kinds = [("rows shared by OpenMP", CSR_THREADS)] if threads > 1 else [("plain sum", CSR), ("sum in any order", CSR_VECTOR)]
    peer = Products(network, x, info.dense, steps, library, [_candidate(*kind) for kind in kinds])
    peer.version = compiler
    peer.settings = f"f32, {threads} thread{'s' * (threads > 1)}, 32-bit columns, {peer.words}, {compiler} {flags}"
    return peer
