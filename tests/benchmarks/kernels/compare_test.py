#!/usr/bin/env python3
"""compare.py on made-up results: equal, slower, faster, missing, failed, too few, damaged; and its test against known values."""
import contextlib
import io
import itertools
import json
import math
import os
import random
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import compare  # noqa: E402


def result(times, **more):
    """{name: samples in us} as Google Benchmark writes it, aggregates included."""
    entries = []
    for name, samples in times.items():
        full = f"{name}/iterations:1/manual_time"
        for k, sample in enumerate(samples):
            entries.append({"name": full, "run_name": full, "run_type": "iteration", "repetition_index": k, "real_time": sample,
                            "cpu_time": sample, "time_unit": "us", "share": 0.5 / sample, **more})
        entries.append({"name": full + "_mean", "run_name": full, "run_type": "aggregate", "aggregate_name": "mean",
                        "real_time": 1e9, "cpu_time": 1e9, "time_unit": "us"})
    return {"context": {}, "benchmarks": entries}


class Compare(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = folder.name
        self.random = random.Random(3)

    def samples(self, centre, count=10, noise=0.03):
        return [centre * (1 + self.random.uniform(-noise, noise)) for _ in range(count)]

    def write(self, name, content):
        path = os.path.join(self.dir, name)
        with open(path, "w") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))
        return path

    def run_on(self, a, b, *options):
        """-> (exit status, stdout, stderr)."""
        out, err = io.StringIO(), io.StringIO()
        arguments = ["compare.py", self.write("a.json", a), self.write("b.json", b), *options]
        with mock.patch.object(sys, "argv", arguments), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = compare.main()
            except SystemExit as exit_:
                status = exit_.code
        return status, out.getvalue(), err.getvalue()

    def test_equal(self):
        times = {"k": self.samples(5), "constant": [3.0] * 10}
        status, out, _ = self.run_on(result(times), result(times), "--fail-on-slower", "1")
        self.assertEqual(status, 0)
        self.assertEqual(len(out.splitlines()), 1, out)
        self.assertIn("2 compared by real_time", out)
        self.assertIn("0 slower, 0 faster", out)

    def test_noise_is_no_change(self):
        a = {f"k{i}": self.samples(5, noise=0.2) for i in range(200)}
        b = {f"k{i}": self.samples(5, noise=0.2) for i in range(200)}
        _, out, _ = self.run_on(result(a), result(b))
        self.assertLess(sum(line.startswith(("slower", "faster")) for line in out.splitlines()), 8, out)

    def test_slower_and_faster(self):
        a = result({"up": self.samples(5), "down": self.samples(5), "same": self.samples(5)})
        b = result({"up": self.samples(6), "down": self.samples(4), "same": self.samples(5)})
        status, out, _ = self.run_on(a, b)
        self.assertEqual(status, 0)
        lines = out.splitlines()
        self.assertRegex(lines[0], r"^slower +up +\S+ us +\S+ us +\+\d+\.\d %")
        self.assertRegex(lines[1], r"^faster +down +\S+ us +\S+ us +-\d+\.\d %")
        self.assertEqual(len(lines), 3)
        self.assertEqual(self.run_on(a, b, "--fail-on-slower", "10")[0], 1)
        self.assertEqual(self.run_on(a, b, "--fail-on-slower", "40")[0], 0)
        self.assertIn("same    same", self.run_on(a, b, "--all")[1])

    def test_a_change_that_is_real_but_small(self):
        a, b = result({"k": [5 + 1e-6 * i for i in range(10)]}), result({"k": [5.04 + 1e-6 * i for i in range(10)]})
        self.assertIn("0 slower", self.run_on(a, b)[1])
        self.assertIn("1 slower", self.run_on(a, b, "--smallest", "0.5")[1])

    def test_counters_are_better_when_larger(self):
        a, b = result({"k": self.samples(5)}), result({"k": self.samples(6)})
        status, out, _ = self.run_on(a, b, "--metric", "share", "--fail-on-slower", "5")
        self.assertEqual(status, 1)
        self.assertRegex(out, r"^slower +k +0\.\d+ +0\.\d+ +-\d+\.\d %")
        self.assertIn("1 faster", self.run_on(b, a, "--metric", "share")[1])
        self.assertEqual(self.run_on(a, b, "--metric", "nothing")[0], 2)

    def test_units(self):
        a = result({"k": self.samples(5)})
        b = result({"k": self.samples(5000)}, time_unit="ns")
        self.assertIn("0 slower, 0 faster", self.run_on(a, b)[1])

    def test_missing(self):
        a = result({"k": self.samples(5), "old": self.samples(5)})
        b = result({"k": self.samples(5), "new": self.samples(5)})
        status, out, _ = self.run_on(a, b, "--fail-on-slower", "5")
        self.assertEqual(status, 0)
        self.assertIn("only in A: old\n", out)
        self.assertIn("only in B: new\n", out)
        status, _, err = self.run_on(a, result({"other": self.samples(5)}))
        self.assertEqual(status, 2)
        self.assertIn("nothing could be judged", err)

    def test_failed(self):
        a = result({"k": self.samples(5), "wrong": self.samples(5)})
        b = result({"k": self.samples(5)})
        b["benchmarks"].append({"name": "wrong", "run_name": "wrong", "run_type": "iteration", "error_occurred": True,
                                "error_message": "row 3", "real_time": 0, "cpu_time": 0, "time_unit": "us"})
        status, out, _ = self.run_on(a, b)
        self.assertEqual(status, 0)
        self.assertIn("failed in B: wrong", out)
        self.assertNotIn("only in A", out)
        self.assertEqual(self.run_on(a, b, "--fail-on-slower", "50")[0], 1)
        self.assertEqual(self.run_on(b, a, "--fail-on-slower", "50")[0], 0)

    def test_too_few_repetitions(self):
        status, out, err = self.run_on(result({"k": [5.0, 5.1]}), result({"k": [9.0, 9.1]}), "--fail-on-slower", "5")
        self.assertEqual(status, 2)
        self.assertIn("too few repetitions: k", out)
        self.assertIn("nothing could be judged", err)

    def test_damaged_files(self):
        good = result({"k": self.samples(5)})
        for bad in ("", "{", "[]", "7", '{"benchmarks": 3}', '{"benchmarks": [3]}', '{"benchmarks": []}', "[" * 100000,
                    '{"benchmarks": [{"name": "k", "real_time": "fast", "time_unit": "us"}]}',
                    '{"benchmarks": [{"name": "k", "real_time": 1, "time_unit": "hours"}]}',
                    '{"benchmarks": [{"name": "k", "real_time": NaN, "time_unit": "us"}]}',
                    '{"benchmarks": [{"real_time": 1, "time_unit": "us"}]}'):
            for a, b, name in ((bad, good, "a.json"), (good, bad, "b.json")):
                status, out, err = self.run_on(a, b)
                self.assertEqual((status, out), (2, ""), bad[:80])
                self.assertIn(name, err)
        with mock.patch.object(sys, "argv", ["compare.py", os.path.join(self.dir, "none.json"), self.write("b.json", good)]), \
                contextlib.redirect_stderr(io.StringIO()) as err:
            self.assertEqual(compare.main(), 2)
        self.assertIn("none.json", err.getvalue())

    def test_exact_p(self):
        # Against counting all orders.
        for n, m in ((1, 1), (3, 4), (4, 4), (5, 3)):
            us = [sum(a > b for a in chosen for b in set(range(n + m)) - set(chosen)) for chosen in itertools.combinations(range(n + m), n)]
            self.assertEqual(compare.ways(n, m), [us.count(u) for u in range(n * m + 1)])
        self.assertAlmostEqual(compare.mann_whitney([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]), 2 / 252)
        self.assertAlmostEqual(compare.mann_whitney([6, 7, 8, 9, 10], [1, 2, 3, 4, 5]), 2 / 252)
        self.assertEqual(compare.mann_whitney([1, 4], [2, 3]), 1)
        self.assertEqual(compare.mann_whitney([2, 2, 2], [2, 2, 2]), 1)
        self.assertEqual(sum(compare.ways(20, 20)), math.comb(40, 20))

    def test_approximate_p_is_near_the_exact_one(self):
        for _ in range(20):
            a, b = [self.random.random() for _ in range(20)], [self.random.random() + 0.2 for _ in range(20)]
            exact = compare.mann_whitney(a, b)
            with mock.patch.object(compare, "EXACT", 0):
                self.assertAlmostEqual(compare.mann_whitney(a, b), exact, delta=0.01)


if __name__ == "__main__":
    unittest.main(verbosity=2)
