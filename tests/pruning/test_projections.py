"""What a projection is: counts, inputs that have the structure already, exactness, ties, refusals."""
import itertools
import unittest
from fractions import Fraction

from support import RATES, SHAPES, numpy, random_config, random_matrix

from rtmc.pruning.projections import (SCHEMES, Projection, budget, exact_rate, kept_count, project, project_step1, project_step2,
                                      promise, split_gates)

SEED = 11


def squares(weights):
    return weights.astype(numpy.float64) ** 2


def blocks(shape, block):
    """Slices of the grid, row by row."""
    return [(slice(r, min(r + block[0], shape[0])), slice(c, min(c + block[1], shape[1])))
            for r in range(0, shape[0], block[0]) for c in range(0, shape[1], block[1])]


def cases(scheme, per_shape=8):
    random = numpy.random.default_rng(SEED)
    for shape in SHAPES:
        for _ in range(per_shape):
            yield random_matrix(random, shape), random_config(random, scheme, shape)


class Counts(unittest.TestCase):
    def test_kept_count_rounds_half_up_in_exact_arithmetic(self):
        self.assertEqual([kept_count(n, 10) for n in (1, 4, 5, 14, 15, 25, 100)], [1, 1, 1, 1, 2, 3, 10])
        self.assertEqual(kept_count(3, "1.2"), 3)  # 2.5 in decimals, below it in doubles
        self.assertEqual(kept_count(21, 2.1), 10)
        self.assertEqual(kept_count(10**13, Fraction(10**12, 10**12 - 1)), 10**13 - 10)
        self.assertEqual(exact_rate(1 / 0.3), Fraction(10, 3))

    def test_every_scheme_keeps_as_many_as_its_rate_says(self):
        for scheme in SCHEMES:
            for weights, config in cases(scheme):
                with self.subTest(config=config, shape=weights.shape):
                    self.check_counts(project(weights, config), config)

    def check_counts(self, mask, config):
        rows, columns = mask.shape
        column_rate, row_rate = config.rates()
        live_rows, live_columns = mask.any(axis=1), mask.any(axis=0)
        if config.scheme == "unstructured":
            self.assertEqual(mask.sum(), kept_count(mask.size, config.rate))
        elif config.scheme == "row":
            self.assertEqual((live_rows.sum(), mask.sum()), (kept_count(rows, config.rate), live_rows.sum() * columns))
        elif config.scheme == "column":
            self.assertEqual((live_columns.sum(), mask.sum()), (kept_count(columns, config.rate), live_columns.sum() * rows))
        elif config.scheme == "row_column":
            self.assertEqual((live_rows.sum(), live_columns.sum()), config.cross_counts(rows, columns))
            self.assertEqual(mask.sum(), live_rows.sum() * live_columns.sum())
        elif config.scheme == "bsp":
            self.assertEqual(live_rows.sum(), kept_count(rows, row_rate))
            for at in blocks(mask.shape, config.block):
                kept = mask[at][live_rows[at[0]]]
                if len(kept):
                    self.assertTrue((kept == kept[0]).all())
                    self.assertEqual(kept[0].sum(), kept_count(kept.shape[1], column_rate))
        elif config.scheme == "bcr":
            for at in blocks(mask.shape, config.block):
                part = mask[at]
                kept = part.any(axis=1).sum(), part.any(axis=0).sum()
                self.assertEqual(kept, config.cross_counts(*part.shape))
                self.assertEqual(part.sum(), kept[0] * kept[1])
        elif config.scheme == "csb":
            self.assertLessEqual(mask.sum(), kept_count(mask.size, config.rate))
            self.assertGreaterEqual(mask.sum(), 1)
            for at in blocks(mask.shape, config.block):
                part = mask[at]
                self.assertEqual(part.sum(), part.any(axis=1).sum() * part.any(axis=0).sum())
                if config.bounded is not None:
                    most = Fraction(part.size) * Fraction(config.bounded) / exact_rate(config.rate)
                    self.assertLessEqual(part.sum(), max(1, most + Fraction(1, 2)))
        elif config.scheme == "bank":
            for at in blocks(mask.shape, config.block):
                self.assertEqual(mask[at].sum(), kept_count(mask[at].size, config.rate))
        else:
            kept = [mask[at] for at in blocks(mask.shape, config.block)]
            self.assertTrue(all(part.all() or not part.any() for part in kept))
            self.assertEqual(sum(part.all() for part in kept), kept_count(len(kept), config.rate))

    def test_of_the_shared_rate_the_realised_one_is_near(self):
        config = Projection("row_column", 10)
        rows, columns = config.cross_counts(1024, 1024)
        self.assertEqual((rows, columns), (324, 324))
        self.assertEqual(Projection("bcr", 10, (4, 4)).cross_counts(4, 4), (1, 2))
        self.assertEqual(Projection("bcr", column_rate=2, row_rate=4, block=(8, 8)).cross_counts(8, 3), (2, 2))


