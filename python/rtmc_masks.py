"""Masks of each scheme of model.yaml for one gate matrix [rows, columns]: True is kept. Norms choose what is kept."""
import numpy


def _blocks(extent, size):
    return [(begin, min(begin + size, extent)) for begin in range(0, extent, size)]


def _largest(norms, count):
    """Indices of the `count` largest, earlier ones first among equals."""
    return numpy.argsort(-norms, kind="stable")[:count]


def _nearest(value):
    return int(numpy.floor(value + 0.5))


def bsp_columns(weights, column_rate, block):
    """In each block max(1, width / column_rate) columns, rounded to the nearest, by norm."""
    rows, columns = weights.shape
    squares = weights.astype(numpy.float64) ** 2
    mask = numpy.zeros(weights.shape, bool)
    for r0, r1 in _blocks(rows, block[0]):
        for c0, c1 in _blocks(columns, block[1]):
            kept = max(1, _nearest((c1 - c0) / column_rate))
            mask[r0:r1, c0 + _largest(squares[r0:r1, c0:c1].sum(axis=0), kept)] = True
    return mask


def bsp(weights, column_rate, fraction, block):
    """BSP in RTMobile's two steps: columns inside blocks, then as many whole rows, by the norm of what the first step left,
    as bring the matrix nearest to `fraction` of its weights (one row at least)."""
    mask = bsp_columns(weights, column_rate, block)
    squares = (weights.astype(numpy.float64) * mask) ** 2
    order = _largest(squares.sum(axis=1), len(mask))
    kept = numpy.cumsum(mask.sum(axis=1)[order])
    count = int(numpy.argmin(numpy.abs(kept - fraction * weights.size))) + 1
    mask[order[count:]] = False
    return mask


def random_mask(random, shape, scheme, fraction, block):
    """A random mask of `scheme` that keeps about `fraction`. It may well be empty: so may be real ones."""
    rows, columns = shape
    mask = numpy.zeros(shape, bool)
    side = numpy.sqrt(fraction)  # of rows and of columns, where both are pruned
    if scheme == "dense":
        mask[:] = True
    elif scheme == "unstructured":
        mask = random.random(shape) < fraction
    elif scheme == "row":
        mask[random.random(rows) < fraction] = True
    elif scheme == "column":
        mask[:, random.random(columns) < fraction] = True
    elif scheme == "block":
        for r0, r1 in _blocks(rows, block[0]):
            for c0, c1 in _blocks(columns, block[1]):
                mask[r0:r1, c0:c1] = random.random() < fraction
    elif scheme == "bsp":
        live = random.random(rows) < side
        for r0, r1 in _blocks(rows, block[0]):
            for c0, c1 in _blocks(columns, block[1]):
                mask[r0:r1, c0:c1] = live[r0:r1, None] & (random.random(c1 - c0) < side)[None, :]
    elif scheme in ("bcr", "csb"):
        for r0, r1 in _blocks(rows, block[0]):
            for c0, c1 in _blocks(columns, block[1]):
                mask[r0:r1, c0:c1] = (random.random(r1 - r0) < side)[:, None] & (random.random(c1 - c0) < side)[None, :]
    else:
        raise ValueError(f"unknown scheme '{scheme}'")
    return mask
