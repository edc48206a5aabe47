"""Squares, their sums in the one order that docs/projections.md fixes, the grid of blocks, and the strongest k."""
from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy
from numpy.typing import NDArray

T = TypeVar("T")
Mask = NDArray[numpy.bool_]
Weights = NDArray[numpy.floating]


def squares_of(weights: Weights) -> NDArray[numpy.float64]:
    wide = weights.astype(numpy.float64)
    with numpy.errstate(over="ignore"):
        squares = wide * wide
    if not numpy.isfinite(squares).all():
        at = tuple(int(i) for i in numpy.argwhere(~numpy.isfinite(squares))[0])
        raise ValueError(f"the weight at {list(at)} is {wide[at]}; a number whose square is finite is needed")
    return squares


def blocks_of(matrix: NDArray, block: tuple[int, int] | None) -> list[NDArray]:
    """Views [block rows, block columns, rows, columns] of a C-ordered matrix: full blocks, then those of the right edge, the
    lower edge and the corner, as far as there are any."""
    rows, columns = block or matrix.shape
    views = []
    for first_row, end_row, height in _cuts(matrix.shape[0], rows):
        for first_column, end_column, width in _cuts(matrix.shape[1], columns):
            part = matrix[first_row:end_row, first_column:end_column]
            down, across = part.strides
            views.append(numpy.lib.stride_tricks.as_strided(
                part, ((end_row - first_row) // height, (end_column - first_column) // width, height, width),
                (down * height, across * width, down, across)))
    return views


def ids_of(grid: tuple[int, int], shape: tuple[int, int], block: tuple[int, int]) -> list[NDArray]:
    """Numbers of the blocks of each view of blocks_of, row by row."""
    ids = numpy.arange(grid[0] * grid[1]).reshape(grid)
    whole = [shape[axis] // block[axis] for axis in (0, 1)]
    parts = [ids[r, c] for r in (slice(0, whole[0]), slice(whole[0], None)) for c in (slice(0, whole[1]), slice(whole[1], None))]
    return [part for part in parts if part.size]


def _cuts(extent: int, size: int) -> list[tuple[int, int, int]]:
    """Begin, end and size of the full blocks together, and of the smaller one behind them."""
    whole = extent // size * size
    return [cut for cut in ((0, whole, size), (whole, extent, extent - whole)) if cut[0] < cut[1]]


def column_sums(squares: NDArray) -> NDArray:
    """Over the last axis but one, in ascending order: numpy's own sum adds in pairs, whose bits are not defined."""
    return numpy.add.accumulate(squares, axis=-2)[..., -1, :]


def row_sums(squares: NDArray) -> NDArray:
    return numpy.add.accumulate(squares, axis=-1)[..., -1]


def present(value: T | None) -> T:
    """What the scheme is sure to have: its configuration was checked."""
    assert value is not None
    return value


def strongest(scores: NDArray, count: int) -> Mask:
    """Along the last axis the `count` largest; ties go to the lower index."""
    kept = numpy.zeros(scores.shape, bool)
    numpy.put_along_axis(kept, numpy.argsort(-scores, axis=-1, kind="stable")[..., :count], True, axis=-1)
    return kept


def group_scores(squares: NDArray, scheme: str,
                 block: tuple[int, int] | None) -> tuple[NDArray, NDArray, Callable[[Mask], Mask]]:
    """Scores and sizes of the groups of unstructured, row, column, block and bsp's first step, on their grid; and what makes
    a mask of the matrix from one of the groups."""
    rows, columns = squares.shape
    height, width = {"unstructured": (1, 1), "row": (1, columns), "column": (rows, 1)}.get(scheme) or present(block)
    if scheme == "bsp":  # blocks of one stripe side by side: their width does not matter
        width = 1
    if scheme == "unstructured":
        scores, sizes = squares, numpy.ones(squares.shape, numpy.int64)
    else:
        scores = numpy.empty((-(-rows // height), -(-columns // width)))
        sizes = numpy.empty(scores.shape, numpy.int64)
        for grid, ids in zip(blocks_of(squares, (height, width)), ids_of(scores.shape, squares.shape, (height, width))):
            sums = column_sums(grid)[..., 0] if width == 1 else row_sums(grid.reshape(*grid.shape[:2], -1))
            scores.ravel()[ids] = sums
            sizes.ravel()[ids] = grid.shape[2] * grid.shape[3]
    return scores, sizes, lambda kept: kept.repeat(height, 0).repeat(width, 1)[:rows, :columns]