class Properties(unittest.TestCase):
    def test_what_has_the_structure_comes_back_unchanged(self):
        for scheme in SCHEMES:
            for weights, config in cases(scheme):
                with self.subTest(config=config, shape=weights.shape):
                    projected = weights * project(weights, config)
                    again = projected * project(projected, config)
                    self.assertTrue(numpy.array_equal(projected, again))

    def test_a_power_of_two_and_signs_change_nothing(self):
        for scheme in SCHEMES:
            for weights, config in cases(scheme, 3):
                with self.subTest(config=config):
                    wide = weights.astype(numpy.float64)
                    mask = project(wide, config)
                    self.assertTrue(numpy.array_equal(mask, project(-wide * 4, config)))
                    self.assertTrue(numpy.array_equal(mask, project(numpy.asfortranarray(weights), config)))

    def test_rate_one_keeps_everything(self):
        for scheme in SCHEMES:
            block = {"bank": (1, 3)}.get(scheme, (2, 3) if scheme in ("bsp", "bcr", "csb", "block") else None)
            self.assertTrue(project(numpy.zeros((5, 7)), Projection(scheme, 1, block)).all())

    def test_ties_go_to_the_lower_index(self):
        ones = numpy.ones((4, 4))
        first = {"unstructured": [[1, 1, 1, 1]] + [[0] * 4] * 3, "row": [[1] * 4] + [[0] * 4] * 3, "column": [[1, 0, 0, 0]] * 4,
                 "row_column": [[1, 1, 0, 0]] * 2 + [[0] * 4] * 2}
        for scheme, expected in first.items():
            self.assertEqual(project(ones, Projection(scheme, 4)).astype(int).tolist(), expected)
        corner = [[1, 0, 1, 0], [0] * 4, [1, 0, 1, 0], [0] * 4]
        self.assertEqual(project(ones, Projection("bcr", 4, (2, 2))).astype(int).tolist(), corner)
        self.assertEqual(project(ones, Projection("bank", 4, (1, 4))).astype(int).tolist(), first["column"])
        self.assertEqual(project(ones, Projection("block", 4, (2, 2))).astype(int).tolist(), first["row_column"])
        self.assertEqual(project(ones, Projection("csb", 4, (2, 2))).astype(int).tolist(), first["row_column"])
        masks = budget([numpy.ones((2, 2))] * 2, Projection("unstructured", 1), 2)
        self.assertEqual([m.astype(int).tolist() for m in masks], [[[1, 1], [1, 0]], [[1, 0], [0, 0]]])

    def test_float32_and_float64_agree(self):
        for weights, config in cases("csb", 3):
            self.assertTrue(numpy.array_equal(project(weights, config), project(weights.astype(numpy.float64), config)))

    def test_the_steps_of_bsp_are_its_projection(self):
        for weights, config in cases("bsp", 4):
            mask = project_step2(weights, project_step1(weights, config), config)
            self.assertTrue(numpy.array_equal(mask, project(weights, config)))

    def test_gates_are_views(self):
        stacked = numpy.arange(12.0).reshape(6, 2)
        gates = split_gates(stacked, 3)
        gates[1][:] = 0
        self.assertEqual(stacked[2:4].sum(), 0)
        self.assertEqual([g.shape for g in gates], [(2, 2)] * 3)
        with self.assertRaisesRegex(ValueError, "6 rows cannot be cut into 4 gates"):
            split_gates(stacked, 4)


