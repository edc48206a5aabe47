"""rtmc.search from beginning to end with a program rtmc that measures nothing: what is done when, what is kept, what fails alone."""
import json
import pathlib
import signal
from unittest import mock

from search_common import FakeCase, copy_of, row_of, shutil, unittest

from rtmc.build import CompileError
from rtmc.search import __main__ as command
from rtmc.search import machine

FOUR = ["4x4-2", "4x4-4", "8x8-2", "8x8-4"]
BAD_METRIC = """import os
def evaluate(folder):
    if folder.endswith("4x4-4"):
        raise ValueError("no speech")
    if folder.endswith("8x8-2"):
        return float("nan")
    return {"PER": len(folder), "loss": 1}
"""


class SweepTest(FakeCase):
    def test_all_of_it(self):
        found = self.sweep(precisions=("f32", "bf16"))
        self.assertEqual([(row["id"], row["precision"]) for row in found["rows"]], [(id, p) for id in FOUR for p in ("f32", "bf16")])
        row = row_of(found, "8x8-4", "bf16")
        self.assertEqual((row["step_us"], row["dense_step_us"], row["over_dense"], row["rounds"]), (13.5, 50.0, 50 / 13.5, 2))
        self.assertEqual((row["realised_rate"], row["weight_bytes"], row["metric"]), (4.0, 1000, 0.5 / 1.064))
        # 8x8 is faster and 4x4 keeps more; in f32 everything is slower at the same norm.
        self.assertEqual([row["id"] for row in found["rows"] if row["pareto"] and row["precision"] == "bf16"], FOUR)
        self.assertFalse(any(row["pareto"] for row in found["rows"] if row["precision"] == "f32"))
        self.assertEqual(found["failed"], 0)
        self.assertEqual(found["metric"]["name"], "kept norm")
        self.assertEqual(copy_of(json.loads((self.out / "results.json").read_text())), copy_of(json.loads(json.dumps(found))))
        self.assertEqual([row["step_us"] for row in found["dense"]], [100.0, 50.0])

    def test_texts_are_lists(self):
        found = self.sweep("4x4,8x8", "2, 4", precisions="f32,bf16", rounds=1)
        self.assertEqual(len(found["rows"]), 8)

    def test_a_busy_machine(self):
        with mock.patch.object(machine, "load", lambda: 2.5):
            found = self.sweep(["4x4"], [2])
        self.assertEqual(found["load"], 2.5)
        self.assertIn("The machine was busy with other things: load 2.5", (self.out / "results.md").read_text())
        with mock.patch.object(machine, "load", lambda: 1.2):
            self.sweep(["4x4"], [2], again="times")
        self.assertNotIn("busy", (self.out / "results.md").read_text())

    def test_turns(self):
        self.sweep(rounds=3)
        self.assertEqual(self.timed(), FOUR + FOUR[1:] + FOUR[:1] + FOUR[2:] + FOUR[:2])
        # All models and metrics come before the first time.
        order = [line.split()[0] for line in self.log.read_text().splitlines()]
        self.assertEqual(order.index("bench"), len(order) - 12)

    def test_nothing_is_done_twice(self):
        asked = []
        first = self.sweep(evaluate=lambda folder: asked.append(folder) or 3.0, metric="PER")
        self.assertEqual(len(asked), 5)  # the model as given too
        again = self.sweep(evaluate=lambda folder: asked.append(folder) or 3.0, metric="PER")
        self.assertEqual((len(asked), self.calls("prune"), self.timed()), (5, [], []))
        self.assertEqual(copy_of(again), copy_of(first))

    def test_options_go_where_they_belong(self):
        self.sweep(["4x4"], ["16x1.25"], prune_options=["--layer", "gru*", "--block", "gru.weight_ih=2x2"], threads=3, steps_per_call=8,
                   quick=True, rounds=1)
        pruned, = self.calls("prune")
        self.assertEqual(pruned[2:-4], ["--scheme", "bsp", "--block", "4x4", "--column-rate", "16", "--row-rate", "1.25", "--layer", "gru*",
                                        "--block", "gru.weight_ih=2x2"])
        timed, = self.calls("bench")
        self.assertIn("--precision f32 --against dense --threads 3 --steps-per-call 8 --quick", " ".join(timed))
        looks = [line for line in self.log.read_text().splitlines() if "unstructured" in line]
        self.assertTrue(looks and all("--layer gru*" in line and "gru.weight_ih" not in line for line in looks))

    def test_blocks_larger_than_a_gate(self):
        found = self.sweep(["8x8", "8x16"], [2])
        self.assertIn("--clip would cut", row_of(found, "8x16-2")["error"])
        self.assertIn("blocks of 8x16 are larger than 16x8", row_of(found, "8x16-2")["error"])
        self.assertEqual((row_of(found, "8x8-2")["error"], found["failed"]), ("", 1))
        self.refuses("clip was false, is true", self.sweep, ["8x16"], [2], clip=True)
        self.out = self.folder / "clipped"
        found = self.sweep(["8x16"], [2], clip=True)
        self.assertEqual((found["failed"], found["rows"][0]["cut"]), (0, [["gru.weight_ih", "8x8"]]))
        self.assertIn("gru.weight_ih in 8x8 of 8x16", (self.out / "results.md").read_text())


