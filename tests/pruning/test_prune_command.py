"""rtmc prune's masks against numpy's on models as users have them: renamed tensors, one tensor per gate, another gate order,
masks already there, both directions, a projection, .npz, several schemes at once."""
import json
import os
import struct
import subprocess
import tempfile
import unittest

from support import numpy

from rtmc.pruning.projections import Projection, budget, project, split_gates

RTMC = os.environ["RTMC"]


def read_safetensors(path):
    with open(path, "rb") as file:
        content = file.read()
    length = struct.unpack("<Q", content[:8])[0]
    header, data = json.loads(content[8:8 + length]), content[8 + length:]
    kinds = {"F32": "<f4", "F16": "<f2", "BOOL": "?"}
    return {name: numpy.frombuffer(data[slice(*t["data_offsets"])], kinds[t["dtype"]]).reshape(t["shape"])
            for name, t in header.items()}


class PruneCommand(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rtmc-test-")
        self.addCleanup(folder.cleanup)
        self.dir = folder.name
        self.random = numpy.random.default_rng(7)

    def weights(self, *shape):
        return self.random.standard_normal(shape).astype(numpy.float32)

    def prune(self, model, tensors, *options):
        """The tensors of the pruned model and the report."""
        with open(os.path.join(self.dir, "m.yaml"), "w") as file:
            file.write("rtm: 1\nname: m\nweights: m.npz\n" + model)
        numpy.savez(os.path.join(self.dir, "m.npz"), **tensors)
        output = os.path.join(self.dir, "out.yaml")
        done = subprocess.run([RTMC, "prune", os.path.join(self.dir, "m.yaml"), "-o", output, "--json", "-q", *options],
                              capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        compiled = subprocess.run([RTMC, output, "-o", os.path.join(self.dir, "k.cpp"), "-q"], capture_output=True, text=True,
                                  timeout=300)
        self.assertEqual(compiled.returncode, 0, compiled.stderr)
        return read_safetensors(os.path.join(self.dir, "out.safetensors")), json.loads(done.stdout)

    def check(self, pruned, name, stacked, gates, config, old=None):
        """`stacked`: dense weights in canonical order."""
        kept = stacked != 0 if old is None else old != 0
        before = numpy.where(kept, stacked, 0)
        mask = numpy.concatenate([project(gate, config) for gate in split_gates(before, gates)]) & kept
        self.assertTrue(numpy.array_equal(pruned[name + "_mask"], mask), name)
        self.assertTrue(numpy.array_equal(pruned[name], numpy.where(mask, stacked, 0)), name)

    def test_renamed_stacked_and_reordered(self):
        # Two layers: one with a tensor per gate in the order z, r, n, one with names of its own and a mask of PyTorch's.
        gates = {g: self.weights(20, 20) for g in "zrn"}
        tensors = {f"u{g}": w for g, w in gates.items()}
        tensors["first"] = self.weights(60, 7)  # z, r, n
        tensors["rnn.hh_orig"], tensors["rnn.hh_mask"] = self.weights(80, 20), self.random.random((80, 20)) < 0.7
        tensors["rnn.ih"] = self.weights(80, 20) * (self.random.random((80, 20)) < 0.5)
        pruned, _ = self.prune("""inputs: [{name: x, size: 7}]
layers:
  - {name: a, op: gru, size: 20, reset: after, gate_order: zrn, tensors: {weight_hh: [uz, ur, un], weight_ih: first}}
  - {name: b, op: lstm, size: 20, tensors: {weight_hh: rnn.hh, weight_ih: rnn.ih}}
outputs: [b]
""", tensors, "--scheme", "bsp", "--block", "6x5", "--column-rate", "2", "--row-rate", "1.5")
        config = Projection("bsp", block=(6, 5), column_rate=2, row_rate=1.5)
        z, r, n = split_gates(tensors["first"], 3)
        self.check(pruned, "a.weight_ih", numpy.concatenate([r, z, n]), 3, config)
        self.check(pruned, "a.weight_hh", numpy.concatenate([gates["r"], gates["z"], gates["n"]]), 3, config)
        self.check(pruned, "b.weight_hh", tensors["rnn.hh_orig"], 4, config, tensors["rnn.hh_mask"])
        self.check(pruned, "b.weight_ih", tensors["rnn.ih"], 4, config)

    def test_directions_projections_and_schemes_by_pattern(self):
        tensors, model = {}, """inputs: [{name: x, size: 9}]
layers:
  - {name: a, op: lstm, size: 12, projection: 8, direction: both}
  - {name: y, op: linear, size: 5}
outputs: [y]
"""
        for suffix in ("", "_reverse"):
            tensors["a.weight_ih" + suffix] = self.weights(48, 9)
            tensors["a.weight_hh" + suffix] = self.weights(48, 8)
            tensors["a.weight_hr" + suffix] = self.weights(8, 12)
        tensors["y.weight"] = self.weights(5, 16)
        pruned, report = self.prune(model, tensors, "--scheme", "csb", "--scheme", "*_ih*=bank", "--scheme", "y=column", "--rate",
                                    "3", "--rate", "*_reverse=5", "--block", "4x4", "--block", "*_ih*=1x4", "--bounded", "1.5",
                                    "--layer", "*")
        self.assertNotIn("y.weight_mask", pruned)
        for suffix, rate in (("", 3), ("_reverse", 5)):
            self.check(pruned, "a.weight_ih" + suffix, tensors["a.weight_ih" + suffix], 4, Projection("bank", rate, (1, 4)))
            for name, gates in (("a.weight_hh", 4), ("a.weight_hr", 1)):
                self.check(pruned, name + suffix, tensors[name + suffix], gates, Projection("csb", rate, (4, 4), bounded=1.5))
        self.assertEqual(len(report["matrices"]), 6)

    def test_one_budget(self):
        tensors = {"a.weight_ih": self.weights(30, 6), "a.weight_hh": self.weights(30, 10), "b.weight_ih": self.weights(16, 10),
                   "b.weight_hh": self.weights(16, 16)}
        pruned, report = self.prune("""inputs: [{name: x, size: 6}]
layers:
  - {name: a, op: gru, size: 10, reset: before}
  - {name: b, op: rnn, size: 16}
outputs: [b]
""", tensors, "--scheme", "block", "--scheme", "b=unstructured", "--block", "3x2", "--rate", "5", "--budget", "model")
        gates = [(name, gate) for name, count in (("a.weight_ih", 3), ("a.weight_hh", 3), ("b.weight_ih", 1), ("b.weight_hh", 1))
                 for gate in split_gates(tensors[name], count)]
        configs = [Projection("block", 1, (3, 2)) if name[0] == "a" else Projection("unstructured", 1) for name, _ in gates]
        masks = budget([gate for _, gate in gates], configs, 5)
        for name in tensors:
            expected = numpy.concatenate([mask for (owner, _), mask in zip(gates, masks) if owner == name])
            self.assertTrue(numpy.array_equal(pruned[name + "_mask"], expected), name)
        self.assertEqual(report["kept"], sum(int(mask.sum()) for mask in masks))


if __name__ == "__main__":
    unittest.main(verbosity=2)
