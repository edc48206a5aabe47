#!/usr/bin/env python3
"""The worker: its protocol, and every peer whose library is here, which must agree with the reference; of the others it must say what
is missing.

    test_worker.py [--only NAME,NAME]
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[0] = str(HERE.parent)
import numpy  # noqa: E402

from peers import PEERS, network as networks, reference  # noqa: E402
from peers.test_cases import CASES, X  # noqa: E402

ONLY = list(PEERS)


class Worker:
    def __init__(self, folder, peer, network, x=X, threads=1, steps=1, environment=None):
        numpy.savez(folder / "network.npz", **network.arrays())
        numpy.save(folder / "x.npy", x)
        self.errors = open(folder / "errors.txt", "w+")  # not a pipe: a library may say more than one holds
        self.process = subprocess.Popen(
            [sys.executable, "-B", str(HERE / "worker.py"), "--peer", peer, "--network", str(folder / "network.npz"), "--input",
             str(folder / "x.npy"), "--threads", str(threads), "--steps-per-call", str(steps)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.errors, text=True, env=os.environ | (environment or {}))
        self.first = self.listen()

    def listen(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the worker ended: {self.end()[1][-2000:]}")
        return json.loads(line)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.listen()

    def ask(self, **request):
        return self.say(json.dumps(request))

    def end(self, line=None):
        """-> (rest of stdout, stderr); the status is in `process`."""
        rest, _ = self.process.communicate(line, timeout=60)
        with self.errors:
            self.errors.seek(0)
            return rest, self.errors.read()


class Protocol(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def fake(self, name, text):
        (self.folder / f"{name}.py").write_text(text)
        return {"PYTHONPATH": str(self.folder)}

    def test_missing_library_is_named(self):
        gone = "import os\nos.write(1, b'chatter\\n')\nprint('more')\nraise ModuleNotFoundError('gone', name='onnx.helper')\n"
        worker = Worker(self.folder, "onnxruntime-f32", CASES["before"], environment=self.fake("onnx", gone))
        self.assertEqual(worker.first, {"ready": False, "reason": "onnx is not installed"})
        rest, errors = worker.end()
        self.assertEqual((worker.process.returncode, rest), (0, ""))
        self.assertIn("chatter", errors)

    def test_broken_library_says_so(self):
        worker = Worker(self.folder, "openvino-f32", CASES["before"],
                        environment=self.fake("openvino", "raise ImportError('libgone.so: cannot open\\nshared object file')\n"))
        self.assertEqual(worker.first, {"ready": False, "reason": "openvino: libgone.so: cannot open shared object file"})
        worker.end()
        self.assertEqual(worker.process.returncode, 0)

    def test_unsupported_form_says_so(self):
        worker = Worker(self.folder, "pytorch-f32", CASES["before"])
        self.assertEqual(worker.first, {"ready": False, "reason": "pytorch-f32 has no GRU with reset before"})
        worker.end()

    def test_bad_files_end_with_status_1(self):
        for peer, x, message in (("nobody", X, "there is no peer 'nobody'"), ("csr", X[:, 1:], "[7, 4]; [steps, 5]")):
            worker = Worker(self.folder, peer, CASES["before"], x=x)
            self.assertFalse(worker.first["ready"])
            self.assertIn(message, worker.first["reason"])
            worker.end()
            self.assertEqual(worker.process.returncode, 1)

    def test_what_is_no_network_is_refused(self):
        good = self.folder / "good.npz"
        numpy.savez(good, **CASES["before"].arrays())
        damaged = bytearray(good.read_bytes())
        damaged[len(damaged) // 2] ^= 0xFF
        numpy.save(self.folder / "array.npy", X)
        numpy.savez(self.folder / "objects.npz", op=numpy.array([{}]))
        for name, data in (("none", None), ("empty", b""), ("cut", good.read_bytes()[:3000]), ("damaged", bytes(damaged)),
                           ("array", (self.folder / "array.npy").read_bytes()), ("objects", (self.folder / "objects.npz").read_bytes())):
            path = self.folder / f"{name}.bin"
            if data is not None:
                path.write_bytes(data)
            with self.assertRaisesRegex(networks.BadNetwork, f"{name}.bin is no readable .npz", msg=name):
                networks.load(path)

    def test_bad_requests_are_answered_and_survived(self):
        worker = Worker(self.folder, "csr", CASES["before"])
        if not worker.first["ready"]:
            worker.end()
            self.skipTest(worker.first["reason"])
        for line in ("{", "3", '{"do": "dance"}', '{"do": "measure"}', '{"do": "measure", "seconds": -1}', '{"do": "check"}',
                     json.dumps({"do": "check", "output": str(self.folder / "none" / "y.npy")})):
            reply = worker.say(line)
            self.assertEqual(list(reply), ["error"], line)
            self.assertNotIn("\n", reply["error"])
        self.assertEqual(worker.ask(do="check", output=str(self.folder / "y.npy")), {"done": True})
        left = sorted(path.name for path in self.folder.iterdir())
        self.assertEqual(left, ["errors.txt", "network.npz", "x.npy", "y.npy"], "a temporary file was left")
        rest, _ = worker.end('{"do": "quit"}\n{"do": "dance"}\n')
        self.assertEqual((worker.process.returncode, rest), (0, ""))


class Peers(unittest.TestCase):
    """Every peer on every form that it takes; steps that do not divide the sequence; more threads than one."""

    def run_peer(self, peer, case, steps, threads):
        with tempfile.TemporaryDirectory() as scratch:
            folder, network = pathlib.Path(scratch), CASES[case]
            worker = Worker(folder, peer, network, threads=threads, steps=steps)
            if not worker.first["ready"]:
                worker.end()
                self.assertTrue(worker.first["reason"])
                return worker.first["reason"]
            info = PEERS[peer]
            self.assertEqual({k: worker.first[k] for k in ("peer", "library", "products_only")},
                             {"peer": peer, "library": info.library, "products_only": info.products_only})
            self.assertTrue(worker.first["version"] and info.precision in worker.first["settings"])
            for _ in range(2):  # a measurement in between must not leave its state behind
                self.assertEqual(worker.ask(do="check", output=str(folder / "y.npy")), {"done": True})
                y = numpy.load(folder / "y.npy")
                found = reference.agreement(peer, folder / "network.npz", X, y)
                self.assertTrue(found.ok, found.why)
                self.assertEqual(y.dtype, numpy.float32)
                timed = worker.ask(do="measure", seconds=0.02)
                self.assertGreaterEqual(timed["calls"], 5)
                self.assertTrue(0 < timed["step_us_min"] <= timed["step_us_median"], timed)
            worker.end()
            self.assertEqual(worker.process.returncode, 0)
        return ""

    def test_agree(self):
        missing = {}
        for peer in ONLY:
            for case, steps, threads in (("before", 1, 1), ("after", 3, 2), ("lstm", 3, 1)):
                if case in ("before", "after") and case not in PEERS[peer].reset:
                    continue
                with self.subTest(peer=peer, case=case):
                    reason = self.run_peer(peer, case, steps, threads)
                    if reason:
                        missing[peer] = reason
                        break
        for peer, reason in missing.items():
            print(f"{peer}: not compared: {reason}", file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only")
    arguments, rest = parser.parse_known_args()
    if arguments.only:
        ONLY = arguments.only.split(",")
    unittest.main(argv=[sys.argv[0], *rest])
