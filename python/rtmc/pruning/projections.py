"""Projections of weight matrices onto sparse structures, in numpy. docs/projections.md is their definition, compiler/pruning
the same in C++: both give the same masks bit for bit. A matrix here is one gate's, [rows, columns]; True is kept."""
from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy
from numpy.typing import NDArray

from rtmc.pruning.groups import Mask, Weights, blocks_of, column_sums, group_scores, present, row_sums, squares_of, strongest
from rtmc.pruning.rates import Rate, exact_rate, kept_count, nearest, nearest_root
from rtmc.pruning.removal import line_removals, removals, remove

__all__ = ["SCHEMES", "Mask", "Projection", "Rate", "Weights", "budget", "exact_rate", "kept_count", "project",
           "project_step1", "project_step2", "promise", "split_gates"]

SCHEMES = ("unstructured", "row", "column", "row_column", "bsp", "bcr", "csb", "bank", "block")
_BLOCKED = ("bsp", "bcr", "csb", "bank", "block")
_TWO_RATES = ("row_column", "bsp", "bcr")  # those that take column_rate and row_rate
_BUDGETED = ("unstructured", "row", "column", "bsp", "csb", "block")
_ROUNDS = 10  # of the search for rows times columns


@dataclass(frozen=True)
class Projection:
    """What a gate's matrix is projected onto. `rate`: weights / kept weights, at least 1. bsp, row_column and bcr prune in two
    directions: any two of rate = column_rate * row_rate may be given. `block`: rows and columns (bank: (1, width)).
    `bounded`: csb only; no block keeps more than this many times its even share."""
    scheme: str
    rate: Rate | None = None
    block: tuple[int, int] | None = None
    column_rate: Rate | None = None
    row_rate: Rate | None = None
    bounded: Rate | None = None

    def __post_init__(self) -> None:
        if self.scheme not in SCHEMES:
            near = difflib.get_close_matches(self.scheme, SCHEMES, 1)
            hint = f"; did you mean '{near[0]}'" if near else ""
            raise ValueError(f"scheme is '{self.scheme}'; one of {', '.join(SCHEMES)} is needed{hint}")
        if (self.block is not None) != (self.scheme in _BLOCKED):
            needs = "needs a block (rows, columns)" if self.scheme in _BLOCKED else "has no blocks"
            raise ValueError(f"the scheme {self.scheme} {needs}")
        if self.block is not None:
            if len(self.block) != 2 or any(int(n) != n or n < 1 for n in self.block):
                raise ValueError(f"block is {self.block}; two whole numbers from 1 on are needed")
            if self.scheme == "bank" and self.block[0] != 1:
                raise ValueError(f"block is {self.block}; a bank is (1, width)")
        if self.bounded is not None:
            if self.scheme != "csb":
                raise ValueError(f"the scheme {self.scheme} has no bound on unevenness; csb has")
            exact_rate(self.bounded, "bounded")
        if self.scheme not in _TWO_RATES and (self.column_rate is not None or self.row_rate is not None):
            raise ValueError(f"the scheme {self.scheme} has one rate; {', '.join(_TWO_RATES)} have two")
        self.rates()

    def rates(self) -> tuple[Fraction | None, Fraction | None]:
        """Rates of columns and of rows. row_column and bcr with `rate` alone: (None, None), both share it."""
        given = [None if r is None else exact_rate(r, what) for r, what in
                 ((self.rate, "rate"), (self.column_rate, "column_rate"), (self.row_rate, "row_rate"))]
        rate, column, row = given
        if all(r is None for r in given):
            raise ValueError("a rate is needed")
        if self.scheme not in _TWO_RATES:
            return rate, Fraction(1)
        if rate is None:
            return column or Fraction(1), row or Fraction(1)
        if column is not None and row is not None:
            raise ValueError("rate, column_rate and row_rate are given; two of them are the third")
        if column is not None:
            return column, exact_rate(rate / column, "row_rate = rate / column_rate")
        if row is not None:
            return exact_rate(rate / row, "column_rate = rate / row_rate"), row
        return (rate, Fraction(1)) if self.scheme == "bsp" else (None, None)

    def exact_rate(self) -> Fraction:
        """`rate`, of schemes that cannot do without."""
        assert self.rate is not None
        return exact_rate(self.rate)

    def cross_counts(self, rows: int, columns: int) -> tuple[int, int]:
        """Kept rows and columns of a matrix (row_column) or block (bcr) of this size."""
        column_rate, row_rate = self.rates()
        if column_rate is not None and row_rate is not None:
            return nearest(rows, row_rate), nearest(columns, column_rate)
        kept_rows = nearest_root(rows, self.exact_rate())
        # As many columns as bring the block nearest to its rate.
        return kept_rows, min(columns, nearest(rows * columns, self.exact_rate() * kept_rows))

    def check(self, shape: tuple[int, ...], name: str = "the matrix") -> None:
        """A ValueError where a matrix of this shape has no such structure."""
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"{name} has the shape {list(shape)}; rows and columns are needed")
        if self.block is not None and (self.block[0] > shape[0] or self.block[1] > shape[1]):
            raise ValueError(f"blocks of {self.block[0]}x{self.block[1]} are larger than {name}, "
                             f"which is {shape[0]}x{shape[1]}")


def split_gates(tensor: NDArray, gates: int) -> list[NDArray]:
    """Views of a stacked tensor [gates * H, ...], one per gate."""
    if gates < 1 or len(tensor) % gates:
        raise ValueError(f"{len(tensor)} rows cannot be cut into {gates} gates")
    height = len(tensor) // gates
    return [tensor[g * height:(g + 1) * height] for g in range(gates)]


