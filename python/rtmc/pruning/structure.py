"""Steps of a structure, applied to a stacked tensor: gates are split first, and bsp is pruned in two steps."""
import dataclasses
from dataclasses import dataclass
from fractions import Fraction
from typing import List, Optional, Sequence

import numpy

from . import projections
from .projections import Projection


def steps_of(projection: Projection) -> int:
    """2 for bsp that prunes columns and rows, else 1."""
    column_rate, row_rate = projection.rates()
    return 2 if projection.scheme == "bsp" and (column_rate or 1) > 1 and (row_rate or 1) > 1 else 1


@dataclass(frozen=True)
class Matrix:
    """A stacked tensor [gates * H, C] with what it is projected onto. `before`: the mask of the step before."""
    weights: numpy.ndarray
    gates: int
    projection: Projection
    before: Optional[numpy.ndarray] = None


def project(matrices: Sequence[Matrix], step: int, budget: Optional[Fraction] = None) -> List[numpy.ndarray]:
    """Masks after `step`. `budget`: one rate for all of them together instead of their own; it takes the place of step 0."""
    if budget is None or step > 0:
        return [_project(matrix, step) for matrix in matrices]
    gates = [gate for matrix in matrices for gate in projections.split_gates(matrix.weights, matrix.gates)]
    configs = [_without_rows(matrix.projection) for matrix in matrices for _ in range(matrix.gates)]
    masks = iter(projections.budget(gates, configs, budget))
    return [numpy.concatenate([next(masks) for _ in range(matrix.gates)]) for matrix in matrices]


def _without_rows(projection: Projection) -> Projection:
    """bsp's first step alone: its rows are pruned in the second."""
    if projection.scheme != "bsp":
        return projection
    return dataclasses.replace(projection, rate=None, column_rate=projection.rates()[0], row_rate=1)


def _project(matrix: Matrix, step: int) -> numpy.ndarray:
    masks = []
    for gate, weights in enumerate(projections.split_gates(matrix.weights, matrix.gates)):
        if steps_of(matrix.projection) == 1:
            masks.append(projections.project(weights, matrix.projection))
        elif step == 0:
            masks.append(projections.project_step1(weights, matrix.projection))
        else:
            assert matrix.before is not None
            masks.append(projections.project_step2(weights, projections.split_gates(matrix.before, matrix.gates)[gate], matrix.projection))
    return numpy.concatenate(masks)


def lower(rate: Optional[projections.Rate], share: float) -> Optional[Fraction]:
    """A rate on its way from 1 (share 0) to its value (share 1): what is gone grows as in Zhu and Gupta 2017."""
    if rate is None or share >= 1:
        return None if rate is None else projections.exact_rate(rate)
    gone = (1 - 1 / projections.exact_rate(rate)) * (1 - (1 - Fraction(share)) ** 3)
    return (1 / (1 - gone)).limit_denominator(10**6)


def relaxed(projection: Projection, step: int, share: float) -> Projection:
    """The structure on its way from dense (share 0) to its rates (share 1): the rates of this step are lower."""
    if share >= 1:
        return projection
    if projection.scheme != "bsp":
        return dataclasses.replace(projection, rate=lower(projection.rate, share), column_rate=lower(projection.column_rate, share),
                                   row_rate=lower(projection.row_rate, share))
    column_rate, row_rate = projection.rates()
    if steps_of(projection) == 1:
        return dataclasses.replace(projection, rate=None, column_rate=lower(column_rate, share), row_rate=lower(row_rate, share))
    # The other rate stays, and this one is above 1, so that there still are two steps.
    least = Fraction(10**6 + 1, 10**6)
    if step == 0:
        column_rate = max(lower(column_rate, share) or least, least)
    else:
        row_rate = max(lower(row_rate, share) or least, least)
    return dataclasses.replace(projection, rate=None, column_rate=column_rate, row_rate=row_rate)