class ResumeTest(FakeCase):
    def test_killed_while_timing(self):
        whole = copy_of(self.sweep())
        shutil.rmtree(self.out)
        self.log.write_text("")
        done = self.command("--blocks", "4x4,8x8", "--rates", "2,4", "--rounds", "2", FAKE_KILLS="6")
        self.assertEqual(done.returncode, -signal.SIGKILL, done.stderr)
        self.assertEqual(self.timed(), FOUR + [FOUR[1], FOUR[2]])  # the sixth was not finished
        found = self.sweep()
        self.assertEqual(self.timed(), [FOUR[2], FOUR[3], FOUR[0]])
        self.assertEqual(self.calls("prune"), [])
        self.assertEqual(len(found["runs"]), 2)
        self.assertEqual(copy_of(found), whole)

    def test_killed_while_evaluating(self):
        evaluation = self.folder / "my_eval.py"
        asked = self.folder / "asked"
        evaluation.write_text(f"import os\ndef evaluate(folder):\n    with open({str(asked)!r}, 'a') as f:\n"
                              "        print(os.path.basename(folder), file=f)\n"
                              "    if folder.endswith('4x4-4') and 'KILL' in os.environ:\n        os.kill(os.getpid(), 9)\n"
                              "    return 1.5\n")
        words = ("--blocks", "4x4,8x8", "--rates", "2,4", "--rounds", "1", "--evaluate", str(evaluation))
        self.assertEqual(self.command(*words, KILL="1").returncode, -signal.SIGKILL)
        done = self.command(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(asked.read_text().split(), ["dense", "4x4-2", "4x4-4", "4x4-4", "8x8-2", "8x8-4"])
        self.assertIn("on the front: 8x8 at 4x, f32: metric 1.5", done.stdout)

    def test_more_and_fewer_candidates(self):
        self.sweep(["4x4"], [2, 4])
        self.sweep(["4x4"], [4], rounds=3)
        self.assertEqual(self.timed(), ["4x4-4"])  # one more round of what was timed in the same turns
        found = self.sweep(["4x4", "8x8"], [4])
        self.told("times are measured again: there are other models")
        self.assertEqual([pathlib.Path(words[-3]).parent.name for words in self.calls("prune")], ["8x8-4"])
        self.assertEqual(self.timed(), ["4x4-4", "8x8-4", "8x8-4", "4x4-4"])
        self.assertEqual([row["rounds"] for row in found["rows"]], [2, 2])

    def test_another_machine_or_program(self):
        self.sweep()
        other = {**machine.machine(), "processor": "another one"}
        with mock.patch.object(machine, "machine", lambda: other):
            found = self.sweep()
        self.told("times are measured again: machine: processor was")
        self.assertEqual((len(self.timed()), self.calls("prune"), found["machine"]), (8, [], other))
        self.program.write_text(self.program.read_text() + "# rebuilt\n")
        with mock.patch.object(machine, "machine", lambda: other):
            self.sweep(evaluate=None)
        self.told("times are measured again: rtmc_hash was")
        self.assertEqual(len(self.timed()), 8)
        self.sweep(threads=2)
        self.told("options was '--threads 1', is '--threads 2'")

    def test_another_model_or_scheme(self):
        self.sweep()
        (self.folder / "weights.txt").write_text("others")
        self.refuses("output of another sweep: model: weights.txt was", self.sweep)
        self.assertEqual(self.timed(), [])
        self.sweep(again="models")
        self.assertEqual((len(self.calls("prune")), len(self.timed())), (4, 8))
        self.refuses("scheme was 'bsp', is 'csb'", self.sweep, scheme="csb")
        self.refuses("options of rtmc prune was '', is '--linear'", self.sweep, prune_options=["--linear"])

    def test_models_that_changed_on_the_disk(self):
        self.sweep()
        (self.out / "candidates/4x4-2/weights.txt").write_text("rate 3\n")  # trained on by the user
        shutil.rmtree(self.out / "candidates/8x8-2")
        (self.out / "candidates/8x8-4/weights.txt").unlink()
        found = self.sweep()
        self.told("4x4 at 2x: the model was changed since it was made; it is taken as it is")
        self.told("8x8 at 4x: the model is gone; it is made again")
        self.assertEqual([pathlib.Path(words[-3]).parent.name for words in self.calls("prune")], ["8x8-2", "8x8-4"])
        self.assertEqual(row_of(found, "4x4-2")["realised_rate"], 3.0)
        self.assertIn("changed since it was pruned", row_of(found, "4x4-2")["error"])  # its kept norm
        self.assertEqual(sorted(self.timed()), sorted(2 * FOUR))
        self.sweep()
        self.assertEqual(self.timed(), [])

    def test_again(self):
        asked = []
        options = {"evaluate": lambda folder: asked.append(folder) or 1.0, "rounds": 1}
        for part, models, metrics, times in ((None, 4, 5, 4), ("times", 0, 0, 4), ("metrics", 0, 5, 0), ("models", 4, 5, 4),
                                             (None, 0, 0, 0)):
            asked.clear()
            self.sweep(again=part, **options)
            self.assertEqual((len(self.calls("prune")), len(asked), len(self.timed())), (models, metrics, times), part)
        self.refuses("'time' is none of models, metrics, times", self.sweep, again="time")


class FailureTest(FakeCase):
    def test_rows_that_say_why(self):
        evaluation = self.folder / "bad_eval.py"
        evaluation.write_text(BAD_METRIC)
        done = self.command("--blocks", "4x4,8x8", "--rates", "2,4", "--evaluate", str(evaluation), "--metric", "PER", "--lower-is-better",
                            "--rounds", "2", FAKE_FAILS="8x8-4")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("3 of 4 rows failed", done.stderr)
        found = json.loads((self.out / "results.json").read_text())
        self.assertEqual([row["error"] for row in found["rows"]][:3],
                         ["", "evaluate raised ValueError: no speech (bad_eval.py, line 4)",
                          "evaluate returned nan; a finite number is needed"])
        self.assertIn("computes wrong numbers", found["rows"][3]["error"])
        self.assertIn("raise ValueError", found["rows"][1]["traceback"])
        self.assertEqual(found["rows"][1]["rounds"], 2)  # timed all the same
        self.assertEqual([row["pareto"] for row in found["rows"]], [True, False, False, False])
        self.assertEqual(self.timed().count("8x8-4"), 1)  # it is not tried in the second round
        text = (self.out / "results.md").read_text()
        self.assertIn("## Failed", text)
        self.assertIn("| 8x8 | 4 | f32 |  | rtmc: error: the generated code", text)
        # Repaired: what failed is done, and since the file is another one every metric.
        evaluation.write_text("def evaluate(folder):\n    return {'PER': 1}\n")
        done = self.command("--blocks", "4x4,8x8", "--rates", "2,4", "--evaluate", str(evaluation), "--metric", "PER", "--lower-is-better",
                            "--rounds", "2")
        self.assertIn("metrics are measured again: evaluation was", done.stdout)
        self.assertIn("1 of 4 rows failed", done.stderr)

    def test_what_failed_is_tried_again(self):
        state = {"broken": True}

        def evaluate(folder):
            if state["broken"] and folder.endswith("4x4-4"):
                raise SystemExit("no data")
            return 1.0
        found = self.sweep(evaluate=evaluate)
        self.assertIn("evaluate raised SystemExit: no data", row_of(found, "4x4-4")["error"])
        state["broken"] = False
        found = self.sweep(evaluate=evaluate)
        self.assertEqual((found["failed"], self.timed()), (0, []))

    def test_all_fail(self):
        done = self.command("--blocks", "32x32", "--rates", "2,4", "--rounds", "1")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("no picture: ", done.stdout)
        self.assertIn("Nothing was timed", (self.out / "results.md").read_text())

    def test_interrupted(self):
        def evaluate(folder):
            raise KeyboardInterrupt
        with self.assertRaises(KeyboardInterrupt):
            self.sweep(evaluate=evaluate)
        self.sweep()  # the folder is free again
        evaluation = self.folder / "stop.py"
        evaluation.write_text("def evaluate(folder):\n    raise KeyboardInterrupt\n")
        with mock.patch("sys.stderr"):
            code = command.main([str(self.model), "-o", str(self.out), "-q", "--blocks", "4x4", "--rates", "2",
                                 "--evaluate", str(evaluation)])
        self.assertEqual(code, 130)

    def test_refusals(self):
        self.refuses("--rounds is 0; a whole number from 1 on", self.sweep, rounds=0)
        self.refuses("--threads is 0", self.sweep, threads=0)
        self.refuses("evaluate is 'my_eval.py'; a function is needed", self.sweep, evaluate="my_eval.py")
        self.refuses("--evaluate and --input are given", self.sweep, evaluate=len, input="x.npy")
        self.refuses("say how to read --evaluate, which is not given", self.sweep, metric="PER")
        self.refuses("--train needs --evaluate or --input", self.sweep, train=len)
        self.refuses("--train prunes itself", self.sweep, train=len, evaluate=len, clip=True)
        self.refuses("'-o' of rtmc prune belongs to the sweep", self.sweep, prune_options=["-o", "x"])
        self.refuses("there is no file 'no.npy'", self.sweep, input="no.npy")
        self.assertFalse(self.out.exists())
        (self.folder / "weights.txt").unlink()
        self.refuses("cannot be used: rtmc ended with status 1", self.sweep)
        self.model.unlink()
        self.refuses("there is no model", self.sweep)
        self.environment(RTMC=self.folder / "no")
        self.model.write_text("")
        with self.assertRaises(CompileError):
            self.sweep()

    def test_exit_status(self):
        good = ["--blocks", "4x4", "--rates", "2", "--rounds", "1"]
        for words, status, text in ((good, 0, ""), (["--blocks", "4", "--rates", "2"], 1, "'4' is no block"),
                                    (["--rates", "2"], 1, "--blocks; --help lists the options"), ([*good, "--bogus"], 1, "--bogus"),
                                    ([*good, "--evaluate", "no.py"], 1, "there is no file 'no.py'"),
                                    ([*good, "--", "--linear"], 1, "another sweep: options of rtmc prune was"),
                                    ([*good, "--scheme", "bsq"], 1, "did you mean 'bsp'")):
            done = self.command(*words)
            self.assertEqual((done.returncode, "Traceback" in done.stderr), (status, False), done.stderr)
            self.assertIn(text, done.stderr)
        self.assertEqual(self.command(*good, RTMC="/no/rtmc").returncode, 2)


class TrainTest(FakeCase):
    def train(self, candidate, folder):
        """As a user's: the first into the folder, the second elsewhere, the third nowhere, the fourth not at all."""
        self.trained.append(candidate)
        if candidate.id == "8x8-4":
            raise RuntimeError("diverged")
        if candidate.id == "8x8-2":
            return None
        where = pathlib.Path(folder) if candidate.id == "4x4-2" else self.folder / "elsewhere"
        where.mkdir(exist_ok=True)
        (where / "model.yaml").write_text("trained")
        (where / "weights.txt").write_text(f"rate {1.5 * float(candidate.rate)}\n")
        return None if candidate.id == "4x4-2" else where

    def test_trained_models(self):
        self.trained = []
        folders = []
        options = {"train": self.train, "evaluate": lambda folder: folders.append(folder) or 1.0, "rounds": 1}
        # The timing of the fake reads block and rate from the folder's name, which the model elsewhere does not have.
        self.environment(FAKE_FAILS="elsewhere")
        found = self.sweep(**options)
        self.assertEqual([candidate.config() for candidate in self.trained][0], {"scheme": "bsp", "block": (4, 4), "rate": "2"})
        self.assertEqual(self.calls("prune"), [])
        self.assertEqual(row_of(found, "4x4-2")["realised_rate"], 3.0)
        self.assertEqual(row_of(found, "4x4-4")["realised_rate"], 6.0)
        self.assertEqual(folders[1:], [str(self.out / "candidates/4x4-2"), str(self.folder / "elsewhere")])
        self.assertIn("train left no model: there is no file", row_of(found, "8x8-2")["error"])
        self.assertIn("train raised RuntimeError: diverged (test_search_sweep.py, line", row_of(found, "8x8-4")["error"])
        self.trained.clear()
        self.sweep(**options)
        self.assertEqual([candidate.id for candidate in self.trained], ["8x8-2", "8x8-4"])

    def test_a_changed_training_function(self):
        training = self.folder / "my_train.py"
        words = ("--blocks", "4x4", "--rates", "2,4", "--rounds", "1", "--train", str(training), "--evaluate", str(training))
        text = """import pathlib
def evaluate(folder):
    return 1.0
def train(candidate, folder):
    if candidate.rate == "4" and BROKEN:
        raise ValueError("broken")
    pathlib.Path(folder, "model.yaml").write_text("trained")
    pathlib.Path(folder, "weights.txt").write_text("rate 2")
"""
        training.write_text("BROKEN = True\n" + text)
        self.assertEqual(self.command(*words).returncode, 2)
        training.write_text("BROKEN = False\n" + text)
        done = self.command(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("the training function was changed since some models were trained", done.stdout)
        found = json.loads((self.out / "results.json").read_text())
        self.assertEqual([row["trained_by_other"] for row in found["rows"]], [True, False])
        self.assertIn("Trained by an earlier text of the training function: 4x4 at 2x.", (self.out / "results.md").read_text())


if __name__ == "__main__":
    unittest.main()