def promise(config: Projection, rows: int, columns: int) -> dict | None:
    """The `sparsity:` that model.yaml can promise of a matrix that was projected; None: nothing that could be checked."""
    if config.scheme in ("unstructured", "bank"):
        return None
    if config.scheme in ("row", "column"):
        return {"scheme": config.scheme}
    if config.scheme == "row_column":  # kept rows, and one set of columns in one block that is the whole matrix
        return {"scheme": "bsp", "block": [rows, columns]}
    return {"scheme": config.scheme, "block": list(config.block or ())}


def project(weights: Weights, config: Projection) -> Mask:
    """The mask of one gate's matrix."""
    config.check(weights.shape)
    if config.scheme == "bsp":
        return project_step2(weights, project_step1(weights, config), config)
    squares = squares_of(weights)
    if config.scheme in ("row_column", "bcr"):
        return _crosses(squares, config)
    if config.scheme == "bank":
        return _banks(squares, config)
    if config.scheme == "csb":
        rate = config.exact_rate()
        share = None if config.bounded is None else rate / exact_rate(config.bounded)
        return remove([line_removals(squares, present(config.block), share)], kept_count(weights.size, rate))[0]
    scores, _, spread = group_scores(squares, config.scheme, config.block)
    return spread(strongest(scores.ravel(), nearest(scores.size, present(config.rates()[0]))).reshape(scores.shape))


def project_step1(weights: Weights, config: Projection) -> Mask:
    """bsp's first step: the strongest columns of each block."""
    _require_bsp(config)
    config.check(weights.shape)
    column_rate, _ = config.rates()
    mask = numpy.empty(weights.shape, bool)
    for grid, into in zip(blocks_of(squares_of(weights), config.block), blocks_of(mask, config.block)):
        kept = strongest(column_sums(grid), nearest(grid.shape[-1], present(column_rate)))
        into[...] = kept[..., None, :]
    return mask


def project_step2(weights: Weights, mask: Mask, config: Projection) -> Mask:
    """bsp's second step: the strongest rows of what `mask`, that of the first step, leaves."""
    _require_bsp(config)
    _, row_rate = config.rates()
    if mask.shape != weights.shape:
        raise ValueError(f"the mask is {list(mask.shape)}, the matrix {list(weights.shape)}")
    kept = strongest(row_sums(squares_of(weights) * mask), nearest(len(weights), present(row_rate)))
    return mask & kept[:, None]


def budget(matrices: Sequence[Weights], configs: Projection | Sequence[Projection], rate: Rate) -> list[Mask]:
    """Masks of several gates' matrices under one budget: all their weights / rate. What is weakest per weight goes first,
    wherever it is; one group of each gate stays. Takes the place of the configurations' `rate` and `column_rate`."""
    each = [configs] * len(matrices) if isinstance(configs, Projection) else list(configs)
    if len(each) != len(matrices):
        raise ValueError(f"{len(matrices)} matrices and {len(each)} configurations")
    for weights, config in zip(matrices, each):
        config.check(weights.shape)
        if config.scheme not in _BUDGETED or config.bounded is not None:
            raise ValueError(f"{config.scheme}{' with a bound' if config.bounded is not None else ''} has no budget of "
                             f"several matrices: its counts follow from its own rate")
    steps = [removals(squares_of(weights), config.scheme, config.block) for weights, config in zip(matrices, each)]
    masks = remove(steps, kept_count(sum(w.size for w in matrices), rate))
    return [project_step2(w, m, c) if c.scheme == "bsp" else m for w, m, c in zip(matrices, masks, each)]


def _require_bsp(config: Projection) -> None:
    if config.scheme != "bsp":
        raise ValueError(f"{config.scheme} has no steps; bsp has")


def _banks(squares: NDArray, config: Projection) -> Mask:
    mask = numpy.empty(squares.shape, bool)
    for grid, into in zip(blocks_of(squares, config.block), blocks_of(mask, config.block)):
        into[...] = strongest(grid, nearest(grid.shape[-1], present(config.rates()[0])))
    return mask


def _crosses(squares: NDArray, config: Projection) -> Mask:
    """In each block so many rows times so many columns."""
    mask = numpy.empty(squares.shape, bool)
    for grid, into in zip(blocks_of(squares, config.block), blocks_of(mask, config.block)):
        into[...] = _cross(grid, *config.cross_counts(*grid.shape[-2:]))
    return mask


def _cross(squares: NDArray, kept_rows: int, kept_columns: int) -> Mask:
    """Strongest rows, then columns in these rows, until nothing changes; once from rows, once from columns; the better."""
    def best_rows(columns: Mask) -> Mask:
        return strongest(row_sums(squares * columns[..., None, :]), kept_rows)

    def best_columns(rows: Mask) -> Mask:
        return strongest(column_sums(squares * rows[..., :, None]), kept_columns)

    def settle(columns: Mask) -> Mask:
        rows = numpy.zeros(squares.shape[:-1], bool)
        for _ in range(_ROUNDS):
            old = rows, columns
            rows = best_rows(columns)
            columns = best_columns(rows)
            if numpy.array_equal(rows, old[0]) and numpy.array_equal(columns, old[1]):
                break
        return rows[..., :, None] & columns[..., None, :]

    def value(mask: Mask) -> NDArray:
        flat = (squares * mask).reshape(*squares.shape[:-2], -1)
        return row_sums(flat)

    every_row = numpy.ones(squares.shape[:-1], bool)
    every_column = numpy.ones((*squares.shape[:-2], squares.shape[-1]), bool)
    first, second = settle(every_column), settle(best_columns(every_row))
    return numpy.where((value(second) > value(first))[..., None, None], second, first)
