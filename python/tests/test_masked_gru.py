"""MaskedGRU against torch.nn.GRU, MaskedGRUResetBefore against GRUResetBefore: values, gradients, interface; under masks of several shapes;
with a pruner."""
import copy
import itertools
import os
import unittest.mock

from common import Case, Net, data, loss_of, torch, unittest
import rtmc
from rtmc.nn import Dropout, GRUResetBefore, MaskedGRU, MaskedGRUResetBefore
from rtmc.nn.dropout import dropout
from rtmc.nn.masked import FollowsMasks
from rtmc.nn.kept_columns import KeptColumns
from rtmc.nn.kept_weights import KeptWeights, library
from rtmc.nn.products import Dense, product
from rtmc.pruning import Pruner
from torch.nn.utils.rnn import pack_padded_sequence


KINDS = ((MaskedGRU, torch.nn.GRU), (MaskedGRUResetBefore, GRUResetBefore))


def twins(*arguments, dtype=torch.double, kinds=KINDS[0], **options):
    """The fast one and the one that it is compared with, of the same weights."""
    ours, theirs = (kind(*arguments, **options).to(dtype) for kind in kinds)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def block_mask(rows, columns, height, keep):
    """Each block of rows keeps `keep` columns of its own, fewer in every second one."""
    mask = torch.zeros(rows, columns, dtype=torch.bool)
    for block in range(rows // height):
        mask[block * height:(block + 1) * height, torch.randperm(columns)[:keep - block % 2]] = True
    return mask


class MaskedGRUTest(Case):
    def agree(self, ours, theirs, x, h0=None, bound=1e-13):
        results = []
        for net in (ours, theirs):
            inputs = [x.clone().requires_grad_()] + ([] if h0 is None else [h0.clone().requires_grad_()])
            out, last = net(*inputs)
            weigh = torch.Generator().manual_seed(1)
            value = (out * torch.randn(out.shape, generator=weigh, dtype=out.dtype)).sum()
            value = value + (last * torch.randn(last.shape, generator=weigh, dtype=last.dtype)).sum()
            results.append([out, last, *torch.autograd.grad(value, inputs + list(net.parameters()))])
        for a, b in zip(*results):
            self.assertEqual(a.shape, b.shape)
            self.assertLess(float((a - b).detach().abs().max()), bound)
        return results

    def test_values_and_gradients_are_those_of_gru(self):
        for kinds, options in itertools.product(KINDS, ({}, {"num_layers": 3}, {"bias": False}, {"batch_first": True})):
            ours, theirs = twins(5, 12, kinds=kinds, **options)
            h0 = torch.randn(options.get("num_layers", 1), 4, 12, dtype=torch.double)
            x = torch.randn((4, 7, 5) if "batch_first" in options else (7, 4, 5), dtype=torch.double)
            self.agree(ours, theirs, x)
            self.agree(ours, theirs, x, h0)

    def test_gradcheck(self):
        for kind, _ in KINDS:
            self.check_gradients(kind(2, 3).double())

    def check_gradients(self, net):
        parameters = dict(net.named_parameters())

        called = getattr(torch, "func", torch.nn.utils.stateless).functional_call  # PyTorch 1.13 has it in the second place

        def call(x, h0, *weights):
            return called(net, dict(zip(parameters, weights)), (x, h0))
        x, h0 = (torch.randn(shape, dtype=torch.double, requires_grad=True) for shape in ((4, 2, 2), (1, 2, 3)))
        self.assertTrue(torch.autograd.gradcheck(call, (x, h0, *parameters.values())))

    def test_under_masks_it_is_gru_with_zeros(self):
        for kinds, (height, keep) in itertools.product(KINDS, ((16, 3), (24, 9))):
            ours, theirs = twins(20, 48, 2, kinds=kinds)
            masks = {name: block_mask(*weight.shape, height, keep) for name, weight in theirs.named_parameters() if "weight" in name}
            with torch.no_grad():
                for net in (ours, theirs):
                    for name, mask in masks.items():
                        getattr(net, name).mul_(mask)
            shares = ours.follow(masks)
            self.assertEqual(set(shares), set(masks))
            self.assertLess(min(shares.values()), 0.6)
            results = self.agree(ours, theirs, torch.randn(6, 3, 20, dtype=torch.double), bound=float("inf"))
            names = ["out", "last", "x", *(name for name, _ in theirs.named_parameters())]
            for name, a, b in zip(names, *results):
                kept = masks.get(name, torch.ones(()))
                self.assertLess(float(((a - b) * kept).detach().abs().max()), 1e-13, name)
                if shares.get(name, 1.0) < 1:
                    self.assertEqual(float((a * ~kept).abs().max()), 0)

    def test_products(self):
        mask = block_mask(96, 40, 16, 5)
        weight, x, y = torch.randn(96, 40) * mask, torch.randn(40, 7), torch.randn(96, 7)
        blocks = product(mask, 3)
        self.assertIsInstance(blocks, KeptColumns)
        self.assertEqual((blocks.height, blocks.width), (16, 8))
        out, back = torch.empty(96, 7), torch.ones(40, 7)
        packed = blocks.pack(weight, torch.float32)
        blocks.times(packed, x, out)
        blocks.add_transposed(packed, y, back)
        self.assertTrue(torch.allclose(out, weight @ x, atol=1e-5))
        self.assertTrue(torch.allclose(back, 1 + weight.t() @ y, atol=1e-5))
        self.assertTrue(torch.allclose(blocks.outer(y, x), (y @ x.t()) * mask, atol=1e-5))
        # Pruned weights do not count, whatever they are, also in the columns that fill a block up.
        self.assertTrue(torch.equal(blocks.pack(torch.where(mask, weight, torch.tensor(9.0)), torch.float32), packed))
        # Nothing to gain: as many columns as there are, and a size that no height divides.
        self.assertIsInstance(product(torch.rand(96, 40) < 0.5, 3), Dense)
        self.assertIsInstance(product(torch.zeros(3 * 131, 40, dtype=torch.bool), 3), Dense)
        # All pruned.
        nothing = product(torch.zeros(96, 40, dtype=torch.bool), 3)
        nothing.times(nothing.pack(torch.zeros(96, 40), torch.float32), x, out)
        self.assertEqual(float(out.abs().max()), 0)

    def test_products_by_weights(self):
        if library() is None:
            self.skipTest("no C++ compiler that makes kept_weights.cpp")
        mask = torch.rand(300, 200) < 0.1
        mask[5], mask[:, 7] = False, False
        self.assertIsInstance(product(mask, 3), KeptWeights)
        self.assertIsInstance(product(torch.rand(300, 200) < 0.5, 3), Dense)
        self.assertIsInstance(product(block_mask(300, 200, 20, 9), 3), KeptColumns)
        self.assertIsInstance(product(mask[:30, :20], 3), Dense)  # too small to be worth a call
        threads = torch.get_num_threads()
        # Batches of whole vectors, of less, and of both; a sum of 300 terms of size 1 in each precision.
        for dtype, batch, count in itertools.product((torch.double, torch.float, torch.bfloat16, torch.half), (1, 7, 16, 64, 85), (1, 3)):
            with self.subTest(dtype=dtype, batch=batch, threads=count):
                torch.set_num_threads(count)
                try:
                    self.check_by_weights(mask, dtype, batch)
                finally:
                    torch.set_num_threads(threads)

    def check_by_weights(self, mask, dtype, batch):
        states = torch.double if dtype == torch.double else torch.float
        weight = torch.randn(mask.shape, dtype=states).masked_fill_(~mask, 0)
        x, y = torch.randn(mask.shape[1], batch).to(dtype), torch.randn(mask.shape[0], batch).to(dtype)
        by_weights, exact = KeptWeights(mask), weight.double()
        packed = by_weights.pack(weight, dtype)
        bound = {torch.double: 1e-13, torch.float: 1e-4, torch.half: 0.02, torch.bfloat16: 0.1}
        out = torch.full((mask.shape[0], batch), 9.0).to(dtype)
        by_weights.times(packed, x, out)
        self.assertLess(float((out.double() - exact @ x.double()).abs().max()), bound[dtype])
        self.assertEqual(float(out[5].abs().max()), 0)
        # Into states, which need not be contiguous, and into inputs.
        for back in (torch.ones(batch, mask.shape[1], dtype=states).t(), torch.ones(mask.shape[1], batch).to(dtype)):
            by_weights.add_transposed(packed, y, back)
            self.assertLess(float((back.double() - 1 - exact.t() @ y.double()).abs().max()), bound[back.dtype])
        gradient, expected = by_weights.outer(y, x), (y.double() @ x.double().t()) * mask
        self.assertEqual(gradient.dtype, states)
        self.assertLess(float((gradient.double() - expected).abs().max()), bound[states])
        self.assertEqual(float((gradient * ~mask).abs().max()), 0)

    def test_by_weights_it_is_gru_with_zeros(self):
        if library() is None:
            self.skipTest("no C++ compiler that makes kept_weights.cpp")
        for kinds in KINDS:
            ours, theirs = twins(150, 128, 2, kinds=kinds)
            masks = {name: torch.rand(weight.shape) < 0.1 for name, weight in theirs.named_parameters() if "weight" in name}
            with torch.no_grad():
                for net in (ours, theirs):
                    for name, mask in masks.items():
                        getattr(net, name).mul_(mask)
            self.assertLess(max(ours.follow(masks).values()), 0.11)
            self.assertIsInstance(ours._products["weight_hh_l1"][0], KeptWeights)
            results = self.agree(ours, theirs, torch.randn(6, 3, 150, dtype=torch.double), bound=float("inf"))
            names = ["out", "last", "x", *(name for name, _ in theirs.named_parameters())]
            for name, a, b in zip(names, *results):
                kept = masks.get(name, torch.ones(()))
                self.assertLess(float(((a - b) * kept).detach().abs().max()), 1e-12, name)
                if name in masks:
                    self.assertEqual(float((a * ~kept).abs().max()), 0)

    def test_without_a_compiler_it_is_dense(self):
        mask = torch.rand(300, 200) < 0.1
        library.cache_clear()
        try:
            with unittest.mock.patch.dict(os.environ, {"CXX": "no-such-compiler"}), self.assertLogs("rtmc", "WARNING") as said:
                self.assertIsInstance(product(mask, 3), Dense)
                self.assertIsInstance(product(mask, 3), Dense)
            self.assertEqual(len(said.output), 1)
            self.assertIn("no-such-compiler", said.output[0])
            library.cache_clear()
            with unittest.mock.patch.dict(os.environ, {"CXX": "false"}), self.assertLogs("rtmc", "WARNING") as said:
                self.assertIsInstance(product(mask, 3), Dense)
            self.assertIn("false failed", said.output[0])
        finally:
            library.cache_clear()

    def test_dropout_of_values(self):
        x = torch.ones(1001, 1000, requires_grad=True)
        for p in (0.15, 0.5, 0.999):
            out = dropout(x, p)
            kept = (out != 0).double()
            self.assertLess(abs(float(kept.mean()) - (1 - p)), 5 * (p * (1 - p)) ** 0.5 / 1e3)
            self.assertTrue(torch.allclose(out.detach(), (kept / (1 - p)).float(), rtol=1e-2))
            (gradient,) = torch.autograd.grad(out.sum(), x)
            self.assertTrue(torch.equal(gradient, out.detach()))
        self.assertIs(dropout(x, 0.0), x)
        self.assertIs(dropout(x, 0.5, training=False), x)
        self.assertEqual(float(dropout(x, 1.0).detach().abs().max()), 0)
        layer = Dropout(0.5)
        self.assertEqual(sorted(layer(x).unique().tolist()), [0, 2])
        self.assertIs(layer.eval()(x), x)
        self.refuses(ValueError, "dropout", dropout, x, 1.5)
        self.refuses(ValueError, "dropout", dropout, x, float("nan"))

    def test_autocast(self):
        for kinds in KINDS:
            self.check_autocast(*twins(8, 32, 2, dtype=torch.float32, kinds=kinds))

    def check_autocast(self, ours, theirs):
        x = torch.randn(9, 4, 8)
        exact = theirs(x)[0].detach()
        with torch.autocast("cpu", torch.bfloat16):
            a, state = ours(x)
            b = torch.nn.GRU.forward(theirs, x)[0] if isinstance(theirs, torch.nn.GRU) else a
        self.assertEqual((a.dtype, state.dtype), (torch.bfloat16, torch.float32))
        a.float().sum().backward()
        self.assertEqual(ours.weight_hh_l0.grad.dtype, torch.float32)
        wrong, allowed = float((a.float() - exact).detach().abs().max()), float((b.float() - exact).detach().abs().max())
        self.assertLess(wrong, min(2 * allowed, 0.02))
        self.assertGreater(wrong, 0)

    def test_what_it_does_not_do_is_left_to_its_base(self):
        for kinds in KINDS:
            ours, theirs = twins(5, 16, bidirectional=True, kinds=kinds)
            self.agree(ours, theirs, torch.randn(6, 2, 5, dtype=torch.double), bound=1e-15)
            ours, theirs = twins(5, 16, kinds=kinds)
            x = torch.randn(6, 2, 5, dtype=torch.double)
            packed = pack_padded_sequence(x, [6, 3])
            self.assertTrue(torch.equal(ours(packed)[0].data, theirs(packed)[0].data))
            self.assertTrue(torch.equal(ours(x[:, 0])[0], theirs(x[:, 0])[0]))
            with torch.no_grad():
                self.assertTrue(torch.equal(ours(x)[0], theirs(x)[0]))

    def test_dropout(self):
        net = MaskedGRU(5, 16, 2, dropout=0.5)
        x = torch.randn(6, 2, 5)
        self.assertFalse(torch.equal(net(x)[0], net(x)[0]))
        net.eval()
        self.assertTrue(torch.equal(net(x)[0], net(x)[0]))

    def test_refusals(self):
        net = MaskedGRU(5, 16)
        self.refuses(ValueError, "has 4 values per step; 5", net, torch.randn(6, 2, 4))
        self.refuses(ValueError, "(1, 2, 16) is needed", net, torch.randn(6, 2, 5), torch.randn(1, 3, 16))
        good = torch.ones(48, 16, dtype=torch.bool)
        self.refuses(ValueError, "no weight 'weight_hh_l1'", net.follow, {"weight_hh_l1": good})
        self.refuses(ValueError, "no weight 'bias_hh_l0'", net.follow, {"bias_hh_l0": good})
        self.refuses(ValueError, "torch.bool (48, 16) is needed", net.follow, {"weight_hh_l0": good[:3]})
        self.refuses(ValueError, "torch.bool (48, 16) is needed", net.follow, {"weight_hh_l0": good.float()})
        self.refuses(ValueError, "outside of its mask", net.follow, {"weight_hh_l0": ~good})

    def test_pruned_it_trains_as_its_base_does(self):
        for kinds in KINDS:
            ours, theirs = (self.pruned(kind) for kind in kinds)
            self.assertLess(float((ours.gru.weight_hh_l0 - theirs.gru.weight_hh_l0).detach().abs().max()), 1e-9)

    def pruned(self, kind):
        """Trained and pruned in four epochs. The pruner tells ours the masks, and so does a pruner that goes on from a state."""
        config = {"scheme": "bsp", "block": [16, 6], "column_rate": 3, "row_rate": 1,
                  "rho": [1e-2], "epochs_per_rho": 2, "extra_epochs": 0, "retrain_epochs": [2, 0]}
        torch.manual_seed(2)
        net = Net().double()
        net.gru = kind(6, 16).double()
        optimizer = torch.optim.Adam(net.parameters(), 1e-2)
        pruner = Pruner(net, config)
        pruner.prepare()
        pruner.attach(optimizer)
        x, y = data()
        for _ in range(4):
            for _ in range(5):
                optimizer.zero_grad()
                loss_of(net, x.double(), y).backward()
                optimizer.step()
            pruner.epoch_end()
        self.assertTrue(pruner.finished)
        if isinstance(net.gru, FollowsMasks):
            again = Pruner(copy.deepcopy(net), config)
            again._model.gru.follow({})
            again.prepare()
            again.load_state_dict(pruner.state_dict())
            for gru in (net.gru, again._model.gru):
                self.assertLess(sum(p.share for p in gru._products["weight_hh_l0"]) / len(gru._products["weight_hh_l0"]), 0.6)
        return net

    def test_exported_it_is_its_base(self):
        for kinds in KINDS:
            self.assertEqual(*map(self.exported, kinds))

    def exported(self, kind):
        torch.manual_seed(2)
        rtmc.export(torch.nn.Sequential(kind(6, 16), torch.nn.Linear(16, 3)), self.path(kind.__name__), name="net")
        with open(self.path(os.path.join(kind.__name__, "model.yaml"))) as file:
            return file.read()


if __name__ == "__main__":
    unittest.main()
