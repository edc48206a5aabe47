"""targets.py on results.json files that are made up: what is met, missed, not known and not measured, and from which cell."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "evidence"))
from harness import plan  # noqa: E402

ROUNDS = 3


def ours(name, times, floor, error="", **facts):
    facts = {"floor_us": floor, "nonzeros": 1000, "weight_bytes": 2000, "index_bytes": 200} | facts
    return competitor(f"rtmc-{name}", times, error) | {"kind": "ours", "label": f"rtmc {name}", "facts": facts, "version": "rtmc",
                                                       "precision": "f32" if name.startswith("f32") else "bf16"}


def peer(name, times, precision="f32", error="", **more):
    return competitor(f"{name}-before", times, error) | {"kind": "peer", "peer": name, "reset": "before", "precision": precision,
                                                         "dense": True, "label": name} | more


def competitor(name, times, error):
    times = [times] * ROUNDS if isinstance(times, (int, float)) else times
    return {"id": name, "rounds": [] if error else [{"min": t, "median": t, "calls": 1} for t in times], "error": error,
            "products_only": False}


class Table(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "results.json"
        self.cells = {}

    def add(self, settings, part, competitors, **values):
        """To the one cell of that form that has these values."""
        keys = [cell.key for cell in plan.cells(settings, 2)[0] if cell.part == part and values.items() <= dict(cell.values).items()]
        self.assertEqual(len(keys), 1, keys)
        self.cells[keys[0]] = {"competitors": competitors, "kept": 100, "weights": 1000, "rtmc": "1"}

    def reference(self, rate, competitors, settings=plan.FULL, block="256x256", threads=1):
        self.add(settings, "reference", competitors, rate=rate, block=block, threads=threads, steps=50)

    def run_(self, *words, status=0):
        if not self.path.exists():
            identity = {"machine": {"processor": "Made Up 3"}}
            self.path.write_text(json.dumps({"format": 1, "identity": identity, "runs": [{"date": "2026-01-02"}], "cells": self.cells}))
        done = subprocess.run([sys.executable, "-B", str(HERE / "targets.py"), str(self.path), *words], capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stderr if status else done.stdout

    def rows(self):
        """what -> [to reach, reached, interval, against, us/step, share, roof, widened, bytes, verdict]; the last of two with one name."""
        lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in self.run_().splitlines() if line.startswith("|")]
        return {line[0]: line[1:] for line in lines[2:]}

    def test_reference(self):
        onnxruntime = peer("onnxruntime-f32", [400, 404, 400])
        self.reference(10, [ours("bf16", 10, 8.0), onnxruntime, peer("openvino-bf16", 90, "bf16"), peer("openvino-f32", 300)])
        self.reference(29, [ours("bf16", [4.6, 4.4, 4.5], 4.6 * 400 / 390), ours("f32", 8, 6.0), onnxruntime])
        self.reference(43, [ours("bf16", 10, 5.0), peer("openvino-f32", 300), peer("openblas", 200, products_only=True)])
        rows = self.rows()
        # 40 x at 10x, on a roof of 5 x rate; the f32 peer that was faster is not ONNX Runtime; f16 and f32 were not among these.
        self.assertEqual(rows["10x bf16"], ["3 x rate", "4.00 x rate (40.0 x)", "4.00 - 4.04", "onnxruntime-f32, reset before", "10.0",
                                            "0.80", "5.00", "", "1.10", "met"])
        self.assertEqual(rows["10x f16"][-1], "not measured: rtmc-f16: it was not among the competitors")
        self.assertEqual(rows["10x f32"][0], "", "below 29x there is no target in f32")
        self.assertEqual(rows["29x bf16"][-1], "disturbed: the share is above 1")
        self.assertEqual(rows["29x f32"], ["2 x rate", "1.72 x rate (50.0 x)", "1.72 - 1.74", "onnxruntime-f32, reset before", "8.00",
                                           "0.75", "2.30", "", "0.55", "missed"])
        self.assertEqual(rows["43x bf16"][3:], ["openvino-f32, reset before", "10.0", "0.50", "1.40", "", "1.10", "missed, the roof is lower"])

    def test_widening(self):
        """The machine widens 125 weights a microsecond: 1000 of them take 8 on one thread and 4 on two, and the gates 1 more."""
        facts = {"floor_bandwidth_us": 4.0, "floor_gates_us": 1.0, "threads_used": 1}
        onnxruntime = peer("onnxruntime-f32", 216)
        self.reference(10, [ours("bf16", 10, 6.0, **facts), ours("f32", 10, 6.0, **facts), onnxruntime])
        self.reference(19, [ours("bf16", 10, 6.0, **facts | {"floor_bandwidth_us": 9.0}), onnxruntime])
        self.reference(10, [ours("bf16", 5, 4.0, **facts | {"threads_used": 2}), ours("bf16 one thread", 10, 6.0, **facts)], threads=2)
        self.add(plan.FULL, "lyra", [ours("bf16", 20, 6.0, **facts)], matrix="proj")
        (machine,) = [cell.key for cell in plan.cells(plan.FULL, 2)[0] if cell.part == "machine"]
        self.cells[machine] = {"machine": {"convert_bf16_per_ns": 0.125, "convert_f16_per_ns": 0}}
        rows = self.rows()
        # Of the roof 216 / 6 / 10 is left 6 / 9.
        self.assertEqual(rows["10x bf16"][5:], ["0.60", "3.60", "2.40", "1.10", "missed, the roof with widening is lower"])
        self.assertEqual(rows["10x f32"][6:8], ["3.60", ""])
        self.assertEqual(rows["19x bf16"][6:8], ["1.89", "1.14"], "there reading takes longer than widening")
        self.assertEqual(rows["... against the same code on 1"][6:8], ["2.50", "2.00"])
        self.assertEqual(rows["Lyra proj bf16"][5:8], ["0.30", "1.00", "0.67"])

    def test_intervals_that_hold_the_target(self):
        self.reference(10, [ours("bf16", 10, 8.0), peer("onnxruntime-f32", [310, 304, 290])])
        self.reference(29, [ours("bf16", 10, 8.0), peer("onnxruntime-f32", [29 * 29, 29 * 29.9, 29 * 31])])
        rows = self.rows()
        self.assertEqual((rows["10x bf16"][2], rows["10x bf16"][-1]), ("2.90 - 3.10", "met, the interval holds the target"))
        self.assertEqual(rows["29x bf16"][-1], "missed, the interval holds the target")

    def test_what_may_not_be_printed(self):
        self.reference(10, [ours("bf16", 10, 8.0), peer("onnxruntime-f32", [400, 400, 520])])
        self.reference(19, [ours("bf16", 10, 8.0), peer("openblas", 200, products_only=True)])
        self.reference(29, [ours("bf16", 0, 8.0, error="it fell over"), peer("onnxruntime-f32", 400)])
        rows = self.rows()
        self.assertEqual(rows["10x bf16"], ["3 x rate", "", "", "onnxruntime-f32, reset before", "10.0", "0.80", "", "", "1.10",
                                            "not known: rounds disagree by 30 %"])
        self.assertEqual(rows["19x bf16"][-1], "not measured: no dense f32 peer was timed beside it")
        self.assertEqual(rows["29x bf16"][-1], "not measured: rtmc-bf16: it fell over")
        self.assertEqual(rows["301x bf16"][-1], "not measured: reference 256x256 301x 1 thread 50 steps a call f32,f16,bf16")
        self.assertEqual(rows["10x bf16, 2 threads"][-1], "not measured: scaling 256x256 10x bf16 2 threads")
        self.assertEqual(rows["Lyra proj bf16"], ["share 0.5"] + [""] * 8 + ["not measured: lyra proj"])

    def test_the_full_form_goes_before_the_quick_one(self):
        def competitors(step):
            return [ours("bf16", step, 8.0), peer("onnxruntime-f32", 400)]
        self.reference(10, competitors(16), settings=plan.QUICK)
        self.reference(29, competitors(16), settings=plan.QUICK)
        self.reference(29, competitors(20))
        rows = self.rows()
        self.assertEqual((rows["10x bf16"][4], rows["29x bf16"][4]), ("16.0", "20.0"))

    def test_shares_threads_and_small_networks(self):
        self.reference(1, [ours("f32", [500, 520, 540], 430.0), peer("onnxruntime-f32", 400)])
        self.reference(10, [ours("bf16", 8, 4.0), ours("bf16 one thread", 13, 8.0)], threads=2)
        self.add(plan.FULL, "scaling", [ours("2 threads", 8, 4.0), ours("1 thread", 12, 8.0)], rate=10)
        self.add(plan.FULL, "lyra", [ours("f32", 9, 8.0), ours("bf16", [4, 4.5, 4], 2.2)], matrix="conv_to_gates")
        self.add(plan.FULL, "small", [ours("f32", 20, 19.0), ours("bf16", 10, 9.0), peer("onnxruntime-f32", 30), peer("openvino-f32", 29)],
                 network="deepfilternet3")
        table = self.run_()
        self.assertIn("Made Up 3, rtmc 1, 2026-01-02, blocks of 256x256\n", table)
        self.assertRegex(table, r"\| 1x f32 +\| share 0\.8 \| 0\.86 +\| 0\.80 - 0\.86 \| +\| 500 +\| 0\.86 +\| 1\.00 +\| +\| 0\.55 +\| met, the int")
        self.assertRegex(table, r"\| 1x f32 +\| +\| 0\.77 x rate \(0\.77 x\) +\|")
        rows = self.rows()
        self.assertEqual((rows["10x bf16, 2 threads"][:4], rows["10x bf16, 2 threads"][-1]),
                         (["2 x", "1.50 x", "1.50 - 1.50", "rtmc 1 thread"], "missed"))
        self.assertEqual(rows["... against the same code on 1"][:2], ["", "1.62 x"])
        self.assertEqual((rows["Lyra conv_to_gates bf16"][1:3], rows["Lyra conv_to_gates bf16"][-1]),
                         (["0.55", "0.49 - 0.55"], "met, the interval holds the target"))
        self.assertEqual(rows["GRU 256 f32 (deepfilternet3)"][-1], "missed, the roof is lower")
        self.assertEqual(rows["LSTM 128 x 2 f32 (dtln)"][-1], "not measured: small dtln")

    def test_other_blocks_are_not_judged(self):
        self.reference(10, [ours("bf16", 10, 8.0), peer("onnxruntime-f32", 400)], block="32x128")
        rows = json.loads(self.run_("--block", "32x128", "--json"))
        self.assertEqual(len(rows), 27, "three precisions at nine rates, and nothing that has no blocks")
        self.assertEqual({k: rows[0][k] for k in ("what", "target", "reached", "roof", "verdict")},
                         {"what": "10x bf16", "target": None, "reached": 4.0, "roof": 5.0, "verdict": ""})

    def test_files_that_cannot_be_used(self):
        for text, why in ((None, "No such file or directory; scripts/bench.sh makes it"), ("{", "Expecting property name"),
                          ("[]", "it is no file of results"), ('{"cells": {}, "format": 0}', "its format is 0, not 1"),
                          ('{"cells": {}, "format": 1}', "'runs' is missing")):
            if text is None:
                self.path.unlink(missing_ok=True)
                done = subprocess.run([sys.executable, "-B", str(HERE / "targets.py"), str(self.path)], capture_output=True, text=True)
                said = done.stderr
                self.assertEqual((done.returncode, done.stdout), (1, ""))
            else:
                self.path.write_text(text)
                said = self.run_(status=1)
            self.assertTrue(said.startswith(f"targets.py: {self.path}"), said)
            self.assertIn(why, said)
            self.assertEqual(len(said.splitlines()), 1, said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
