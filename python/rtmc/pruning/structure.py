"""Steps of a structure, applied to a stacked tensor: gates are split first, and bsp is pruned in two steps."""
import dataclasses
from fractions import Fraction
from typing import Optional

import numpy

from . import projections
from .projections import Projection


def steps_of(projection: Projection) -> int:
    """2 for bsp that prunes columns and rows, else 1."""
    column_rate, row_rate = projection.rates()
    return 2 if projection.scheme == "bsp" and column_rate > 1 and row_rate > 1 else 1


def project(weights: numpy.ndarray, gates: int, projection: Projection, step: int, before: Optional[numpy.ndarray]) -> numpy.ndarray:
    """Mask of a stacked tensor [gates * H, C] after `step`; `before`: the mask of the step before."""
    masks = []
    for gate, matrix in enumerate(projections.split_gates(weights, gates)):
        if steps_of(projection) == 1:
            masks.append(projections.project(matrix, projection))
        elif step == 0:
            masks.append(projections.project_step1(matrix, projection))
        else:
            masks.append(projections.project_step2(matrix, projections.split_gates(before, gates)[gate], projection))
    return numpy.concatenate(masks)


def relaxed(projection: Projection, step: int, share: float) -> Projection:
    """The structure on its way from dense (share 0) to its rates (share 1): the rates of this step are lower, as in Zhu and Gupta."""
    if share >= 1:
        return projection

    def lower(rate: Optional[projections.Rate]) -> Optional[Fraction]:
        if rate is None:
            return None
        gone = (1 - 1 / projections.exact_rate(rate)) * (1 - (1 - Fraction(share)) ** 3)
        return (1 / (1 - gone)).limit_denominator(10**6)

    if projection.scheme != "bsp":
        return dataclasses.replace(projection, rate=lower(projection.rate), column_rate=lower(projection.column_rate),
                                   row_rate=lower(projection.row_rate))
    column_rate, row_rate = projection.rates()
    if steps_of(projection) == 1:
        return dataclasses.replace(projection, rate=None, column_rate=lower(column_rate), row_rate=lower(row_rate))
    # The other rate stays, and this one is above 1, so that there still are two steps.
    least = Fraction(10**6 + 1, 10**6)
    column, row = (max(lower(column_rate), least), row_rate) if step == 0 else (column_rate, max(lower(row_rate), least))
    return dataclasses.replace(projection, rate=None, column_rate=column, row_rate=row)
