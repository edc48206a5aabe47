#!/usr/bin/env python3
"""The worker and the reference. Every peer whose library is here must agree with the reference; the others must say what is missing.

    test_peers.py [--only NAME,NAME]
"""
import argparse
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[0] = str(HERE.parent)
import numpy  # noqa: E402

from peers import PEERS, compiled, network as networks, products, products_mkl, reference  # noqa: E402

STEPS = 7
ONLY = list(PEERS)


def small(op="gru", reset="before", layers=2, inputs=5, units=19, outputs=0, kept=0.4, seed=1):
    """Sizes that no block or vector divides; blocks of zeros, empty rows."""
    random = numpy.random.default_rng(seed)
    gates, arrays, width = networks.GATES[op], {"op": op, "reset": reset, "layers": layers}, inputs
    for k in range(layers):
        for role, columns in (("ih", width), ("hh", units)):
            weights = random.standard_normal((gates * units, columns)) / numpy.sqrt(columns)
            weights *= numpy.kron(random.random((-(-len(weights) // 4), -(-columns // 4))) < kept, numpy.ones((4, 4)))[:len(weights), :columns]
            weights[random.random(len(weights)) < 0.1] = 0
            arrays[f"weight_{role}{k}"] = weights.astype(numpy.float32)
            arrays[f"bias_{role}{k}"] = (0.3 * random.standard_normal(gates * units)).astype(numpy.float32)
        width = units
    if outputs:
        arrays |= {"linear_weight": random.standard_normal((outputs, units)).astype(numpy.float32), "linear_activation": "sigmoid",
                   "linear_bias": random.standard_normal(outputs).astype(numpy.float32)}
    return networks.from_arrays(arrays)


def sigmoid(a):
    return 1 / (1 + math.exp(-a))


def dot(row, vector):
    return sum(float(w) * v for w, v in zip(row, vector))


def by_hand(network, x):
    """The definition, one number at a time."""
    sequence = [[float(v) for v in row] for row in x]
    for layer in network.layers:
        n, out = layer.units, []
        h, c = [0.0] * n, [0.0] * n
        for vector in sequence:
            def gate(number, j, state=True):
                row = number * n + j
                a = dot(layer.weight_ih[row], vector) + float(layer.bias_ih[row])
                return a + dot(layer.weight_hh[row], h) + float(layer.bias_hh[row]) if state else a

            if network.op == "lstm":
                c = [sigmoid(gate(1, j)) * c[j] + sigmoid(gate(0, j)) * math.tanh(gate(2, j)) for j in range(n)]
                h = [sigmoid(gate(3, j)) * math.tanh(c[j]) for j in range(n)]
            else:
                r, z = ([sigmoid(gate(number, j)) for j in range(n)] for number in (0, 1))
                reset = [r[j] * h[j] for j in range(n)]
                new = []
                for j in range(n):
                    row = 2 * n + j
                    if network.reset == "before":
                        part = dot(layer.weight_hh[row], reset) + float(layer.bias_hh[row])
                    else:
                        part = r[j] * (dot(layer.weight_hh[row], h) + float(layer.bias_hh[row]))
                    new.append(math.tanh(gate(2, j, state=False) + part))
                h = [z[j] * h[j] + (1 - z[j]) * new[j] for j in range(n)]
            out.append(h)
        sequence = out
    if network.linear:
        sequence = [[sigmoid(dot(row, v) + float(b)) for row, b in zip(network.linear.weight, network.linear.bias)] for v in sequence]
    return numpy.array(sequence)


CASES = {"before": small(), "after": small(reset="after", layers=1), "lstm": small("lstm", outputs=6)}
X = numpy.random.default_rng(2).standard_normal((STEPS, 5)).astype(numpy.float32)


class Reference(unittest.TestCase):
    def test_network_is_its_definition(self):
        for name, network in CASES.items():
            numpy.testing.assert_allclose(reference.run_network(network, X), by_hand(network, X), rtol=1e-12, atol=1e-14, err_msg=name)

    def test_products_hold_every_weight_once(self):
        for name, network in CASES.items():
            for dense in (True, False):
                held = numpy.concatenate([p.weights.ravel() for p in products.plan(network, dense)])
                weights = [w for layer in network.layers for w in (layer.weight_ih, layer.weight_hh)]
                weights += [network.linear.weight] if network.linear else []
                given = numpy.concatenate([w.ravel() for w in weights])
                self.assertTrue(numpy.array_equal(numpy.sort(held[held != 0]), numpy.sort(given[given != 0])), name)
                if dense:
                    self.assertEqual(held.size, given.size, f"{name}: a dense product reads padding")

    def test_products_are_those_of_the_gates(self):
        for reset, op in (("before", "gru"), ("after", "gru"), ("before", "lstm")):
            network = small(op, reset, layers=1)
            layer, n = network.layers[0], network.layers[0].units
            x, h = X[0].astype(float), numpy.random.default_rng(3).standard_normal(n)
            wx, uh = layer.weight_ih @ x, layer.weight_hh @ h
            for dense in (True, False):
                got = [p.weights for p in products.plan(network, dense)]
                xh = numpy.concatenate([x, h])
                if op == "lstm":
                    expected, made = wx + uh, got[0] @ xh
                elif reset == "before":
                    expected, made = wx + uh, numpy.concatenate([got[0] @ xh, got[1] @ xh])
                elif dense:
                    expected, made = numpy.concatenate([wx, uh]), numpy.concatenate([got[0] @ x, got[1] @ h])
                else:
                    expected = numpy.concatenate([(wx + uh)[:2 * n], wx[2 * n:], uh[2 * n:]])
                    made = got[0] @ xh
                numpy.testing.assert_allclose(made, expected, rtol=1e-6, atol=1e-6)

    def test_sparse_forms_hold_the_matrix(self):
        weights = CASES["lstm"].layers[0].weight_hh
        starts, indices, values = compiled.csr(weights)
        again = numpy.zeros_like(weights)
        for row in range(len(weights)):
            again[row, indices[starts[row]:starts[row + 1]]] = values[starts[row]:starts[row + 1]]
        self.assertTrue(numpy.array_equal(again, weights))
        for size in products_mkl.BLOCKS:
            for order in (compiled.ROW_MAJOR, compiled.COLUMN_MAJOR):
                starts, columns, values = products_mkl.bsr(weights, size, order)
                again = numpy.zeros((-(-weights.shape[0] // size) * size, -(-weights.shape[1] // size) * size), numpy.float32)
                for row in range(len(starts) - 1):
                    for k in range(starts[row], starts[row + 1]):
                        block = values[k] if order == compiled.ROW_MAJOR else values[k].T
                        again[row * size:(row + 1) * size, columns[k] * size:(columns[k] + 1) * size] = block
                self.assertTrue(numpy.array_equal(again[:weights.shape[0], :weights.shape[1]], weights))
                self.assertFalse(again[weights.shape[0]:].any() or again[:, weights.shape[1]:].any())
                if size <= 4:  # the blocks of zeros that are there
                    self.assertLess(len(values), 0.9 * again.size / size**2)

    def test_agreement_notices_what_is_wrong(self):
        network = CASES["before"]
        for peer in ("onnxruntime-f32", "openvino-bf16", "csr"):
            right = reference.reference(peer, network, X).astype(numpy.float32)
            self.assertTrue(reference.agreement(peer, network, X, right).ok, peer)
            for wrong, why in ((numpy.roll(right, 1, axis=1), "differs"), (right[:, 1:], "shape"), (right * numpy.nan, "finite")):
                found = reference.agreement(peer, network, X, wrong)
                self.assertFalse(found.ok, peer)
                self.assertIn(why, found.why)
        # One gate instead of another, in the peer with the widest bound.
        layer = network.layers[0]
        swapped = networks.Layer(*(numpy.concatenate([a[19:38], a[:19], a[38:]]) for a in (
            layer.weight_ih, layer.weight_hh, layer.bias_ih, layer.bias_hh)))
        other = networks.Network("gru", "before", [swapped, network.layers[1]])
        self.assertFalse(reference.agreement("openvino-bf16", network, X, reference.run_network(other, X)).ok)


class Networks(unittest.TestCase):
    def test_mistakes_are_named(self):
        good = CASES["lstm"].arrays()
        for change, message in (({"op": "rnn"}, "'op' is 'rnn'"), ({"weight_hh1": None}, "'weight_hh1' is missing"), ({"layers": 0}, "'layers' is 0"),
                                ({"bias_ih0": numpy.zeros(3)}, r"'bias_ih0' has the shape \[3\]; \[76\]"),
                                ({"weight_ih1": numpy.zeros((76, 5))}, r"'weight_ih1' has the shape \[76, 5\]; \[76, 19\]"),
                                ({"weight_hh0": numpy.zeros((75, 19))}, "4 gates of 19"),
                                ({"linear_bias": numpy.full(6, numpy.inf)}, "not finite"), ({"linear_activation": "relu"}, "'relu'")):
            arrays = {name: value for name, value in (good | change).items() if value is not None}
            with self.assertRaisesRegex(networks.BadNetwork, message):
                networks.from_arrays(arrays)

    def test_chunks_differ(self):
        for steps in (1, 4, 50):
            chunks = networks.timed_chunks(X, steps)
            self.assertEqual({chunk.shape for chunk in chunks}, {(steps, 5)})
            self.assertGreaterEqual(len({chunk.tobytes() for chunk in chunks}), STEPS)


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
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["errors.txt", "network.npz", "x.npy", "y.npy"], "a temporary file was left")
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
