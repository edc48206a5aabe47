"""Runs on made-up features: learning, pruning in a chain, and going on after a kill with the same bits. Needs numpy and PyTorch."""
import dataclasses
import json
import os
import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy
import torch

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[3] / "python")]
from phones import batches, dataset, labels, network, realignment, training  # noqa: E402
from phones.corpus import PHONES, Segment, Utterance  # noqa: E402
from phones.dataset import Part, stack  # noqa: E402
from phones.labels import BANDS, STACK  # noqa: E402
from phones.run import Run  # noqa: E402

CHAIN = {"scheme": "bsp", "block": [4, 20], "column_rate": 4, "row_rate": 2, "rho": [0.1, 1.0], "epochs_per_rho": 1, "extra_epochs": 0,
         "tolerance": 0.9, "retrain_epochs": [0, 2]}
FIRST = {**CHAIN, "row_rate": 1, "retrain_epochs": [2]}


def part(seed, utterances=16):
    """Which of four phones is spoken stands in the features."""
    random = numpy.random.default_rng(seed)
    features, labels = [], []
    for _ in range(utterances):
        steps = int(random.integers(4, 12))
        label = random.integers(1, 5, steps)
        x = random.standard_normal((steps * STACK, BANDS)) * 0.3
        for k in range(8):  # in many bands: some are masked
            x[numpy.arange(steps * STACK), numpy.repeat(label + 5 * k, STACK)] += 2
        features.append(x.astype(numpy.float16))
        labels.append(label)
    return Part([f"u{i}" for i in range(utterances)], ["s"] * utterances, numpy.concatenate(features),
                numpy.cumsum([0, *map(len, features)]), numpy.concatenate(labels), numpy.cumsum([0, *map(len, labels)]))


class Stop(Exception):
    pass


