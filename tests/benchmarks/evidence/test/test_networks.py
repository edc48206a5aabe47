"""The networks that peers and rtmc are given must be the same network, and what the report draws of one must be its pattern."""
import gzip
import pathlib
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))


class Made(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_reference(self):
        networks = Networks(self.folder)
        network = networks.reference(301, "256x256")
        self.assertTrue(295 < paper.WEIGHTS / network.kept < 307)
        tensors = read_safetensors(network.folder / "weights.safetensors")
        for reset in ("before", "after"):
            with numpy.load(network.npz(reset)) as arrays:
                self.assertEqual((str(arrays["op"]), str(arrays["reset"]), int(arrays["layers"])), ("gru", reset, 2))
                for layer in range(2):
                    for role in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                        numpy.testing.assert_array_equal(arrays[f"{role}{layer}"], tensors[f"gru{layer}.{role}"])
        self.assertEqual(numpy.load(network.x).shape, (network.steps, network.inputs))
        self.assertEqual((network.folder / "timed.f32").stat().st_size, 4 * network.timed_steps * network.inputs)
        self.assertIs(networks.reference(301, "256x256"), network, "made once")
        networks.close()
        self.assertFalse(network.folder.exists())

    def test_small_ones_have_the_shape_that_is_said(self):
        try:
            made = {name: small.make(self.folder, name, self.folder / "no models") for name in plan.SMALL}
        except Failed as problem:
            self.skipTest(str(problem))
        for name, (network, op, reset, what) in made.items():
            shape = small.SHAPES[name]
            self.assertEqual((op, network.inputs, network.outputs), (shape[0], shape[2], shape[5] or shape[3]))
            self.assertIn("random weights of that shape", what)
            self.assertTrue(network.npz(reset).exists())
            self.assertIn(f"op: {op}", network.model.read_text())
        self.assertTrue(made["deepfilternet3"][3].startswith("GRU 256, 256 -> 256, 393,216 weights; "))
        self.assertTrue(made["dtln"][3].startswith("LSTM 128 x 2 and a linear layer, 257 -> 257, 361,088 weights; "))

    def test_matrices_of_others(self):
        raw, random = self.folder / "raw", numpy.random.default_rng(2)
        self.assertEqual(lyra.missing(raw), "../shared/models/lyra_wavegru is not here")
        raw.mkdir()
        kept = {}
        for layer, rows in (("gru_layer", 3072), ("conv_to_gates", 3072), ("ar_to_gates", 3072), ("proj", 512)):
            mask = random.random((rows, 4)) < 0.2
            kept[layer] = int(mask.sum())
            for kind, values in (("weights", mask * 0.5), ("mask", mask), ("bias", numpy.zeros(rows))):
                with gzip.open(raw / f"lyra_16khz_{layer}_{kind}.raw.gz", "wb") as file:
                    file.write(values.astype("<f4").tobytes())
        self.assertEqual(lyra.missing(raw), "")
        for name in plan.LYRA:
            network = lyra.make(self.folder / "made", name, raw)
            self.assertEqual((network.inputs, network.weights, network.kept), (4, 4 * network.outputs, kept[name]))
            self.assertIn(f"name: lyra_{name}\n", network.model.read_text())
            self.assertEqual(numpy.load(network.x).shape, (network.steps, 4))

    def test_a_mask_survives_its_way_into_the_report(self):
        mask = numpy.random.default_rng(1).random((37, 21)) < 0.3
        numpy.testing.assert_array_equal(spy.unpack(spy.pack(mask), list(mask.shape)), mask)
        self.assertEqual(spy.ranges([5, 3, 4, 9]), [[3, 6], [9, 10]])
        self.assertEqual(spy.ranges([]), [])


if __name__ == "__main__":
    try:
        import numpy
    except ImportError as missing:
        print(f"SKIPPED: {missing}")
        sys.exit(77)
    from harness import lyra, paper, plan, small, spy
    from harness.networks import Networks, read_safetensors
    from harness.processes import Failed
    unittest.main(verbosity=2)
