"""export and compile: what rtmc computes is what PyTorch computes."""
import json
import os
import pathlib
import subprocess
import unittest.mock

import numpy
from common import Case, Net, torch, unittest

import rtmc
from rtmc.build import find_rtmc
from rtmc.nn import GRUResetBefore
from rtmc.pruning import BCR, BSP, CSB, BankBalanced, Block, Columns, Rows, RowsAndColumns, Unstructured

try:
    RTMC = find_rtmc()
except rtmc.CompileError as error:
    RTMC, WHY = None, str(error)

STEPS = 9
# Largest difference of an output, by how weights are stored; the values here are below 5.
BOUND = {"f32": 2e-6, "f16": 5e-3, "bf16": 4e-2}


class Chain(torch.nn.Module):
    """Calls layers one after the other, which nn.Sequential cannot do with RNNs."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = torch.nn.ModuleList(layers)

    def forward(self, x):
        for layer in self.layers:
            if isinstance(layer, torch.nn.RNNCellBase):
                h, states = None, []
                for step in x:
                    h = layer(step[None], h)
                    states.append((h[0] if isinstance(h, tuple) else h)[0])
                x = torch.stack(states)
                continue
            x = layer(x)
            x = x[0] if isinstance(x, tuple) else x
        return x


def read_masks(path):
    """name -> bytes of the masks in a .safetensors file."""
    content = pathlib.Path(path).read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    found = {name: tensor for name, tensor in json.loads(content[8:start]).items() if name.endswith("_mask")}
    assert all(tensor["dtype"] == "BOOL" for tensor in found.values())
    return {name: content[start + tensor["data_offsets"][0]:start + tensor["data_offsets"][1]] for name, tensor in found.items()}


def networks():
    nn = torch.nn
    yield "gru", Chain(nn.GRU(6, 16, 2), nn.Linear(16, 5), nn.LogSoftmax(-1))
    yield "reset_before", Chain(GRUResetBefore(6, 16, 2, bidirectional=True), nn.Dropout(0.5), nn.Linear(32, 5), nn.Identity(), nn.Tanh())
    yield "lstm", Chain(nn.LSTM(6, 12, bidirectional=True), nn.LSTM(24, 12, proj_size=7), nn.Linear(7, 5, bias=False), nn.Softmax(-1))
    yield "rnn", Chain(nn.RNN(6, 12), nn.RNN(12, 9, nonlinearity="relu", bias=False), nn.Linear(9, 8), nn.ReLU(), nn.Linear(8, 3),
                       nn.Sigmoid())
    yield "cells", Chain(nn.GRUCell(6, 8), nn.LSTMCell(8, 8, bias=False), nn.RNNCell(8, 5, nonlinearity="relu"))


@unittest.skipIf(RTMC is None, "no rtmc")
class CompiledTest(Case):
    def torch_of(self, model, x):
        model.eval()
        with torch.no_grad():
            return model(x).numpy()

    def nonzeros(self, path, *options):
        command = [RTMC, path, "-o", self.path("k.cpp"), "-q", "--json", *options]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["nonzeros"]

    def rtmc_run(self, path, x, *options):
        numpy.save(self.path("x.npy"), x)
        subprocess.run([RTMC, "run", path, "-i", self.path("x.npy"), "-o", self.path("y.npy"), "-q", *options], check=True)
        return numpy.load(self.path("y.npy"))

    def test_rtmc_run_equals_pytorch(self):
        for name, model in networks():
            with self.subTest(name):
                x = torch.randn(STEPS, 6)
                example = None if name == "cells" else x
                path = rtmc.export(model, self.path(name), layers=[*model.layers], name=name, example=example)
                y, wanted = self.rtmc_run(path, x.numpy()), self.torch_of(model, x)
                self.assertEqual(y.shape, wanted.shape)
                self.assertLess(abs(y - wanted).max(), BOUND["f32"])
                again = rtmc.export(model.layers, self.path(name + "2"), name=name)  # a ModuleList says its order itself
                with open(path) as a, open(again) as b:
                    self.assertEqual(a.read().replace("layers_", "layer"), b.read())

    def test_precisions(self):
        model = next(networks())[1]
        x = torch.randn(STEPS, 6)
        path, wanted = rtmc.export(model, self.folder, layers=[*model.layers]), self.torch_of(model, x)
        for precision in ("f16", "bf16"):
            difference = abs(self.rtmc_run(path, x.numpy(), "--precision", precision) - wanted).max()
            self.assertLess(difference, BOUND[precision])
            self.assertGreater(difference, BOUND["f32"])

    def test_every_structure_keeps_its_promise(self):
        cases = ((BSP, {"block": (8, 3), "column_rate": 2, "row_rate": 2}), (BCR, {"block": (8, 3), "rate": 2}),
                 (CSB, {"block": (4, 3), "rate": 3}), (BankBalanced, {"block": (1, 3), "rate": 3}), (Block, {"block": (4, 2), "rate": 4}),
                 (Unstructured, {"rate": 4}), (Rows, {"rate": 2}), (Columns, {"rate": 2}), (RowsAndColumns, {"rate": 3}))
        x = torch.randn(STEPS, 6)
        for kind, structure in cases:
            with self.subTest(kind.SCHEME):
                model = Net()
                pruner = kind(model, {**structure, "method": "one_shot", "retrain_epochs": 0})
                pruner.prepare()
                pruner.squash_mask()
                path = rtmc.export(model, self.path(kind.SCHEME), layers=["gru", "head", "log_softmax"], masks=pruner)
                # A promise that does not hold is an error of rtmc's.
                dense_head, kept = 16 * 5, sum(int(mask.sum()) for mask in pruner.masks.values())
                self.assertLessEqual(self.nonzeros(path), kept + dense_head)
                self.assertLess(abs(self.rtmc_run(path, x.numpy()) - self.torch_of(model, x)).max(), BOUND["f32"])
                # Single weights are no structure to promise.
                with open(path) as file:
                    self.assertEqual(file.read().count(f"{{scheme: {'bsp' if kind is RowsAndColumns else kind.SCHEME}"),
                                     0 if kind in (Unstructured, BankBalanced) else 2)

    def test_one_shot_is_rtmc_prune(self):
        model = Net()
        dense = rtmc.export(model, self.path("dense"), layers=["gru", "head"])
        for kind, config, options in ((BSP, {"block": (8, 3), "column_rate": 2, "row_rate": 3}, "--block 8x3 --column-rate 2 --rate 6"),
                                      (CSB, {"block": (4, 3), "rate": 4}, "--block 4x3 --rate 4"), (Unstructured, {"rate": 5}, "--rate 5")):
            with self.subTest(kind.SCHEME):
                pruned = Net()
                pruned.load_state_dict(model.state_dict())
                pruner = kind(pruned, {**config, "method": "one_shot", "retrain_epochs": 0})
                pruner.prepare()
                rtmc.export(pruned, self.path("python"), layers=["gru", "head"], masks=pruner)
                subprocess.run([RTMC, "prune", dense, "--scheme", kind.SCHEME, *options.split(), "-o", self.path("rtmc/model.yaml"), "-q"],
                               check=True, stdout=subprocess.DEVNULL)
                ours, theirs = (read_masks(self.path(f"{folder}/model.safetensors")) for folder in ("python", "rtmc"))
                for name in ("gru.weight_ih_mask", "gru.weight_hh_mask"):
                    self.assertEqual(ours[name], theirs[name])

    def test_masks_keep_small_and_drop_unsquashed_weights(self):
        model = Net()
        pruner = Block(model, {"block": (4, 2), "rate": 2, "method": "one_shot", "retrain_epochs": 0})
        pruner.prepare()
        masks = pruner.squash_mask()
        with torch.no_grad():
            kept = model.gru.weight_hh_l0[masks["gru.weight_hh_l0"]]
            model.gru.weight_hh_l0[masks["gru.weight_hh_l0"]] = kept.sign() * 1e-9  # zero in 16 bits
        path = rtmc.export(model, self.folder, layers=["gru", "head"], masks=pruner)
        written = read_masks(self.path("model.safetensors"))
        self.assertEqual(set(written), {"gru.weight_ih_mask", "gru.weight_hh_mask", "head.weight_mask"})
        for key in ("weight_ih", "weight_hh"):
            self.assertEqual(written[f"gru.{key}_mask"], masks[f"gru.{key}_l0"].numpy().tobytes())
        wanted = sum(int(m.sum()) for m in masks.values()) + 80
        self.assertEqual(self.nonzeros(path, "--precision", "f16"), wanted)
        with torch.no_grad():
            model.gru.weight_hh_l0.fill_(1.0)  # the mask decides
        rtmc.export(model, self.folder, layers=["gru", "head"], masks={"module." + name: m.numpy() for name, m in masks.items()})
        self.assertEqual(self.nonzeros(path), wanted)

    def test_wrapped_models(self):
        class OptimizedModule(torch.nn.Module):  # as torch.compile wraps
            def __init__(self, module):
                super().__init__()
                self._orig_mod = module
        model = Net()
        wrapped = OptimizedModule(torch.nn.DataParallel(model))
        pruner = Rows(wrapped, {"rate": 2, "method": "one_shot", "retrain_epochs": 0})
        pruner.prepare()
        paths = [rtmc.export(m, self.path(f"{i}"), layers=["gru", "head"], masks=pruner) for i, m in enumerate((model, wrapped))]
        for name in ("model.yaml", "model.safetensors"):
            first, second = (pathlib.Path(path).with_name(name).read_bytes() for path in paths)
            self.assertEqual(first, second)

    def test_compiled_object(self):
        model, x = Net(), torch.randn(20, 6)
        rtmc.export(model, self.folder, layers=["gru", "head", "log_softmax"], name="net")
        wanted = self.torch_of(model, x)
        net = rtmc.compile(self.folder, cache=self.path("cache"))
        self.assertEqual((net.name, net.inputs, net.outputs, net.precision, net.causal, net.threads), ("net", 6, 5, "f32", True, 1))
        y = net(x)
        self.assertLess(abs(y - wanted).max(), BOUND["f32"])
        net.reset()
        for step, row in enumerate(x.numpy()):  # one at a time, in any dtype and layout: the same bits
            self.assertTrue((net.step(row.astype(float)) == y[step]).all())
        net.reset()
        net.run(numpy.asfortranarray(x.numpy()[:12]))
        state, other = net.state, net.stream()
        self.assertTrue((other.run(x[:5]) == y[:5]).all())
        other.state = state
        self.assertTrue((other.run(x[12:]) == y[12:]).all())
        self.assertTrue((net.run(x[12:]) == y[12:]).all())
        self.assertEqual(net.run(numpy.zeros((0, 6))).shape, (0, 5))
        self.refuses(ValueError, "[6] is needed", net.step, numpy.zeros(5))
        self.refuses(ValueError, "[steps, 6] is needed", net.run, numpy.zeros(6))
        self.refuses(TypeError, "complex", net.step, numpy.zeros(6, complex))
        with self.assertRaises(RuntimeError):
            net.state = state[:-1]
        self.assertTrue((net.state == other.state))
        with net:
            pass
        self.refuses(RuntimeError, "was closed", net.step, x[0])

    def test_models_that_are_not_causal(self):
        model = Chain(torch.nn.GRU(6, 8, bidirectional=True))
        rtmc.export(model, self.folder, layers=["layers.0"])
        net = rtmc.compile(self.folder, cache=self.path("cache"))
        for steps in (3, 200, 5):  # longer than what the session was made for, too
            x = torch.randn(steps, 6)
            self.assertLess(abs(net(x) - self.torch_of(model, x)).max(), BOUND["f32"])
        self.refuses(RuntimeError, "future", net.step, x[0])
        self.refuses(RuntimeError, "future", lambda: net.state)

    def test_libraries_are_kept_and_built_once(self):
        cache = self.path("cache")
        rtmc.export(torch.nn.GRU(3, 4), self.folder)
        first = rtmc.compile(self.folder, cache=cache)
        with unittest.mock.patch("os.replace", side_effect=AssertionError("built again")):
            self.assertEqual(rtmc.compile(self.folder, cache=cache).path, first.path)
        self.assertNotEqual(rtmc.compile(self.folder, cache=cache, precision="bf16").path, first.path)
        rtmc.export(torch.nn.GRU(3, 4), self.folder)
        self.assertNotEqual(rtmc.compile(self.folder, cache=cache).path, first.path)
        self.assertEqual(sorted(name[-3:] for name in os.listdir(cache)), [".so"] * 3)

    def test_compile_says_what_is_missing(self):
        rtmc.export(torch.nn.GRU(3, 4), self.folder)

        def fails(text, folder=self.folder, **more):
            self.refuses(rtmc.CompileError, text, rtmc.compile, folder, cache=self.path("cache"), **more)
        fails("there is no file", self.path("none"))
        fails("there is no program 'no-such-rtmc'", rtmc="no-such-rtmc")
        fails("no-such-compiler", cxx="no-such-compiler")
        fails("ended with status", cxx="false")
        fails("precision", precision="f12")
        fails("neither an installation nor a whole build", rtmc="/bin/true")
        self.refuses(rtmc.CompileError, "cannot be used", rtmc.compile, self.folder, cache="/dev/null/cache")
        with open(self.path("model.yaml"), "a") as file:
            file.write("outptus: [gru]\n")
        fails("did you mean 'outputs'?")


if __name__ == "__main__":
    unittest.main()
