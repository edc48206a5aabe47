"""rtmc.search's parts: the front, intervals, what texts mean, the user's functions, the output folder, the picture."""
import itertools
import json
import os
import random
import sys
import xml.etree.ElementTree

import numpy
from search_common import SearchCase, unittest, without

from rtmc.search import functions, metrics, report
from rtmc.search.candidates import candidates, precisions_of
from rtmc.search.errors import in_short
from rtmc.search.metrics import Evaluation, Failed, read_input
from rtmc.search.pareto import CONFIDENCE, ENOUGH, Interval, excluded, front, median_of
from rtmc.search.store import Store, changes, digest_of, key_of

try:
    import matplotlib
except ImportError:
    matplotlib = None


def dominates(a, b):
    return a[0] <= b[0] and a[1] <= b[1] and a != b


class ParetoTest(unittest.TestCase):
    def test_front_against_all_pairs(self):
        draw = random.Random(11)
        for trial in range(2000):
            most = draw.choice((2, 4, 100))  # few values make ties
            points = [(draw.randint(0, most), draw.randint(-most, most)) for _ in range(draw.randint(0, 12))]
            expected = [not any(dominates(other, point) for other in points) for point in points]
            self.assertEqual(front(points), expected, (trial, points))

    def test_ties(self):
        self.assertEqual(front([]), [])
        self.assertEqual(front([(1, 1), (1, 1)]), [True, True])
        self.assertEqual(front([(1, 2), (1, 1), (2, 1)]), [False, True, False])

    def test_intervals_against_all_outcomes(self):
        """n fair coins: below or above the true median. The k-th smallest and largest hold it where k are on each side."""
        for n in range(1, 13):
            counts = [sum(coins) for coins in itertools.product((0, 1), repeat=n)]
            chance = {k: sum(k <= below <= n - k for below in counts) / 2**n for k in range(1, n // 2 + 1)}
            wide = [k for k, p in chance.items() if p >= CONFIDENCE] or [k for k in (1,) if chance.get(k, 0) >= ENOUGH]
            samples = list(range(100, 100 + n))
            random.Random(n).shuffle(samples)
            found = median_of(samples)
            self.assertEqual(found.median, 100 + (n - 1) / 2)
            if not wide:
                self.assertLess(n, 5)
                self.assertEqual((found.low, found.high, found.coverage), (None, None, 0.0))
            else:
                self.assertEqual((found.low, found.high), (99 + max(wide), 100 + n - max(wide)), n)
                self.assertAlmostEqual(found.coverage, chance[max(wide)])

    def test_noise_excludes_only_the_surely_slower(self):
        def at(low, high):
            return Interval((low + high) / 2, low, high, 0.97)
        times = [at(1, 2), at(2, 3), at(2.1, 3), at(5, 6)]
        self.assertEqual(excluded(times, [1, 1, 1, 0]), [False, False, True, False])  # intervals that touch are not ordered
        self.assertEqual(excluded([Interval(1, None, None, 0), at(5, 6)], [1, 1]), [False, False])

    def test_members_are_never_excluded(self):
        draw = random.Random(12)
        for trial in range(500):
            times = [median_of([draw.choice((1, 2, 3)) + draw.random() for _ in range(draw.choice((1, 5, 6, 9)))]) for _ in range(8)]
            costs = [draw.randint(0, 3) for _ in times]
            members = front([(time.median, cost) for time, cost in zip(times, costs)])
            for member, out in zip(members, excluded(times, costs)):
                self.assertFalse(member and out, trial)


class CandidatesTest(SearchCase):
    def test_products(self):
        found = candidates("bsp", ["16x64", (32, 128), " 16x64 "], [10, "10.0", "29/10", "16x1.25", (4, 2)])
        self.assertEqual([c.id for c in found], [f"{block}-{rate}" for block in ("16x64", "32x128")
                                                 for rate in ("10", "29_10", "16x1.25", "4x2")])
        self.assertEqual(found[0].prune_words(), ["--scheme", "bsp", "--block", "16x64", "--rate", "10"])
        self.assertEqual(found[2].prune_words(), ["--scheme", "bsp", "--block", "16x64", "--column-rate", "16", "--row-rate", "1.25"])
        self.assertEqual(found[3].config(), {"scheme": "bsp", "block": (16, 64), "column_rate": "4", "row_rate": "2"})

    def test_refusals(self):
        for text, scheme, blocks, rates in (
                ("did you mean 'bsp'", "bps", ["4x4"], [2]), ("row has no blocks to search", "row", ["4x4"], [2]),
                ("no block was given", "bsp", [], [2]), ("no rate was given", "bsp", ["4x4"], []),
                ("'16*64' is no block; ROWSxCOLUMNS such as 16x64 is needed; did you mean '16x64'?", "bsp", ["16*64"], [2]),
                ("'16' is no block", "bsp", [16], [2]), ("'-4x4' is no block", "bsp", ["-4x4"], [2]),
                ("'0x4' is empty", "bsp", ["0x4"], [2]), ("'(4, 4.5)' is no block", "bsp", [(4, 4.5)], [2]),
                ("'10x' is no rate", "bsp", ["4x4"], ["10x"]), ("did you mean '10'?", "bsp", ["4x4"], ["10x"]),
                ("at least 1 is needed", "bsp", ["4x4"], [0.5]), ("'1/0'", "bsp", ["4x4"], ["1/0"]),
                ("'nan' is no rate", "bsp", ["4x4"], ["nan"]),
                ("block has one rate; bsp and bcr have two", "block", ["4x4"], ["4x2"]),
                ("a bank is (1, width)", "bank", ["4x4"], [2])):
            self.refuses(text, candidates, scheme, blocks, rates)
        self.refuses("no precision 'bf17'; did you mean 'bf16'", precisions_of, ["bf17"])
        self.refuses("none was given", precisions_of, [])


class FunctionsTest(SearchCase):
    def file(self, name, text):
        (self.folder / name).write_text(text)
        self.addCleanup(lambda: str(self.folder) in sys.path and sys.path.remove(str(self.folder)))
        return str(self.folder / name)

    def test_found(self):
        self.file("beside_it.py", "VALUE = 3\n")
        path = self.file("mine.py", "from beside_it import VALUE\n\n\ndef evaluate(folder):\n    return VALUE\n\n\n"
                                    "def other(folder):\n    return 4\n")
        self.assertEqual(functions.load(path, "evaluate", "--evaluate")("x"), 3)
        self.assertEqual(functions.load(path + ":other", "evaluate", "--evaluate")("x"), 4)
        self.assertEqual(functions.name_of(functions.load(path, "evaluate", "--evaluate")), "mine.py:evaluate")

    def test_refused(self):
        self.refuses("--evaluate: there is no file", functions.load, str(self.folder / "no.py"), "evaluate", "--evaluate")
        path = self.file("some.py", "def evalute(folder):\n    return 1\n")
        self.refuses("has no function 'evaluate'; did you mean 'evalute'?", functions.load, path, "evaluate", "--evaluate")
        path = self.file("broken.py", "x = 1\ny = x / 0\n")
        self.refuses("cannot be imported: ZeroDivisionError: division by zero (broken.py, line 2)", functions.load, path, "f", "--train")
        path = self.file("leaves.py", "import sys\nsys.exit('usage')\n")
        self.refuses("cannot be imported: SystemExit: usage", functions.load, path, "f", "--train")
        self.refuses("no Python file", functions.load, self.file("text.txt", ""), "f", "--train")

    def test_fingerprint(self):
        def mark(text):
            path = self.file("again.py", text)
            sys.modules.pop(functions.load(path, "evaluate", "--evaluate").__module__)
            return functions.fingerprint(functions.load(path, "evaluate", "--evaluate"))
        first = mark("def evaluate(folder):\n    return 1\n")
        self.assertEqual(mark("def evaluate(folder):\n    return 1\n"), first)
        self.assertNotEqual(mark("def evaluate(folder):\n    return 2\n"), first)
        self.assertEqual(functions.fingerprint(len), "")  # no source


class MetricsTest(SearchCase):
    def measure(self, returned, metric=None):
        return Evaluation(lambda folder: returned, metric, False).measure("folder", "any", {})

    def fails(self, text, call, *arguments):
        with self.assertRaises(Failed) as raised:
            call(*arguments)
        self.assertIn(text, str(raised.exception))

    def test_what_evaluate_returns(self):
        self.assertEqual(self.measure(3), ("metric", 3.0, {}))
        self.assertEqual(self.measure(numpy.float32(0.5), "PER"), ("PER", 0.5, {}))
        self.assertEqual(self.measure(numpy.array([2.0]).sum()), ("metric", 2.0, {}))
        self.assertEqual(self.measure({"PER": 20}), ("PER", 20.0, {}))
        self.assertEqual(self.measure({"PER": 20, "loss": float("nan"), "note": "x"}, "PER"), ("PER", 20.0, {"loss": "nan", "note": "x"}))

    def test_what_it_must_not_return(self):
        for value, text in ((float("nan"), "evaluate returned nan; a finite number"), (float("inf"), "a finite number"),
                            (None, "returned None; a number is needed"), ("3", "returned '3'; a number"), (True, "returned True"),
                            ([1, 2], "returned a list; a number"), ({"a": 1, "b": 2}, "returned a, b; --metric names the one"),
                            ({}, "returned nothing")):
            self.fails(text, self.measure, value)
        self.fails("returned a, b; 'PER' is not among them", self.measure, {"a": 1, "b": 2}, "PER")
        self.fails("evaluate returned for 'PER' nan", self.measure, {"PER": float("nan")})

    def test_inputs(self):
        def saved(value):
            numpy.save(self.folder / "x.npy", value)
            return self.folder / "x.npy"
        self.assertEqual([x.shape for x in read_input(saved(numpy.zeros((2, 3, 4))))], [(3, 4), (3, 4)])
        self.assertEqual(len(read_input(saved(numpy.zeros((3, 4), "f4")))), 1)
        self.refuses("there is no file", read_input, self.folder / "no.npy")
        self.refuses("are needed", read_input, saved(numpy.zeros(3)))
        self.refuses("are needed", read_input, saved(numpy.zeros((0, 3))))
        self.refuses("NaN or infinite", read_input, saved(numpy.full((2, 2), numpy.nan)))
        self.refuses("are needed", read_input, saved(numpy.array([["a"]])))
        (self.folder / "x.npy").write_text("text")
        self.refuses("no .npy file of numbers", read_input, self.folder / "x.npy")

    def test_difference_of_outputs_is_relative(self):
        numpy.save(self.folder / "x.npy", numpy.ones((3, 2)))
        metric = metrics.OutputDifference(self.folder / "x.npy", "dense")
        outputs = {("dense", "f32"): [numpy.array([[3.0, 4.0]])], ("pruned", "bf16"): [numpy.array([[3.0, 3.0]])]}
        metric._outputs = lambda model, precision: outputs[model, precision]
        metric.prepare()
        self.assertEqual(metric.measure("pruned", "bf16", {})[:2], ("output difference", 0.2))
        outputs["dense", "f32"] = [numpy.zeros((1, 2))]
        metric.reference = []
        self.refuses("nothing to compare with", metric.prepare)


class StoreTest(SearchCase):
    IDENTITY = {"model": {"model.yaml": "12", "weights": "34"}, "scheme": "bsp"}

    def test_records_come_back(self):
        store = Store(self.folder / "a", self.IDENTITY)
        store.save_record("8x8-2", {"model": {"error": ""}})
        store.close()
        store = Store(self.folder / "a", self.IDENTITY)
        self.addCleanup(store.close)
        self.assertEqual(store.record("8x8-2"), {"model": {"error": ""}})
        self.assertEqual(store.record("8x8-4"), {})
        self.assertEqual(sorted(os.listdir(self.folder / "a")), [".lock", "candidates", "sweep.json"])
        self.assertEqual(os.listdir(self.folder / "a/candidates/8x8-2"), ["record.json"])  # no temporary files

    def test_other_folders(self):
        Store(self.folder / "a", self.IDENTITY).close()
        other = {**self.IDENTITY, "model": {"model.yaml": "12", "weights": "56"}, "scheme": "csb"}
        self.refuses("another sweep: model: weights was '34', is '56'; scheme was 'bsp', is 'csb'", Store, self.folder / "a", other)
        (self.folder / "a/mine.txt").write_text("")
        (self.folder / "a/results.md").write_text("")
        Store(self.folder / "a", other, anew=True).close()
        self.assertEqual(sorted(os.listdir(self.folder / "a")), [".lock", "mine.txt", "sweep.json"])
        (self.folder / "b").mkdir()
        (self.folder / "b/mine.txt").write_text("")
        self.refuses("holds other files and no sweep", Store, self.folder / "b", self.IDENTITY)
        self.refuses("holds other files and no sweep", Store, self.folder / "b", self.IDENTITY, anew=True)
        self.refuses("is no folder", Store, self.folder / "b/mine.txt", self.IDENTITY)
        for text, words in (("{", "cannot be read as a sweep"), ("[]", "cannot be read"),
                            ('{"identity": {}, "runs": []}', "has format None")):
            (self.folder / "a/sweep.json").write_text(text)
            self.refuses(words, Store, self.folder / "a", self.IDENTITY)

    def test_killed_before_the_first_file(self):
        (self.folder / "a").mkdir()
        (self.folder / "a/sweep.json.17.tmp").write_text("{")
        Store(self.folder / "a", self.IDENTITY).close()

    def test_one_process_at_a_time(self):
        store = Store(self.folder / "a", self.IDENTITY)
        self.refuses("another process is searching", Store, self.folder / "a", self.IDENTITY)
        store.close()
        Store(self.folder / "a", self.IDENTITY).close()

    def test_digests(self):
        (self.folder / "a").write_text("1")
        (self.folder / "b").write_text("")
        whole = digest_of(self.folder / "a", self.folder / "b")
        (self.folder / "a").write_text("")
        (self.folder / "b").write_text("1")
        self.assertNotEqual(digest_of(self.folder / "a", self.folder / "b"), whole)
        self.assertEqual(digest_of(self.folder / "a", self.folder / "c"), "")
        self.assertEqual(key_of({"a": 1, "b": 2}), key_of({"b": 2, "a": 1}))
        self.assertEqual(changes({"a": 1, "c": {"d": 2}}, {"b": None, "c": {"d": 3}}), ["a was 1, is not there", "c: d was 2, is 3"])


def found(**more):
    """What results.of() gives of three candidates."""
    rows = []
    for i, (block, rate) in enumerate(((4, "2"), (8, "4"), (16, "8"))):
        rows.append({"id": f"{block}x{block}-{rate}", "label": f"{block}x{block} at {rate}x", "block": [block, block], "rate": rate,
                     "column_rate": None, "row_rate": None, "precision": "f32", "pareto": i < 2, "not_excluded": i == 2, "not_ordered": [],
                     "error": "", "metric": 20.0 + i, "realised_rate": float(rate), "cut": [], "rounds": 6, "step_us": 10.0 - i,
                     "step_us_low": 9.5 - i, "step_us_high": 10.5 - i, "over_dense": 2.0, "over_dense_low": 1.9, "over_dense_high": 2.1,
                     "weight_bytes": 10, "index_bytes": 1})
    return {"model": "model.yaml", "scheme": "bsp", "pruning": "one shot", "coverage": 0.97, "rows": rows,
            "metric": {"name": "PER", "what": "mine", "lower_is_better": True}, "timing": {"options": "--threads 1"}, "failed": 0,
            "load": 0.5,
            "machine": {"processor": "a", "family": "", "architecture": "b", "cores": 1, "memory_gib": 2},
            "runs": [{"at": "today", "load": 0.0, "rtmc": "rtmc", "compiler": "c"}], "no_picture": "",
            "dense": [{"precision": "f32", "metric": 19.0, "step_us": 20.0, "error": ""}], **more}


class ReportTest(SearchCase):
    def test_without_matplotlib(self):
        (self.folder / "pareto.svg").write_text("of an earlier run")
        with without("matplotlib"):
            told = report.write(self.folder, found())
        self.assertIn("matplotlib cannot be imported", told["no_picture"])
        self.assertEqual(sorted(os.listdir(self.folder)), ["results.json", "results.md"])
        text = (self.folder / "results.md").read_text()
        self.assertIn("No picture: matplotlib cannot be imported", text)
        self.assertIn("| * | 4x4 | 2 | 2 | f32 | 20 | 10 (9.5 - 10.5) |", text)
        self.assertEqual(json.loads((self.folder / "results.json").read_text())["rows"][0]["metric"], 20.0)

    def test_failures_and_oddities(self):
        data = found()
        data["rows"][0].update(error="rtmc ended with status 1:\na|b went wrong\nmore")
        data["rows"][1].update(realised_rate=2.0)
        del data["rows"][2]["step_us"]
        text = report.markdown(data)
        self.assertIn("| 4x4 | 2 | f32 | 10 (9.5 - 10.5) | a\\|b went wrong |", text)
        self.assertIn("8x8 at 4x keeps 1 in 2.", text)
        self.assertIn("Not measured yet: 16x16 at 8x f32.", text)
        self.assertNotIn("| 16x16 |", text)

    def test_short_messages(self):
        self.assertEqual(in_short("rtmc ended with status 2:\nfirst\nsecond"), "first")
        self.assertEqual(in_short("only"), "only")
        self.assertEqual(in_short(" \n"), "no reason was given")
        self.assertEqual(len(in_short("x" * 1000)), 240)

    @unittest.skipIf(matplotlib is None, "no matplotlib")
    def test_picture(self):
        told = report.write(self.folder, found())
        self.assertEqual(told["no_picture"], "")
        svg = (self.folder / "pareto.svg").read_text()
        texts = [element.text for element in xml.etree.ElementTree.fromstring(svg).iter() if element.tag.endswith("}text")]
        for label in ("4x4 at 2x", "8x8 at 4x", "16x16 at 8x", "PER (lower is better)"):
            self.assertEqual(texts.count(label), 1, texts)
        report.write(self.folder, found())
        self.assertEqual((self.folder / "pareto.svg").read_text(), svg)
        data = found()
        for row in data["rows"]:
            row["error"] = "failed"
        told = report.write(self.folder, data)
        self.assertIn("no candidate has both", told["no_picture"])
        self.assertFalse((self.folder / "pareto.svg").exists())

    @unittest.skipIf(matplotlib is None, "no matplotlib")
    def test_crowded_picture(self):
        data = found(model="$<a>_$.yaml")
        row = data["rows"][0]
        data["rows"] = [{**row, "label": f"label {i}", "step_us": 10 + 0.001 * i, "step_us_low": None, "step_us_high": None}
                        for i in range(60)]
        report.write(self.folder, data)
        svg = (self.folder / "pareto.svg").read_text()
        self.assertTrue(all(f">label {i}<" in svg for i in range(60)))
        self.assertIn(">$&lt;a&gt;_$.yaml: bsp", svg)


if __name__ == "__main__":
    unittest.main()
