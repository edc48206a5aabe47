"""How far the heuristics stay from the best of all choices: the table of docs/projections.md."""
import unittest

from support import numpy

import brute_force
from rtmc.pruning.projections import Projection, kept_count, project

SEED = 11


def squares(weights):
    return weights.astype(numpy.float64) ** 2


class Bounds(unittest.TestCase):
    def check(self, shape, config, smallest, mean, best):
        random, shares = numpy.random.default_rng(SEED), []
        for _ in range(60):
            weights = random.standard_normal(shape).astype(numpy.float32)
            shares.append(squares(weights)[project(weights, config)].sum() / best(squares(weights)))
        self.assertLess(max(shares), 1 + 1e-12)
        self.assertGreater(min(shares), smallest)
        self.assertGreater(numpy.mean(shares), mean)

    def test_rows_times_columns(self):
        config = Projection("row_column", 4)
        self.check((8, 8), config, 0.85, 0.99, lambda s: brute_force.cross(s, 4, 4))
        config = Projection("bcr", 4, (6, 4))
        self.check((6, 8), config, 0.88, 0.99, lambda s: sum(brute_force.cross(s[:, c:c + 4], 3, 2) for c in (0, 4)))

    def test_both_steps_of_bsp(self):
        for rate, smallest, mean in ((2, 0.80, 0.95), (4, 0.60, 0.90)):
            config = Projection("bsp", column_rate=rate, row_rate=rate, block=(4, 4))
            self.check((8, 8), config, smallest, mean, lambda s: brute_force.bsp(
                s, (4, 4), kept_count(8, rate), lambda width: kept_count(width, rate)))

    def test_csb(self):
        for rate, smallest, mean in ((4, 0.87, 0.97), (8, 0.82, 0.95)):
            self.check((8, 8), Projection("csb", rate, (4, 4)), smallest, mean,
                       lambda s: brute_force.csb(s, (4, 4), kept_count(64, rate)))
        self.check((8, 8), Projection("csb", 4, (4, 4), bounded=1.5), 0.87, 0.97,
                   lambda s: brute_force.csb(s, (4, 4), 16, 6))


if __name__ == "__main__":
    unittest.main(verbosity=2)
