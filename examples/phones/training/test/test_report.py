"""The report on made-up scores, and preparation with files that are missing or damaged. Skips what needs a wheel that is not there."""
import argparse
import importlib.util
import json
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

import numpy

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[3] / "python")]
from phones.corpus import Segment, Utterance  # noqa: E402


def needs(*modules):
    missing = [m for m in modules if importlib.util.find_spec(m) is None]
    return unittest.skipIf(missing, f"not installed: {', '.join(missing)}")


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)


def score(name, wrong, table="bsp", rate=10.0, parent="dense-s0", epochs=10):
    """Of 40 utterances with 50 phones each, of 20 speakers."""
    seed = int(name[-1])
    counts = {"substitutions": list(map(int, wrong)), "deletions": [0] * 40, "insertions": [0] * 40, "phones": [50] * 40}
    run = {"name": name, "seed": seed, "parent": parent, "cell": "gru", "table": table, "rate": rate}
    return {"run": run, "training": f"of {name}", "curve": [0.5, 0.6], "epochs": epochs, "updates": epochs * 100, "rates": {"recurrent": rate * 0.98, "whole": rate * 0.9},
            "parts": {"test": {"per": sum(wrong) / 20, **counts, "frame_accuracy": 0.7}, "development": {"per": 1.0}}}