class Exact(unittest.TestCase):
    """Nothing in the structure keeps a larger sum of squares: all choices are tried."""

    def setUp(self):
        self.random = numpy.random.default_rng(SEED)

    def check(self, shape, config, best):
        for _ in range(25):
            weights = self.random.standard_normal(shape).astype(numpy.float32)
            kept = squares(weights)[project(weights, config)].sum()
            self.assertAlmostEqual(kept / best(squares(weights)), 1, places=12, msg=f"{config}\n{weights}")

    def best_of(self, groups, count):
        return max(sum(choice) for choice in itertools.combinations(groups, count))

    def test_unstructured_rows_and_columns(self):
        for rate in (1.5, 3, 7):
            self.check((3, 4), Projection("unstructured", rate), lambda s: self.best_of(s.ravel(), kept_count(12, rate)))
            self.check((7, 4), Projection("row", rate), lambda s: self.best_of(s.sum(axis=1), kept_count(7, rate)))
            self.check((4, 7), Projection("column", rate), lambda s: self.best_of(s.sum(axis=0), kept_count(7, rate)))

    def test_banks(self):
        self.check((3, 8), Projection("bank", 2.5, (1, 3)), lambda s: sum(
            self.best_of(s[at].ravel(), kept_count(s[at].size, 2.5)) for at in blocks(s.shape, (1, 3))))

    def test_blocks(self):
        self.check((5, 7), Projection("block", 3, (2, 3)), lambda s: self.best_of(
            [s[at].sum() for at in blocks(s.shape, (2, 3))], kept_count(9, 3)))

    def test_each_step_of_bsp(self):
        config = Projection("bsp", column_rate=2, row_rate=3, block=(3, 4))
        for _ in range(25):
            weights = self.random.standard_normal((7, 6)).astype(numpy.float32)
            first = project_step1(weights, config)
            best = sum(self.best_of(squares(weights)[at].sum(axis=0), kept_count(squares(weights)[at].shape[1], 2))
                       for at in blocks(weights.shape, (3, 4)))
            self.assertAlmostEqual(squares(weights)[first].sum() / best, 1, places=12)
            second = project_step2(weights, first, config)
            best = self.best_of((squares(weights) * first).sum(axis=1), kept_count(7, 3))
            self.assertAlmostEqual(squares(weights)[second].sum() / best, 1, places=12)

    def test_a_budget_over_groups_of_one_size(self):
        for _ in range(25):
            pair = [self.random.standard_normal((3, 4)) * scale for scale in (1, 3)]
            masks = budget(pair, Projection("row", 1), 2)
            sums = [squares(w).sum(axis=1) for w in pair]
            best = max(sum(a) + sum(b) for n in (1, 2) for a in itertools.combinations(sums[0], n)
                       for b in itertools.combinations(sums[1], 3 - n))  # one row of each stays
            self.assertAlmostEqual(sum(squares(w)[m].sum() for w, m in zip(pair, masks)) / best, 1, places=12)


