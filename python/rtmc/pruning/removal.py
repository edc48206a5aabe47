"""The order in which the groups of a matrix go: what unstructured, row, column, block and csb projections and the budget of
several matrices have in common. docs/projections.md is the definition."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy
from numpy.typing import NDArray

from rtmc.pruning.groups import Mask, blocks_of, column_sums, group_scores, ids_of, present, row_sums
from rtmc.pruning.rates import nearest


@dataclass(frozen=True)
class Removals:
    """A matrix's groups in the order in which they go."""
    key: NDArray[numpy.float64]  # norm^2 per weight, never falling
    freed: NDArray[numpy.int64]  # weights that go with each
    forced: int  # so many of the first go in any case
    mask: Callable[[int], Mask]  # what stays once so many are gone


def removals(squares: NDArray[numpy.float64], scheme: str, block: tuple[int, int] | None) -> Removals:
    """Of unstructured, row, column, block and csb, and of bsp's first step."""
    if scheme == "csb":
        return line_removals(squares, present(block), None)
    scores, sizes, spread = group_scores(squares, scheme, block)
    key = (scores / sizes).ravel()
    order = len(key) - 1 - numpy.argsort(key[::-1], kind="stable")  # ascending; among equals the higher index goes first

    def mask(gone: int) -> Mask:
        kept = numpy.ones(len(key), bool)
        kept[order[:gone]] = False
        return spread(kept.reshape(scores.shape))

    return Removals(key[order], sizes.ravel()[order], 0, mask)


def remove(matrices: Sequence[Removals], kept_weights: int) -> list[Mask]:
    """The weakest group goes first, whichever matrix it is in, until at most `kept_weights` are left; a matrix's last group
    stays. Among equals that of the later matrix goes first."""
    key = numpy.concatenate([m.key[:-1] for m in matrices])
    freed = numpy.concatenate([m.freed[:-1] for m in matrices])
    owner = numpy.repeat(numpy.arange(len(matrices)), [len(m.key) - 1 for m in matrices])
    order = numpy.lexsort((-owner, key))  # stable: a matrix's own order stays
    left = sum(int(m.freed.sum()) for m in matrices) - numpy.concatenate([[0], numpy.cumsum(freed[order])])
    enough = numpy.flatnonzero(left <= kept_weights)
    gone = max(int(enough[0]) if len(enough) else len(key), sum(m.forced for m in matrices))
    counts = numpy.bincount(owner[order[:gone]], minlength=len(matrices))
    return [m.mask(int(count)) for m, count in zip(matrices, counts)]


def line_removals(squares: NDArray[numpy.float64], block: tuple[int, int], share: Fraction | None) -> Removals:
    """csb: every block loses lines (rows or columns of it) on its own; the blocks' sequences are merged. `share`: a block
    keeps at most its weights / share."""
    shape = squares.shape
    grid = (-(-shape[0] // block[0]), -(-shape[1] // block[1]))
    chains = [_Chain(view, ids, share) for view, ids in zip(blocks_of(squares, block), ids_of(grid, shape, block))]
    key = numpy.concatenate([c.key.ravel() for c in chains])
    freed = numpy.concatenate([c.freed.ravel() for c in chains])
    owner = numpy.concatenate([numpy.repeat(c.ids, c.key.shape[1]) for c in chains])
    order = numpy.lexsort((-owner, key))  # a block's own steps stay in order

    def mask(gone: int) -> Mask:
        counts = numpy.bincount(owner[order[:gone]], minlength=grid[0] * grid[1])
        kept = numpy.empty(shape, bool)
        for chain, into in zip(chains, blocks_of(kept, block)):
            into[...] = chain.mask(counts[chain.ids]).reshape(into.shape)
        return kept

    return Removals(key[order], freed[order], int(numpy.isneginf(key).sum()), mask)


class _Chain:
    """For blocks of one size: which line each loses first, second, ... until nothing is left."""

    def __init__(self, view: NDArray, ids: NDArray, share: Fraction | None):
        squares = numpy.ascontiguousarray(view).reshape(-1, *view.shape[2:])
        count, rows, columns = squares.shape
        steps = rows + columns - 1  # the last one takes the last weight
        self.ids = ids.ravel()
        self.key = numpy.empty((count, steps))
        self.freed = numpy.empty((count, steps), numpy.int64)
        self.row_gone = numpy.full((count, rows), steps)
        self.column_gone = numpy.full((count, columns), steps)
        row, column = row_sums(squares), column_sums(squares)
        rows_left, columns_left = numpy.full((count, 1), rows), numpy.full((count, 1), columns)
        block = numpy.arange(count)
        for step in range(steps):
            may_row = (self.row_gone == steps) & ((rows_left > 1) | (columns_left == 1))
            may_column = (self.column_gone == steps) & (columns_left > 1)
            # Columns before rows and higher indices before lower ones, where keys are equal.
            keys = numpy.concatenate((numpy.where(may_column, column / numpy.maximum(rows_left, 1), numpy.inf)[:, ::-1],
                                      numpy.where(may_row, row / numpy.maximum(columns_left, 1), numpy.inf)[:, ::-1]), axis=1)
            pick = keys.argmin(axis=1)
            self.key[:, step] = keys[block, pick]
            is_column = pick < columns
            b, j = block[is_column], columns - 1 - pick[is_column]
            self.column_gone[b, j] = step
            self.freed[b, step] = rows_left[b, 0]
            columns_left[b] -= 1
            row[b] -= squares[b, :, j]
            b, i = block[~is_column], rows + columns - 1 - pick[~is_column]
            self.row_gone[b, i] = step
            self.freed[b, step] = columns_left[b, 0]
            rows_left[b] -= 1
            column[b] -= squares[b, i, :]
        if share is not None:
            most = nearest(rows * columns, share)
            before = rows * columns - numpy.cumsum(self.freed, axis=1) + self.freed
            self.key[before > most] = -numpy.inf
        self.key = numpy.maximum.accumulate(self.key, axis=1)

    def mask(self, gone: NDArray) -> Mask:
        rows, columns = (lines >= gone.ravel()[:, None] for lines in (self.row_gone, self.column_gone))
        return rows[:, :, None] & columns[:, None, :]