SPEAKERS = [str(i // 2) for i in range(40)]


@needs("rapidfuzz", "yaml", "torch")
class Rows(unittest.TestCase):
    def setUp(self):
        from phones import figures
        self.figures = figures
        self.dense = numpy.random.default_rng(1).integers(10, 20, 40)
        self.scores = {"dense-s0": score("dense-s0", self.dense, "dense", 1.0, None, 16),
                       "bsp10-s0": score("bsp10-s0", self.dense), "bsp29-s0": score("bsp29-s0", self.dense + 2, rate=29.0, parent="bsp10-s0"),
                       "bsp10-s1": score("bsp10-s1", self.dense)}
        paper = figures.paper_table(HERE.parent / "table1.yaml")
        self.rows = {r.run: r for r in figures.rows(self.scores, SPEAKERS, paper)}

    def test_losses_are_against_the_same_seed(self):
        self.assertIsNone(self.rows["dense-s0"].loss)
        self.assertEqual(self.rows["bsp10-s0"].loss.value, 0)
        self.assertAlmostEqual(self.rows["bsp29-s0"].loss.value, 4.0)
        self.assertIsNone(self.rows["bsp10-s1"].loss, "there is no dense network of seed 1")

    def test_what_was_spent_includes_the_parents(self):
        self.assertEqual([self.rows[n].epochs for n in ("dense-s0", "bsp10-s0", "bsp29-s0")], [16, 26, 36])

    def test_no_loss_needs_the_whole_interval(self):
        self.assertTrue(self.figures.no_loss(self.rows["bsp10-s0"].loss))
        self.assertFalse(self.figures.no_loss(self.rows["bsp29-s0"].loss))

    def test_scores_outlive_their_networks(self):
        """Kept, they give the same rows; beside another training of the dense network the losses stay those to the first."""
        from phones import kept
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        self.assertEqual(kept.load(folder / "none"), {})
        for name, row in self.rows.items():
            its = {**self.scores[name], "grid": [{"per": 1.0}]}
            kept.write(folder, its, self.figures.loss_as_json(row, its, self.scores.get(self.figures.dense_of(its["run"]))),
                       {"bsp10-s0": {"value": -1.0, "low": -2.0, "high": 0.5}} if name == "bsp29-s0" else {})
        again = kept.load(folder)
        self.assertEqual(set(again), set(self.scores))
        self.assertNotIn("grid", again["bsp10-s0"])
        paper = self.figures.paper_table(HERE.parent / "table1.yaml")
        self.assertEqual({r.run: r for r in self.figures.rows(again, SPEAKERS, paper)}, self.rows)
        again["dense-s0"] = {**score("dense-s0", self.dense + 1, "dense", 1.0, None, 16), "training": "a later one"}
        again["csb10-s0"] = score("csb10-s0", self.dense + 1, "csb")
        rows = {r.run: r for r in self.figures.rows(again, SPEAKERS, paper)}
        self.assertAlmostEqual(rows["bsp29-s0"].loss.value, 4.0)
        self.assertEqual((rows["bsp29-s0"].other_dense, rows["csb10-s0"].other_dense), (True, False))
        self.assertEqual(rows["csb10-s0"].loss.value, 0)
        # Some are known by their sums alone.
        for key in ("substitutions", "deletions", "insertions", "phones"):
            del again["bsp29-s0"]["parts"]["test"][key]
        self.assertEqual(self.figures.rows(again, SPEAKERS, paper)[list(again).index("bsp29-s0")].loss.value, rows["bsp29-s0"].loss.value)
        self.assertFalse(self.figures.has_errors(again["bsp29-s0"]))
        (folder / "broken.json").write_text("{")
        with self.assertRaisesRegex(RuntimeError, "broken.json is not what a report kept"):
            kept.load(folder)
        self.assertEqual(self.figures.compared(again, "bsp10-s0", "bsp29-s0", SPEAKERS).low, -2.0)
        self.assertIsNone(self.figures.compared(again, "bsp29-s0", "bsp10-s0", SPEAKERS))
        self.assertAlmostEqual(self.figures.compared(again, "csb10-s0", "bsp10-s0", SPEAKERS).value, 2.0)

    def test_scores_in_the_repository_are_of_runs_of_the_plan(self):
        """A report leaves out those of other runs, and says so in a line that is easily missed."""
        from phones import kept, plan
        from phones.run import complete
        planned = {r.name: r.as_json() for r in plan.runs() + plan.trials()}
        found = kept.load(HERE.parents[3] / "docs" / "results" / "phones" / "scores")
        self.assertIn("bsp10-s0", found)
        for name, one in found.items():
            self.assertEqual(complete(one["run"]), planned.get(name), name)

    def test_paper(self):
        self.assertEqual(self.rows["bsp29-s0"].paper, {"per": 19.6, "loss": 0.8, "relative": 4.3})

    @needs("matplotlib")
    def test_pictures_and_tables(self):
        from phones import pictures, report
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        found = list(self.rows.values())
        paper = self.figures.paper_table(HERE.parent / "table1.yaml")
        pictures.error_against_rate(found, paper, folder / "loss.svg")
        self.assertIn("<!-- RTMobile, TIMIT (Table I) -->", (folder / "loss.svg").read_text())
        pictures.curves(self.scores, folder / "curves.svg")
        self.assertIn("<!-- bsp10-s1 -->", (folder / "curves.svg").read_text())
        text = report._markdown(found, self.scores, SPEAKERS, {"date": "d", "processor": "p", "torch": "t", "labels_per": 0.5, "missing": ["csb10-s0"]},
                                "SAID")
        for part in ("| bsp29-s0 | 29 | 28.42 |", "**yes**, +0.00", "Runs of the plan that are not finished: csb10-s0.", "SAID"):
            self.assertIn(part, text)


@needs("kaldi_native_fbank", "soundfile", "scipy")
class Preparation(Folder):
    def utterance(self, name, seconds=1.0, content=None):
        import soundfile
        path = self.folder / f"{name}.wav"
        if content is None:
            soundfile.write(path, numpy.random.default_rng(len(name)).standard_normal(int(16000 * seconds)) * 0.1, 16000)
        else:
            path.write_bytes(content)
        return Utterance(name, f"speaker {name}", path, (Segment(0, 30), Segment(1, 60), Segment(0, int(100 * seconds) - 2)))

    def test_goes_on_without_damaged_files_and_says_so(self):
        from phones import dataset, preparation
        missing = Utterance("gone", "s", self.folder / "gone.wav", (Segment(0, 10),))
        parts = {"train": [self.utterance("a"), self.utterance("b", content=b"no sound"), missing], "test": [self.utterance("c", 1.5)]}
        lines = []
        preparation.prepare(parts, self.folder / "features", lines.append)
        text = "\n".join(lines)
        for part in ("b.wav", "gone.wav", "goes on without 2 of 3 utterances"):
            self.assertIn(part, text)
        for variant in dataset.variants():
            part = dataset.load(dataset.variant_path(self.folder / "features", variant))
            self.assertEqual(part.names, ["a"])
            self.assertEqual(len(part.inputs(0)), len(part.label(0)))
            self.assertEqual(sorted(set(part.label(0).tolist())), [0, 1])
        lines.clear()
        preparation.prepare(parts, self.folder / "features", lines.append)
        self.assertEqual(lines, [], "nothing is done twice")

    def test_normalisation_hears_only_what_was(self):
        from phones import audio
        frames = numpy.random.default_rng(5).standard_normal((200, 40)).astype(numpy.float32) * 3 + 7
        normalizer = audio.Normalizer.of([frames])
        whole, beginning = normalizer(frames), normalizer(frames[:50])
        self.assertTrue(numpy.array_equal(whole[:50], beginning))
        self.assertLess(abs(float(whole.mean())), 0.2)


@needs("torch")
class Commands(Folder):
    def test_refusals(self):
        from phones import commands
        with self.assertRaisesRegex(RuntimeError, "no run is called 'bps10-s0'"):
            commands.chosen(["bps10-s0"])
        self.assertEqual([r.name for r in commands.chosen(["bsp29-*"])], ["bsp29-s0"])
        with self.assertRaisesRegex(RuntimeError, "alignment.tsv: No such file"):
            commands.utterances(argparse.Namespace(data=self.folder))

    def test_a_finished_run_of_another_plan_is_not_taken(self):
        from phones import commands, plan
        options, run = argparse.Namespace(out=self.folder), plan.runs()[1]
        folder = commands.folder_of(options, run.name)
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps(run.as_dict()))
        self.assertFalse(commands.finished(options, run))
        (folder / "final.pt").touch()
        self.assertTrue(commands.finished(options, run))
        (folder / "run.json").write_text(json.dumps({**run.as_dict(), "peak": 7.0}))
        with self.assertRaisesRegex(RuntimeError, f"{run.name} is a finished run with another peak than the plan has"):
            commands.finished(options, run)

    def test_every_parent_is_in_the_plan_before_its_child(self):
        from phones import plan
        seen = set()
        for run in plan.runs():
            self.assertTrue(run.parent is None or run.parent in seen, run.name)
            self.assertNotIn(run.name, seen)
            json.dumps(run.as_dict())
            seen.add(run.name)


if __name__ == "__main__":
    unittest.main()
