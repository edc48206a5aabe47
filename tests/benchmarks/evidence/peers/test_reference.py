#!/usr/bin/env python3
"""The reference against the definitions, one number at a time; the plans, formats and bounds; what is said of bad networks."""
import itertools
import math
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[0] = str(HERE.parent)
import numpy  # noqa: E402

from peers import compiled, network as networks, products, products_mkl, reference  # noqa: E402
from peers.test_cases import CASES, STEPS, X  # noqa: E402


def sigmoid(a):
    return 1 / (1 + math.exp(-a))


def dot(row, vector):
    return sum(float(w) * float(v) for w, v in zip(row, vector))


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


class Reference(unittest.TestCase):
    def test_network_is_its_definition(self):
        for name, network in CASES.items():
            numpy.testing.assert_allclose(reference.run_network(network, X), by_hand(network, X), rtol=1e-12, atol=1e-14, err_msg=name)

    def test_plans_compute_the_products_and_hold_every_weight_once(self):
        for name, network in CASES.items():
            expected, given = reference.run_products(network, X), products.vectors(network, X)
            self.assertEqual(expected.shape, (1, products.result_rows(network)))
            weights = [w for layer in network.layers for w in (layer.weight_ih, layer.weight_hh)]
            weights = numpy.concatenate([w.ravel() for w in weights + ([network.linear.weight] if network.linear else [])])
            for dense, ahead in itertools.product((True, False), repeat=2):
                plan, made = products.plan(network, dense, ahead), numpy.zeros(expected.shape[1])
                for product in plan:
                    made[product.rows] += product.weights.astype(float) @ numpy.concatenate([given[source] for source in product.sources])
                numpy.testing.assert_allclose(made, expected[0], rtol=1e-12, atol=1e-14, err_msg=name)
                held = numpy.concatenate([product.weights.ravel() for product in plan])
                self.assertTrue(numpy.array_equal(numpy.sort(held[held != 0]), numpy.sort(weights[weights != 0])), name)
                if dense:
                    self.assertEqual(held.size, weights.size, f"{name}: a dense product reads padding")
                # What goes step by step and what goes ahead are never in one group.
                for _, group in itertools.groupby(plan, lambda product: product.group):
                    self.assertEqual(len({product.ahead for product in group}), 1)

    def test_products_are_their_definition(self):
        for name, network in CASES.items():
            given, expected = products.vectors(network, X), []
            for k, layer in enumerate(network.layers):
                n = layer.units
                x, h, v = given[f"x{k}"], given[f"h{k}"], given[f"v{k}"]
                for row in range(len(layer.weight_hh)):
                    wx, candidate = dot(layer.weight_ih[row], x), network.op == "gru" and row >= 2 * n
                    if candidate and network.reset == "after":
                        expected.append(wx)
                    else:
                        expected.append(wx + dot(layer.weight_hh[row], v if candidate else h))
                if network.op == "gru" and network.reset == "after":
                    expected += [dot(row, h) for row in layer.weight_hh[2 * n:]]
            expected += [dot(row, given["top"]) for row in network.linear.weight] if network.linear else []
            numpy.testing.assert_allclose(reference.run_products(network, X)[0], expected, rtol=1e-12, atol=1e-14, err_msg=name)

    def test_sparse_forms_hold_the_matrix(self):
        weights = CASES["lstm"].layers[0].weight_hh
        product = products.Product(weights, (), numpy.arange(len(weights)))
        starts, indices, values = compiled.csr(product)
        again = numpy.zeros_like(weights)
        for row in range(len(weights)):
            again[row, indices[starts[row]:starts[row + 1]]] = values[starts[row]:starts[row + 1]]
        self.assertTrue(numpy.array_equal(again, weights))
        for size in products_mkl.BLOCKS:
            for order in (compiled.ROW_MAJOR, compiled.COLUMN_MAJOR):
                starts, columns, values = products_mkl.bsr(product, size, order)
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
        for change, message in (({"op": "rnn"}, "'op' is 'rnn'"), ({"weight_hh1": None}, "'weight_hh1' is missing"),
                                ({"layers": 0}, "'layers' is 0"),
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


if __name__ == "__main__":
    unittest.main()
