"""The parts that decide what is printed: ratios and when they are refused, the store, the plan, options, the words of an ablation."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from harness import columns, machine, options, paper, plan, tables, turns  # noqa: E402
from harness.statistics import LIMIT, figure, ratio  # noqa: E402
from harness.store import Store  # noqa: E402


class Ratios(unittest.TestCase):
    def test_median_of_the_rounds_and_an_interval_around_it(self):
        times = [100, 104, 98, 110, 101, 102, 99]
        found = ratio(times, [10] * 7)
        self.assertEqual(found.value, 10.1)
        self.assertEqual((found.low, found.high), (9.9, 10.4), "of seven rounds the 95 % interval of the median leaves the extremes out")
        self.assertEqual(found, ratio(times, [10] * 7), "the bootstrap must be seeded")
        few = ratio(times[:3], [10] * 3)
        self.assertEqual((few.low, few.high), (9.8, 10.4), "three rounds: from the smallest to the largest")

    def test_what_disturbs_both_alike_does_not_count(self):
        self.assertEqual(ratio([100, 200, 400], [10, 20, 40]).spread, 0)

    def test_refused_above_the_limit_and_not_at_it(self):
        self.assertTrue(ratio([100, 100 * (1 + LIMIT)], [10, 10]).agrees)
        refused = ratio([100, 138], [10, 10])
        self.assertFalse(refused.agrees)
        self.assertEqual(refused.text(), "rounds disagree by 38 %")
        self.assertIsNone(columns.value(refused))

    def test_refused_where_programs_waited_for_a_processor(self):
        def entry(time, *waited):
            return {"rounds": [{"min": time, "waited": share} for share in waited]}

        self.assertEqual(columns.faster(entry(20, 0.01, 0.5, 0.02), entry(10, 0.0, 0.1, 0.0)).text(), "2.00 (2.00 - 2.00)")
        refused = columns.faster(entry(20, 0.62, 0.5, 0.7), entry(10, 0.0, 0.0, 0.0))
        self.assertEqual((refused.text(), columns.value(refused)), ("machine busy: 62 % of the time waiting", None))

    def test_waiting_for_a_processor_is_seen(self):
        # Two that never rest on one processor: each waits half of the time.
        one = str(min(os.sched_getaffinity(0)))
        spin = [sys.executable, "-c",
                f"import os, time\nos.sched_setaffinity(0, [{one}])\nend = time.time() + 20\nwhile time.time() < end: pass"]
        first, second = subprocess.Popen(spin), subprocess.Popen(spin)
        try:
            if not turns.delays(first.pid):
                self.skipTest("this kernel does not count how long a thread waits")
            end = time.monotonic() + 15
            while time.monotonic() < end and sum(turns.delays(first.pid).values()) < 1e8:
                time.sleep(0.02)
            self.assertGreaterEqual(sum(turns.delays(first.pid).values()), 1e8)
        finally:
            for process in (first, second):
                process.kill()
                process.wait()
        self.assertEqual(turns.delays(first.pid), {})

    def test_few_rounds(self):
        self.assertIsNone(ratio([], []))
        self.assertEqual(ratio([20.0], [10.0]).text(), "2.00 (one round)")
        self.assertEqual(ratio([20.0, 30.0, 40.0], [10.0]).rounds, 1, "only rounds that both have")

    def test_figures_have_three_digits(self):
        self.assertEqual([figure(v) for v in (1234.5, 99.95, 12.34, 1.234, 0.5, 0.0123, 0.0)],
                         ["1234", "100.0", "12.3", "1.23", "0.50", "0.012", "0"])


class Keeping(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "results.json"

    def test_cells_come_back_and_no_temporary_file_stays(self):
        Store(self.path, {"machine": "a"}).put("cell", {"x": 1})
        again = Store(self.path, {"machine": "a"})
        self.assertEqual(again.get("cell"), {"x": 1})
        self.assertEqual([p.name for p in self.path.parent.iterdir()], ["results.json"])

    def test_results_of_another_machine_are_set_aside(self):
        Store(self.path, {"machine": "a", "rtmc": "1"}).put("cell", {"x": 1})
        other = Store(self.path, {"machine": "b", "rtmc": "1"})
        self.assertIsNone(other.get("cell"))
        self.assertEqual(other.set_aside, "results.json was moved to results.old.json: it is of another machine")
        self.assertEqual(json.loads(self.path.with_name("results.old.json").read_text())["cells"], {"cell": {"x": 1}})

    def test_a_damaged_file_is_set_aside(self):
        for text in ("{", "[]", '{"cells": 1}', '{"cells": {}, "runs": [], "format": 0, "identity": {}}'):
            self.path.write_text(text)
            self.assertIn("was moved to results.old.json", Store(self.path, {}).set_aside, text)


class Planning(unittest.TestCase):
    def test_each_cell_once_with_all_that_the_issue_asks(self):
        cells, left_out = plan.cells(plan.FULL, cores=4)
        self.assertEqual(len({cell.key for cell in cells}), len(cells))
        self.assertEqual(left_out, [])
        reference = [cell for cell in cells if cell.part == "reference"]
        self.assertEqual({cell.rate for cell in reference}, set(paper.RATES))
        self.assertEqual({(c.block, c.threads, c.steps) for c in reference},
                         {(b, t, s) for b in plan.BLOCKS for t in (1, 2) for s in (1, 50)})
        self.assertEqual({c.rate for c in cells if c.part == "ablation"}, {10, 29, 103, 301})

    def test_one_core_has_no_second_thread_and_says_so(self):
        cells, left_out = plan.cells(plan.FULL, cores=1)
        self.assertEqual({cell.threads for cell in cells if cell.part == "reference"}, {1})
        self.assertEqual(left_out, ["2 threads: this machine has 1 core"])

    def test_matrices_that_are_not_here_are_left_out_and_said_so(self):
        cells, left_out = plan.cells(plan.FULL, 2, "they are gone")
        self.assertEqual((left_out, [cell for cell in cells if cell.part == "lyra"]), (["Lyra's matrices: they are gone"], []))
        self.assertEqual(plan.cells(plan.QUICK, 2, "they are gone")[1], [], "the quick form does not ask for them")

    def test_quick_and_full_results_are_not_mixed(self):
        quick, full = (plan.cells(settings, 2)[0] for settings in (plan.QUICK, plan.FULL))
        self.assertFalse({cell.key for cell in quick} & {cell.key for cell in full})

    def test_rates_that_were_asked_for_are_ablated(self):
        settings = plan.restrict(plan.QUICK, (43,))
        self.assertEqual((settings.rates, settings.ablation_rates, settings.sparse_rates), ((43,), (43,), (43,)))
        self.assertEqual([plan.restrict(plan.FULL, rates).scaling_rates for rates in ((43,), (10, 43))], [(), (10,)])

    def test_options(self):
        self.assertEqual(options.rates_of("29, 10x"), (10, 29))
        for wrong in ("11", "", "10,,29", "x", "-1"):
            with self.assertRaises(ValueError):
                options.rates_of(wrong)
        with self.assertRaises(ValueError):
            options.parts_of("machine,peers")
        self.assertEqual(options.parts_of("report"), ())


class Words(unittest.TestCase):
    def entry(self, name, times, error="", **facts):
        facts = {"code": name, "placement": "arena", "weight_bytes": 4, "index_bytes": 1, "loads_after": 9} | facts
        return {"id": name, "label": f"rtmc {name}", "kind": "ours", "settings": "", "error": error, "facts": facts,
                "rounds": [{"min": t, "median": t, "calls": 1} for t in times]}

    def verdicts(self, *others):
        return [row.verdict for row in columns.ablation_rows({"competitors": [self.entry("full", [10, 10, 10]), *others]})]

    def test_what_an_idea_is_worth(self):
        self.assertEqual(self.verdicts(self.entry("a", [15, 15, 15]), self.entry("b", [40, 40, 40]), self.entry("c", [8, 8, 8])),
                         ["", "50 % more time without it", "4.00 times the time without it", "it costs here: 20 % less time without it"])

    def test_where_it_is_worth_nothing(self):
        same, noise = self.entry("same", [10, 10, 10], code="full"), self.entry("noise", [9.7, 10.0, 10.4])
        self.assertEqual(self.verdicts(same, noise)[1:], ["nothing here: the same code", "nothing that can be told from noise"])
        moved = self.entry("pages", [15, 15, 15], code="full", placement="in-place")
        self.assertEqual(self.verdicts(moved)[1:], ["50 % more time without it"], "the same code elsewhere in memory is not the same")

    def test_where_it_is_not_known(self):
        self.assertEqual(self.verdicts(self.entry("a", [10, 15, 10]), self.entry("b", [], error="it fell over"))[1:],
                         ["not known: rounds disagree by 50 %", "not measured"])

    def test_operations_as_the_paper_counts(self):
        self.assertEqual(paper.WEIGHTS, 9_556_992)
        self.assertAlmostEqual(paper.frame_gop(paper.WEIGHTS), 0.58)
        self.assertAlmostEqual(paper.gops(paper.WEIGHTS, 100.0), 191.13984)
        self.assertAlmostEqual(paper.speedup(301, "gpu"), 45.37, places=2)

    def test_warnings(self):
        quiet = {"load": 0.1, "huge_pages": "madvise"}
        self.assertEqual(machine.warnings({"cores": 2}, quiet), [])
        said = " ".join(machine.warnings({"cores": 2}, {"load": 3.5, "huge_pages": "never"}))
        self.assertIn("load 3.50 on 2 cores", said)
        self.assertIn("Huge pages are not available", said)

    def test_a_machine_without_a_second_core_has_no_barrier(self):
        rows = dict(tables.limits({"bandwidth": [], "cores": 1, "barrier_ns": 300.0, "gate_ns": 0.3})[1].rows)
        self.assertEqual(rows["ns per barrier of two threads"], "not measured: one core")
        self.assertEqual(rows["ns per gate (sigmoid or tanh)"], "0.30")


if __name__ == "__main__":
    unittest.main(verbosity=2)