class Budgets(unittest.TestCase):
    def test_a_budget_is_kept_and_every_matrix_keeps_a_group(self):
        random = numpy.random.default_rng(SEED)
        for scheme in ("unstructured", "row", "column", "bsp", "csb", "block"):
            for rate in RATES:
                matrices = [random_matrix(random, SHAPES[i]) for i in (4, 6, 7, 5)]
                config = Projection(scheme, 1, (2, 3) if scheme in ("bsp", "csb", "block") else None)
                masks = budget(matrices, config, rate)
                self.assertTrue(all(m.any() for m in masks))
                most = kept_count(sum(w.size for w in matrices), rate)
                alone = [numpy.array_equal(m, b) for m, b in zip(masks, budget(matrices, config, "1000000"))]
                self.assertTrue(sum(int(m.sum()) for m in masks) <= most or all(alone))

    def test_one_matrix_alone_is_its_projection(self):
        for scheme in ("unstructured", "csb"):
            for weights, config in cases(scheme):
                if config.bounded is None:
                    self.assertTrue(numpy.array_equal(budget([weights], config, config.rate)[0], project(weights, config)))
        for scheme in ("row", "column"):  # a rate that divides, as a budget is counted in weights and never exceeded
            for weights, _ in cases(scheme):
                config = Projection(scheme, weights.shape[scheme == "column"])
                self.assertTrue(numpy.array_equal(budget([weights], config, config.rate)[0], project(weights, config)))

    def test_the_stronger_matrix_keeps_more(self):
        weights = numpy.random.default_rng(SEED).standard_normal((16, 16))
        weak, strong = budget([weights * 0.1, weights], Projection("unstructured", 1), 2)
        self.assertEqual(weak.sum() + strong.sum(), 256)
        self.assertGreater(strong.sum(), 4 * weak.sum())

    def test_schemes_without_a_budget_are_refused(self):
        with self.assertRaisesRegex(ValueError, "bcr has no budget"):
            budget([numpy.ones((2, 2))], Projection("bcr", 1, (2, 2)), 2)
        with self.assertRaisesRegex(ValueError, "csb with a bound has no budget"):
            budget([numpy.ones((2, 2))], Projection("csb", 1, (2, 2), bounded=1), 2)


class Refusals(unittest.TestCase):
    def refuse(self, message, *arguments, **more):
        with self.assertRaisesRegex(ValueError, message):
            Projection(*arguments, **more)

    def test_configurations(self):
        self.refuse("scheme is 'bspp'; one of .* is needed; did you mean 'bsp'", "bspp", 10)
        self.refuse("rate is 0.5; at least 1 is needed", "row", 0.5)
        self.refuse("rate is 'ten'; a number such as", "row", "ten")
        self.refuse("rate is nan; a number", "row", float("nan"))
        self.refuse("a rate is needed", "row")
        self.refuse("whole numbers up to", "row", 10**13)
        self.refuse("the scheme bsp needs a block", "bsp", 10)
        self.refuse("the scheme row has no blocks", "row", 10, (2, 2))
        self.refuse("two whole numbers from 1 on", "block", 10, (0, 2))
        self.refuse(r"a bank is \(1, width\)", "bank", 10, (2, 2))
        self.refuse("the scheme row has one rate", "row", 10, column_rate=2)
        self.refuse("two of them are the third", "bsp", 10, (2, 2), column_rate=2, row_rate=5)
        self.refuse("row_rate = rate / column_rate is 1/2; at least 1", "bsp", 10, (2, 2), column_rate=20)
        self.refuse("no bound on unevenness", "block", 10, (2, 2), bounded=2)
        self.refuse("bounded is 0.9; at least 1", "csb", 10, (2, 2), bounded=0.9)

    def test_matrices(self):
        def refuse(message, weights, config):
            with self.assertRaisesRegex(ValueError, message):
                project(weights, config)

        refuse("blocks of 4x2 are larger than the matrix, which is 3x8", numpy.ones((3, 8)), Projection("csb", 2, (4, 2)))
        refuse(r"has the shape \[4\]", numpy.ones(4), Projection("row", 2))
        refuse(r"has the shape \[0, 4\]", numpy.ones((0, 4)), Projection("row", 2))
        refuse(r"the weight at \[1, 2\] is nan", numpy.where(numpy.arange(9).reshape(3, 3) == 5, numpy.nan, 1), Projection("row", 2))
        refuse(r"the weight at \[0, 0\] is 1e\+200", numpy.full((2, 2), 1e200), Projection("row", 2))

    def test_promises(self):
        self.assertEqual(promise(Projection("bsp", 2, (2, 3)), 9, 9), {"scheme": "bsp", "block": [2, 3]})
        self.assertIsNone(promise(Projection("bank", 2, (1, 3)), 9, 9))
        self.assertEqual(promise(Projection("row_column", 2), 4, 5), {"scheme": "bsp", "block": [4, 5]})
        self.assertEqual(promise(Projection("row", 2), 4, 5), {"scheme": "row"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
