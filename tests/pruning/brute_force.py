"""The best masks of the structures whose projection is a heuristic, by trying all choices. Small matrices only."""
import itertools

import numpy


def subsets(n, count):
    return [list(s) for s in itertools.combinations(range(n), count)]


def best_columns(sums, count):
    """Sum of the `count` largest."""
    return float(numpy.sort(sums)[len(sums) - count:].sum())


def cross(squares, rows, columns):
    """Best sum of `rows` rows times `columns` columns."""
    return max(best_columns(squares[chosen].sum(axis=0), columns) for chosen in subsets(len(squares), rows))


def bsp(squares, block, rows, columns_of):
    """Best sum of `rows` rows of the matrix and, in each block, columns_of(width) columns."""
    best = 0.0
    for chosen in subsets(len(squares), rows):
        live = numpy.zeros(squares.shape)
        live[chosen] = squares[chosen]
        total = 0.0
        for r in range(0, squares.shape[0], block[0]):
            for c in range(0, squares.shape[1], block[1]):
                part = live[r:r + block[0], c:c + block[1]]
                total += best_columns(part.sum(axis=0), columns_of(part.shape[1]))
        best = max(best, total)
    return best


def csb(squares, block, budget, most=None):
    """Best sum of rows times columns, freely chosen in each block, `budget` weights in all, `most` in each block."""
    best = numpy.zeros(budget + 1)  # by weights spent, over the blocks so far
    for r in range(0, squares.shape[0], block[0]):
        for c in range(0, squares.shape[1], block[1]):
            part = squares[r:r + block[0], c:c + block[1]]
            values = numpy.zeros(budget + 1)
            for rows in range(1, part.shape[0] + 1):
                for columns in range(1, part.shape[1] + 1):
                    spent = rows * columns
                    if spent <= min(budget, most or budget):
                        values[spent] = max(values[spent], cross(part, rows, columns))
            best = numpy.array([max(best[total - spent] + values[spent] for spent in range(total + 1))
                                for total in range(budget + 1)])
    return float(best[budget])
