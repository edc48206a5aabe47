"""Whole runs with programs that measure nothing (fake_rtmc.py, fake_peers/): what the report says, what is kept, what is missing."""
import importlib.util
import json
import os
import pathlib
import pty
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parent


class Run(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.out = self.folder / "out"
        text = f"#!{sys.executable}\n" + (HERE / "fake_rtmc.py").read_text()
        for name in ("rtmc", "rtmc-runner", "cxx"):
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o755)
        facts = {"missing": {"unobtainable": "no matching distribution found"}, "wheels": {"numpy": "1"}}
        (self.folder / "environment.json").write_text(json.dumps(facts))

    def start(self, *words, rtmc="rtmc", peers=HERE / "fake_peers", errors=subprocess.PIPE):
        return subprocess.Popen([sys.executable, "-B", str(HERE / "tiny_main.py"), "--rtmc", str(self.folder / rtmc), "--out",
                                 str(self.out), "--peers", str(peers), "--environment", str(self.folder / "environment.json"), *words],
                                stdout=subprocess.PIPE, stderr=errors, text=True, env=dict(os.environ, COLUMNS="200"))

    def run_(self, *words, status=0, **how):
        process = self.start(*words, **how)
        out, errors = process.communicate(timeout=300)
        self.assertEqual(process.returncode, status, errors)
        self.assertNotIn("\x1b", out + errors, "progress belongs on a terminal")
        return out, errors

    def results(self):
        return json.loads((self.out / "results.json").read_text())

    def report(self):
        return (self.out / "results.md").read_text()

    def test_report(self):
        out, errors = self.run_("--quick", "--rates", "1,29", "--only", "machine,dense,reference,sparse,ablation")
        self.assertEqual(out.split(), [str(self.out / name) for name in ("report.html", "results.md", "results.json")])
        self.assertEqual(errors, "")
        self.assertEqual(sorted(p.name for p in self.out.iterdir()), [".lock", "report.html", "results.json", "results.md"])
        text = self.report()
        dense = text[text.index("## Dense"):text.index("## Sparse")]
        self.assertIn("| steady | f32 | 100 | 110 | 0.50 (0.50 - 0.50) |", dense)
        # 80 and 160 us against our 200: refused, and no ratio beside it.
        self.assertIn("| jumpy | f32 | 80.0 | 176 | rounds disagree by 100 % |", dense)
        self.assertIn("| absent | f32 | missing: it is never here |", dense)
        self.assertIn("| no-wheel | f32 | missing: unobtainable is not installed: no matching distribution found |", dense)
        self.assertIn("| wrong | f32 | not timed: its numbers are wrong: they differ by 1; 0.001 is allowed |", dense)
        self.assertRegex(dense, r"\| crash \| f32 \| not timed: while it was timed: python\S* ended with status 1: segmentation fault")
        self.assertIn("| slip | f32 | not timed: while it was timed: it slipped |", dense)
        self.assertIn("| csr (products only) | f32 | 40.0 | 44.0 | 5.00 (5.00 - 5.00) | 10.0 (10.0 - 10.0) |", text)
        # Ours at 29x in bf16: 4 us; dense 100; the fastest dense peer 50, in f32 the jumpy one.
        bf16 = re.search(r"\n\| 29x \| 29\.41 \| bf16 \|.*", text)[0]
        self.assertIn("| 4.00 | 4.80 |", bf16)
        self.assertIn("| 25.0 (25.0 - 25.0) | 12.5 (12.5 - 12.5) | rounds disagree by 100 % |", bf16)
        self.assertIn("Fastest dense peer: fast-bf16, reset before; in f32: jumpy, reset before.", text)
        # 12.5 x 34 / 1000; 5,120 bytes in 4 us; floor 2 us; and the paper's.
        self.assertRegex(bf16, r"\| 0\.4[23] \| 5 \| 1\.28 \| 0\.50 \| 1 \| 15\.3 \| 15\.3 \|$")
        self.assertIn("| without reorder | --no-reorder | 12.0 | 3.00 (3.00 - 3.00) | 30 | 5,120 | 3.00 times the time without it |", text)
        self.assertIn("| without unrolling | --unroll none | 4.00 | 1.00 (1.00 - 1.00) | 30 | 5,120 | nothing here: the same code |", text)
        self.assertIn("| without the compact format | --no-compact | not measured: rtmc ended with status 3: error: this fake", text)
        for reason in ("absent: it is never here (in: dense)",
                       "wrong: its numbers are wrong: they differ by 1; 0.001 is allowed (in: dense)"):
            self.assertIn(reason, self.results()["missing"])
        html = (self.out / "report.html").read_text()
        self.assertNotIn("<script", html)
        self.assertNotRegex(html, r'(src|href)="(?!#|data:)')
        self.assertEqual(html.count("<table>"), html.count("</table>"))

    @unittest.skipIf(len(os.sched_getaffinity(0)) < 2, "one core")
    def test_threads_and_matrices_of_others(self):
        self.run_("--rates", "10", "--only", "scaling,lyra")
        text = self.report()
        # 4 us on one thread; 2 us is the floor.
        self.assertIn("| 10x | bf16 | 2 | 4.00 | 2.50 | 1.60 (1.60 - 1.60) | 0.80 |", text)
        for matrix in ("gru_layer", "conv_to_gates", "proj"):
            self.assertIn(f"| {matrix} | 12.50 | bf16 | 4.00 | 4.80 | 5 | 1.28 | 0.50 |", text)

    def test_pictures(self):
        if importlib.util.find_spec("matplotlib") is None:
            self.run_("--quick", "--rates", "29", "--only", "machine,reference")
            self.assertIn("There are none: matplotlib cannot be used", self.report())
            return
        self.run_("--quick", "--rates", "29", "--only", "machine,reference")
        first = (self.out / "report.html").read_text()
        self.assertEqual(first.count("<svg"), 3)
        for picture, words in zip(re.findall(r"<svg.*?</svg>", first, re.S), ("paper: Kryo 485 CPU", "reads, 2 MB pages", "1.00 us")):
            self.assertIn(words, "".join(xml.etree.ElementTree.fromstring(picture).itertext()), "text must stay text")
        ids = re.findall(r'\bid="([^"]*)"', first)
        self.assertEqual(len(ids), len(set(ids)), "two pictures have the same id")
        self.run_("--quick", "--rates", "29", "--only", "report")
        self.assertEqual(first, (self.out / "report.html").read_text(), "the same results must give the same bytes")

    def test_a_killed_run_goes_on_where_it_stopped(self):
        words = ("--quick", "--rates", "1,29", "--only", "machine,dense,reference")
        process = self.start(*words)
        end = time.monotonic() + 300
        while time.monotonic() < end and process.poll() is None:
            if (self.out / "results.json").exists() and len(self.results()["cells"]) >= 2:
                break
            time.sleep(0.02)
        process.kill()
        process.communicate()
        self.assertEqual(process.returncode, -signal.SIGKILL, "it was over before it could be killed")
        kept = self.results()["cells"]
        self.assertIn(len(kept), (2, 3))
        _, errors = self.run_(*words)
        self.assertIn(f"{len(kept)} of 4 cells are kept from an earlier run", errors)
        after = self.results()["cells"]
        self.assertEqual(len(after), 4)
        self.assertEqual({key: after[key] for key in kept}, kept, "kept cells were measured again")
        self.assertFalse((self.out / "work").exists())
        # A wheel that came since makes results with peers old, and only those.
        facts = json.loads((self.folder / "environment.json").read_text())
        (self.folder / "environment.json").write_text(json.dumps(facts | {"wheels": {"numpy": "2"}}))
        self.assertIn("1 of 4 cells are kept", self.run_(*words)[1])

    def test_an_interrupted_run_reports_what_it_has(self):
        process = self.start("--quick", "--rates", "1,29")
        while not (self.out / "results.json").exists() and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 130, errors)
        self.assertIn("interrupted: the same command goes on from here", errors)
        self.assertRegex(self.report(), r"\d of 7 cells have no results \(the run was interrupted, and the same command goes on\)")

    def test_without_rtmc(self):
        _, errors = self.run_("--quick", "--rates", "1,29", "--only", "machine,dense", rtmc="nowhere", status=2)
        self.assertIn("not measured: machine: rtmc: nowhere cannot be started: No such file or directory", errors)
        text = self.report()
        self.assertIn("- rtmc: nowhere cannot be started: No such file or directory", text)
        self.assertIn("| steady | f32 | 100 | 110 |", text)
        self.assertIn("| rtmc f32 | f32 | not timed: rtmc: nowhere cannot be started", text)

    def test_without_peers(self):
        self.run_("--quick", "--rates", "29", "--only", "machine,reference", peers=self.folder / "none")
        text = self.report()
        self.assertIn("no peers: there is no none/__init__.py", text)
        self.assertIn("No dense peer was measured with these threads and steps.", text)
        self.assertIn("25.0 (25.0 - 25.0)", text)

    def test_once_the_dense_peers_are_measured_ours_is_measured_beside_the_fastest(self):
        self.run_("--quick", "--rates", "29", "--only", "reference")
        self.assertIn("No dense peer was measured with these threads and steps.", self.report())
        words = ("--quick", "--rates", "29", "--only", "dense,reference")
        self.assertIn("1 of 2 cells are kept", self.run_(*words)[1])
        self.assertIn("Fastest dense peer: fast-bf16, reset before", self.report())
        self.assertIn("2 of 2 cells are kept", self.run_(*words)[1])

    def test_progress_on_a_terminal(self):
        master, slave = pty.openpty()
        process = self.start("--quick", "--rates", "29", "--only", "machine,dense", errors=slave)
        os.close(slave)
        shown = b""
        while True:
            try:
                piece = os.read(master, 4096)
            except OSError:  # what a closed terminal answers
                break
            shown += piece
        os.close(master)
        process.communicate(timeout=300)
        self.assertEqual(process.returncode, 0, shown)
        self.assertIn(b"[1/2] machine: measuring the machine (0:00)", shown)
        self.assertRegex(shown, rb"\[2/2\] dense 1 thread 50 steps a call: round 3 of 3: fast-bf16 \(0:\d\d\)")
        self.assertTrue(shown.endswith(b"\r\x1b[K"), "the line is cleared at the end")

    def change(self, program, old="", new="# changed\n"):
        path = self.folder / program
        text = path.read_text()
        self.assertIn(old, text)
        path.write_text(text.replace(old, new) if old else text + new)

    def test_another_runner_begins_anew(self):
        words = ("--quick", "--rates", "29", "--only", "machine")
        self.run_(*words)
        self.change("rtmc-runner")
        _, errors = self.run_(*words)
        self.assertIn("results.json was moved to results.old.json: it is of another runner", errors)

    def test_another_rtmc_measures_again_where_its_code_is_another(self):
        words = ("--quick", "--rates", "1,29", "--only", "machine,dense,reference,ablation")
        self.run_(*words)
        first = self.results()["cells"]
        self.assertNotIn("changed", self.run_(*words)[1])
        self.change("rtmc")
        _, errors = self.run_(*words)
        self.assertIn("rtmc has changed: looking which cells have other code now", errors)
        # The ablation has a competitor that cannot be compiled: there is nothing to compare.
        self.assertIn("4 of 5 cells are kept", errors)
        self.assertNotIn("changed", self.run_(*words)[1], "what was found out is kept")
        def rtmcs():
            return len(set(re.findall(r"rtmc 0\.0\.0 \(fake\) [0-9a-f]{16}", self.report())))

        self.assertEqual(rtmcs(), 1)
        self.change("rtmc")
        self.run_("--quick", "--rates", "1,29", "--only", "dense")
        self.assertEqual(rtmcs(), 2, "cells that were not looked at are of the rtmc before")
        # Of dense only the code in f32 is measured.
        self.change("rtmc", "{option(words, '--precision')}", "{option(words, '--precision').replace('bf16', 'bf16 in another way')}")
        self.assertIn("2 of 5 cells are kept", self.run_(*words)[1])
        last = self.results()["cells"]
        self.assertEqual(first.keys(), last.keys())
        self.assertEqual([part.split(";")[0] for part in last if first[part].get("competitors") == last[part].get("competitors")], ["dense", "machine"])

    def test_two_runs_at_once(self):
        import fcntl
        self.out.mkdir()
        with open(self.out / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.assertIn("another run is measuring into", self.run_("--quick", status=1)[1])

    def test_a_folder_that_cannot_be_written(self):
        (self.folder / "file").write_text("")
        process = subprocess.run([sys.executable, "-B", str(HERE.parent / "main.py"), "--out", str(self.folder / "file" / "out")],
                                 capture_output=True, text=True)
        self.assertEqual((process.returncode, process.stdout), (2, ""))
        self.assertEqual(process.stderr, f"bench.sh: Not a directory: {self.folder}/file/out\n")

    def test_bad_options(self):
        for words, said in ((("--rates", "11"), "--rates: '11' is none of 1, 10, 19"),
                            (("--only", "peers"), "--only: there is no part 'peers'"),
                            (("--fast",), "unrecognized arguments: --fast"), (("--out", str(HERE / "test_run.py")), "is no folder")):
            process = subprocess.run([sys.executable, "-B", str(HERE.parent / "main.py"), *words], capture_output=True, text=True,
                                     env=dict(os.environ, PYTHONNOUSERSITE="1"))
            self.assertEqual((process.returncode, process.stdout), (1, ""))
            self.assertIn(said, process.stderr)
            self.assertEqual(len(process.stderr.splitlines()), 1, process.stderr)


if __name__ == "__main__":
    if importlib.util.find_spec("numpy") is None:
        print("SKIPPED: no numpy")
        sys.exit(77)
    unittest.main(verbosity=2)
