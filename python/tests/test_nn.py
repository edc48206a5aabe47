"""GRUResetBefore against the cell's definition, step by step under autograd, and against torch.nn.GRU's interface."""
from common import Case, torch, unittest
from rtmc.nn import GRUResetBefore
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence


def reference(net, x, h0, layer=0, suffix=""):
    """One direction over x [T, B, I]: r, z, n, and the reset before the product."""
    w_ih, w_hh, b_ih, b_hh = (getattr(net, f"{n}_l{layer}{suffix}") for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    (wr, wz, wn), (ur, uz, un), (br, bz, bn) = w_ih.chunk(3), w_hh.chunk(3), (b_ih + b_hh).chunk(3)
    h, out = h0, []
    for t in reversed(range(len(x))) if suffix else range(len(x)):
        r = torch.sigmoid(x[t] @ wr.t() + h @ ur.t() + br)
        z = torch.sigmoid(x[t] @ wz.t() + h @ uz.t() + bz)
        n = torch.tanh(x[t] @ wn.t() + (r * h) @ un.t() + bn)
        h = z * h + (1 - z) * n
        out.append(h)
    return torch.stack(out[::-1] if suffix else out), h


class GRUResetBeforeTest(Case):
    def test_values_and_gradients_are_the_definitions(self):
        net = GRUResetBefore(3, 4, 2, bidirectional=True).double()
        x, h0 = torch.randn(5, 2, 3, dtype=torch.double, requires_grad=True), torch.randn(4, 2, 4, dtype=torch.double, requires_grad=True)
        weigh_out, weigh_last = torch.randn(5, 2, 8, dtype=torch.double), torch.randn(4, 2, 4, dtype=torch.double)
        out, last = net(x, h0)
        data, states = x, []
        for layer in range(2):
            both = [reference(net, data, h0[2 * layer + d], layer, s) for d, s in enumerate(("", "_reverse"))]
            data = torch.cat([both[0][0], both[1][0]], 2)
            states += [both[0][1], both[1][1]]
        wanted = (data, torch.stack(states))
        self.assertLess((out - wanted[0]).abs().max().item(), 1e-14)
        self.assertLess((last - wanted[1]).abs().max().item(), 1e-14)
        inputs = [x, h0, *net.parameters()]
        ours = torch.autograd.grad((out * weigh_out).sum() + (last * weigh_last).sum(), inputs)
        theirs = torch.autograd.grad((wanted[0] * weigh_out).sum() + (wanted[1] * weigh_last).sum(), inputs)
        for a, b in zip(ours, theirs):
            self.assertLess(float((a - b).abs().max()), 1e-13)

    def test_gradcheck(self):
        for packed in (False, True):
            net = GRUResetBefore(2, 3, bidirectional=True).double()
            x = torch.randn(4, 3, 2, dtype=torch.double, requires_grad=True)
            h0 = torch.randn(2, 3, 3, dtype=torch.double, requires_grad=True)
            names = [name for name, _ in net.named_parameters()]

            def call(x, h0, *weights):
                for name, weight in zip(names, weights):
                    del net._parameters[name]
                    setattr(net, name, weight)
                out, last = net(pack_padded_sequence(x, [4, 2, 1]) if packed else x, h0)
                for name in names:
                    delattr(net, name)
                    net.register_parameter(name, parameters[name])
                return out.data if packed else out, last
            parameters = dict(net.named_parameters())
            self.assertTrue(torch.autograd.gradcheck(call, (x, h0, *parameters.values())))

    def test_packed_sequences_are_the_single_ones(self):
        net = GRUResetBefore(3, 4, bidirectional=True)
        lengths, x, h0 = [2, 5, 3], torch.randn(5, 3, 3), torch.randn(2, 3, 4)
        packed, last = net(pack_padded_sequence(x, lengths, enforce_sorted=False), h0)
        self.assertIsInstance(packed, PackedSequence)
        out, _ = pad_packed_sequence(packed)
        for b, length in enumerate(lengths):
            alone, state = net(x[:length, b:b + 1], h0[:, b:b + 1])
            self.assertTrue(torch.allclose(out[:length, b], alone[:, 0], atol=1e-6))
            self.assertTrue(torch.allclose(last[:, b], state[:, 0], atol=1e-6))

    def test_the_interface_is_that_of_gru(self):
        for more in ({}, {"num_layers": 2, "batch_first": True}, {"bidirectional": True, "bias": False}):
            ours, theirs = GRUResetBefore(3, 4, **more), torch.nn.GRU(3, 4, **more)
            self.assertEqual({n: p.shape for n, p in ours.named_parameters()}, {n: p.shape for n, p in theirs.named_parameters()})
            for x in (torch.randn(5, 2, 3), torch.randn(5, 3)):
                a, b = ours(x), theirs(x)
                self.assertEqual([t.shape for t in a], [t.shape for t in b])
        net = GRUResetBefore(3, 4, 2, dropout=0.5)
        x = torch.randn(5, 2, 3)
        self.assertFalse(torch.equal(net(x)[0], net(x)[0]))
        net.eval()
        self.assertTrue(torch.equal(net(x)[0], net(x)[0]))

    def test_refusals(self):
        net = GRUResetBefore(3, 4)
        self.refuses(ValueError, "has 2 values per step; 3", net, torch.randn(5, 1, 2))
        self.refuses(ValueError, "no steps", net, torch.randn(0, 1, 3))
        self.refuses(ValueError, "4 dimensions", net, torch.randn(1, 1, 1, 3))
        self.refuses(ValueError, "(1, 2, 4) is needed", net, torch.randn(5, 2, 3), torch.randn(1, 1, 4))
        self.refuses(ValueError, "1 or more", GRUResetBefore, 3, 0)


if __name__ == "__main__":
    unittest.main()