class Runs(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        torch.set_num_threads(1)
        self.variants, self.development = [part(1), part(2)], part(3, 6)

    def go(self, run, folder, parent=None, stop_after=None):
        lines = []

        def say(text):
            lines.append(text)
            if len(lines) == stop_after:
                raise Stop
        (self.folder / folder).mkdir(exist_ok=True, parents=True)
        training.Training(run, self.folder / folder, self.variants, self.development, parent, say, torch.float32).go_on()
        return training.load_final(self.folder / folder)

    def dense(self, epochs=20):
        return self.go(Run("dense", 1, units=20, epochs=epochs, batch=2, window=5, delay=1, peak=2e-2, dropout=0.1), "dense")

    def test_learns(self):
        self.assertGreater(self.dense()["development_accuracy"], 0.8)
        log = [json.loads(line) for line in (self.folder / "dense" / "log.jsonl").read_text().splitlines()]
        self.assertEqual([r["epoch"] for r in log], list(range(1, 21)))
        self.assertLess(log[-1]["loss"], log[0]["loss"])

    def test_a_chain_keeps_its_columns(self):
        self.dense(2)
        run = Run("columns", 1, units=20, batch=4, delay=1, peak=5e-3, pruning=FIRST)
        first = self.go(run, "first", self.folder / "dense")
        second = self.go(Run("rows", 1, units=20, batch=4, delay=1, peak=5e-3, pruning=CHAIN), "second", self.folder / "first")
        for name, mask in second["masks"].items():
            self.assertEqual(int((second["model"][name][~mask] != 0).sum()), 0)
            self.assertEqual(int((mask & ~first["masks"][name]).sum()), 0, "a column came back")
            self.assertAlmostEqual(mask.numel() / int(mask.sum()), 8, delta=1.5)
        # The columns are in place already: no epoch is spent on them.
        stages = [json.loads(line)["step"] for line in (self.folder / "second" / "log.jsonl").read_text().splitlines()]
        self.assertEqual(stages, [1, 1, 1, 1])

    def test_goes_on_with_the_same_bits(self):
        self.dense(1)
        run = Run("pruned", 1, units=20, batch=4, delay=1, peak=5e-3, pruning=FIRST, average=2)
        whole = self.go(run, "whole", self.folder / "dense")
        for stop_after in (1, 2, 3):
            with self.assertRaises(Stop):
                self.go(run, f"cut{stop_after}", self.folder / "dense", stop_after)
            cut = self.go(run, f"cut{stop_after}", self.folder / "dense")
            for name, value in whole["model"].items():
                self.assertTrue(torch.equal(value, cut["model"][name]), name)
            logs = [[{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in (self.folder / f / "log.jsonl").read_text().splitlines()]
                    for f in ("whole", f"cut{stop_after}")]
            self.assertEqual(*logs)

    def test_a_changed_run_does_not_go_on(self):
        run = Run("dense", 1, units=20, epochs=3, batch=4, delay=1)
        with self.assertRaises(Stop):
            self.go(run, "one", stop_after=2)
        with self.assertRaisesRegex(training.RunError, "other values"):
            self.go(Run("dense", 1, units=20, epochs=4, batch=4, delay=1), "one")

    def test_retraining_of_a_candidate(self):
        """retrain.py on features that lie on the disk."""
        import retrain
        from rtmc.search.candidates import candidates
        (self.folder / "features").mkdir()
        paths = [dataset.variant_path(Path(), v).name for v in dataset.variants()]
        for name, what in [*((p, part(1)) for p in paths), ("development.npz", self.development)]:
            numpy.savez(self.folder / "features" / name, **dataclasses.asdict(what))
        self.go(Run("dense", 1, units=128, epochs=1, batch=4, delay=1), "runs/dense-s0")
        (candidate,) = candidates("bsp", ["8x128"], ["4"])
        with mock.patch.dict(os.environ, {"PHONES_OUT": str(self.folder), "PHONES_EPOCHS": "1"}), mock.patch.object(retrain.commands, "say"):
            for out in ("one", "again"):  # the second time nothing is trained
                retrain.train(candidate, str(self.folder / out))
                self.assertTrue((self.folder / out / "model.yaml").exists())
        (run,) = (self.folder / "search" / "dense-s0-1").iterdir()
        self.assertEqual(len((run / "log.jsonl").read_text().splitlines()), 1)
        for mask in training.load_final(run)["masks"].values():
            self.assertAlmostEqual(mask.numel() / int(mask.sum()), 4, delta=0.1)
            blocks = mask.view(-1, 8, mask.shape[1])
            self.assertTrue(torch.equal(blocks.any(1), blocks.all(1)))


class Batches(unittest.TestCase):
    def test_every_utterance_once_and_labels_late(self):
        variants = [part(1), part(2)]
        seen = [i for chosen in batches.plan(variants, 4, 7, 0) for _, i in chosen]
        self.assertEqual(sorted(seen), list(range(16)))
        x, y = [stack(numpy.ones((7, BANDS), numpy.float32)), stack(numpy.ones((3, BANDS), numpy.float32))], [numpy.array([1, 2, 3]), numpy.array([4])]
        batch = batches.pad(x, y, 2)
        self.assertEqual(batch.inputs.shape, (5, 2, STACK * BANDS))
        self.assertEqual(batch.labels[:, 0].tolist(), [batches.IGNORED] * 2 + [1, 2, 3])
        self.assertEqual(batch.labels[:, 1].tolist(), [batches.IGNORED] * 2 + [4] + [batches.IGNORED] * 2)
        self.assertTrue(bool((batch.inputs[:3, 1] == 1).all()) and bool((batch.inputs[3:, 1] == 0).all()))

    def test_posteriors_do_not_depend_on_their_batch(self):
        torch.manual_seed(1)
        model, one = network.Recognizer(16), part(4)
        inputs = [one.inputs(i) for i in range(len(one))]
        together, alone = network.log_posteriors(model, inputs, 2), network.log_posteriors(model, inputs, 2, batch=1)
        for i, (a, b) in enumerate(zip(together, alone)):
            self.assertEqual(len(a), len(inputs[i]))
            self.assertTrue(torch.allclose(a, b, atol=1e-5))


class Hears(torch.nn.Module):
    """Answers at once, and right, what part() has put into the features."""

    def forward(self, inputs, state=None):
        bands = inputs.reshape(*inputs.shape[:2], STACK, BANDS).mean(2)
        logits = torch.full((*inputs.shape[:2], len(PHONES)), -20.0)
        for label in range(1, 5):
            logits[..., label] = 5 * bands[..., [label + 5 * k for k in range(8)]].mean(-1)
        return logits, state


class Realignment(unittest.TestCase):
    def test_boundaries_that_were_moved_are_found_again(self):
        true = part(5)
        phones = [labels.collapse(true.label(i)) for i in range(len(true))]
        moved = [numpy.repeat(p, [len(true.label(i)) - len(p) + 1] + [1] * (len(p) - 1)) for i, p in enumerate(phones)]
        wrong = dataclasses.replace(true, labels=numpy.concatenate(moved))
        self.assertFalse(numpy.array_equal(wrong.labels, true.labels))
        self.assertEqual(realignment.likeliest(Hears(), wrong, phones, 0).tolist(), true.labels.tolist())

    def test_too_many_phones_keep_their_labels(self):
        true = part(6, 2)
        phones = [[1, 2] * len(true.label(0)), labels.collapse(true.label(1))]
        self.assertEqual(realignment.likeliest(Hears(), true, phones, 0).tolist(), true.labels.tolist())

    def test_every_noise_of_a_speed_gets_the_labels_of_the_clean_variant(self):
        clean = part(7)
        noisy = dataclasses.replace(clean, features=numpy.zeros_like(clean.features))
        spoken = [Utterance(name, "s", Path(name), tuple(Segment(p, 0) for p in labels.collapse(clean.label(i)))) for i, name in enumerate(clean.names)]
        with mock.patch.object(realignment, "load_model", lambda folder: (Hears(), {"run": {"delay": 0}})):
            found = realignment.realigned([clean, *[noisy] * (dataset.NOISES - 1)] * 2, spoken, Path("aligner"))
        self.assertEqual(len(found), 2 * dataset.NOISES)
        for one in found:
            self.assertEqual(one.labels.tolist(), clean.labels.tolist())
        self.assertIs(found[1].features, noisy.features)


if __name__ == "__main__":
    unittest.main()
