#!/usr/bin/env python3
"""What extract.py takes out of the ONNX files is what the files compute: the files in ONNX Runtime, the reference, and `rtmc run`.

    test_networks.py --rtmc PATH --models ../shared/models

Without onnx or onnxruntime everything is skipped (77); without the models, what needs them.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import numpy  # noqa: E402

STEPS = 30
RTMC, MODELS = None, None


class Files(unittest.TestCase):
    """The three networks that ../shared has."""

    def agrees(self, name, who, folder, x, y):
        found = reference.agreement("onnxruntime-f32", folder / "network.npz", x, y)
        self.assertTrue(found.ok, f"{name}: {who}: {found.why}")

    def one(self, name):
        file = MODELS / extract.NETWORKS[name][0]
        if not file.exists():
            self.skipTest(f"{file} is missing")
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch)
            subprocess.run([sys.executable, "-B", str(HERE / "extract.py"), name, "--models", str(MODELS), "--out", str(folder)],
                           check=True, stdout=subprocess.DEVNULL)
            self.assertEqual(sorted(p.name for p in folder.iterdir()), ["model.yaml", "network.npz", "weights.safetensors", "x.npy"])
            x, y = original.run(name, MODELS, STEPS)
            self.assertGreater(numpy.abs(y).std(), 1e-3, "the file computes next to nothing: it could not be told from zeros")
            self.agrees(name, "the file in ONNX Runtime", folder, x, y)
            for given in (x, numpy.load(folder / "x.npy")):
                numpy.save(folder / "given.npy", given)
                files = [str(folder / name) for name in ("model.yaml", "given.npy", "y.npy")]
                done = subprocess.run([RTMC, "run", files[0], "-i", files[1], "-o", files[2]], capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.agrees(name, "rtmc", folder, given, numpy.load(folder / "y.npy"))

    def test_dtln(self):
        self.one("dtln")

    def test_deepfilternet3(self):
        self.one("deepfilternet3")

    def test_silero_vad(self):
        self.one("silero_vad")


class Reader(unittest.TestCase):
    """On graphs of our own."""

    def graph(self, op, reset="before", layers=2):
        random, arrays, width = numpy.random.default_rng(1), {"op": op, "reset": reset, "layers": layers}, 5
        rows = 7 * {"gru": 3, "lstm": 4}[op]
        for k in range(layers):
            shapes = {"weight_ih": (rows, width), "weight_hh": (rows, 7), "bias_ih": (rows,), "bias_hh": (rows,)}
            arrays |= {f"{name}{k}": random.standard_normal(shape).astype(numpy.float32) for name, shape in shapes.items()}
            width = 7
        network = networks.from_arrays(arrays)
        return network, dense_onnxruntime.build(network, 3).graph

    def test_gate_orders(self):
        for op, reset in (("gru", "before"), ("gru", "after"), ("lstm", "before")):
            network, graph = self.graph(op, reset)
            again = networks.from_arrays(extract.recurrent_layers(graph))
            self.assertEqual((again.op, again.reset), (network.op, network.reset))
            for name, values in network.arrays().items():
                self.assertTrue(numpy.array_equal(again.arrays()[name], values), f"{op}: {name}")

    def test_what_it_cannot_take_is_refused(self):
        def attribute(node, **values):
            node.attribute.extend(onnx.helper.make_attribute(name, value) for name, value in values.items())

        for change, message in ((lambda nodes: attribute(nodes[1], clip=3.0), "its own clip"),
                                (lambda nodes: attribute(nodes[0], direction="reverse"), "its own direction"),
                                (lambda nodes: attribute(nodes[0], activations=["Relu", "Tanh", "Tanh"]), "its own activations"),
                                (lambda nodes: nodes[0].input.append("peepholes"), "its own peepholes"),
                                (lambda nodes: setattr(nodes[1], "op_type", "GRU"), "2 kinds")):
            _, graph = self.graph("lstm")
            nodes = [node for node in graph.node if node.op_type == "LSTM"]
            change(nodes)
            with self.assertRaisesRegex(networks.BadNetwork, message):
                extract.recurrent_layers(graph)

    def test_missing_and_wrong_files(self):
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch)

            def command():
                done = subprocess.run([sys.executable, "-B", str(HERE / "extract.py"), "dtln", "--models", str(folder), "--out",
                                       str(folder / "out")], capture_output=True, text=True)
                self.assertEqual((done.returncode, (folder / "out").exists()), (1, False), done.stderr)
                return done.stderr

            self.assertIn("No such file", command())
            (folder / "dtln").mkdir()
            _, graph = self.graph("lstm")
            onnx.save(onnx.helper.make_model(graph), str(folder / "dtln" / "model_1.onnx"))
            self.assertIn("no tensor 'dense_2/kernel:0'", command())
            (folder / "dtln" / "model_1.onnx").write_bytes(b"\x08\x07 no protobuf")
            self.assertIn("no ONNX file", command())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rtmc", required=True)
    parser.add_argument("--models", type=pathlib.Path, required=True)
    arguments, rest = parser.parse_known_args()
    RTMC, MODELS = arguments.rtmc, arguments.models
    try:
        import onnx
        import extract
        import original
        from peers import dense_onnxruntime, network as networks, reference
    except ImportError as missing:
        print(f"SKIPPED: {missing.name} is not installed")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], *rest])
