"""ADMM on problems whose best pruned solution is known by brute force: linear regression, where each support has one."""
import itertools

import numpy
from common import Case, torch, unittest
from rtmc.pruning import BSP, Columns, Diverged, Unstructured

SEEDS = range(6)


class Regression:
    """y = x W^T + noise with correlated inputs, so that the largest dense weights are not always the best ones to keep."""

    def __init__(self, seed, inputs=6, outputs=2, samples=64):
        random = torch.Generator().manual_seed(seed)
        mix = torch.eye(inputs, dtype=torch.double) + 0.6 * torch.randn(inputs, inputs, generator=random, dtype=torch.double)
        self.x = torch.randn(samples, inputs, generator=random, dtype=torch.double) @ mix
        true = torch.randn(outputs, inputs, generator=random, dtype=torch.double)
        self.y = self.x @ true.t() + 0.1 * torch.randn(samples, outputs, generator=random, dtype=torch.double)
        self.inputs, self.outputs = inputs, outputs

    def loss(self, weight):
        return ((self.x @ weight.t() - self.y) ** 2).mean()

    def best(self, mask):
        """The least loss with this support."""
        weight = numpy.zeros(mask.shape)
        for row in range(self.outputs):
            if mask[row].any():
                weight[row, mask[row]] = numpy.linalg.lstsq(self.x[:, mask[row]].numpy(), self.y[:, row].numpy(), rcond=None)[0]
        return float(self.loss(torch.from_numpy(weight)))

    def best_of(self, masks):
        return min(map(self.best, masks))

    def run(self, kind, config, lr=0.05, epoch=20):
        """-> the pruned weight's loss, pruner, weight."""
        linear = torch.nn.Linear(self.inputs, self.outputs, bias=False).double()
        optimizer = torch.optim.SGD(linear.parameters(), lr)
        with torch.no_grad():  # the trained network that pruning starts from
            linear.weight.copy_(torch.linalg.lstsq(self.x, self.y).solution.t())
        pruner = kind(linear, {"tensors": [{"match": "weight"}], "rho": [0.03, 0.1, 0.3, 1, 3, 10], "epochs_per_rho": 6, "extra_epochs": 20,
                               "retrain_epochs": 25, "tolerance": 0.01, **config})
        pruner.prepare()
        pruner.attach(optimizer)
        while not pruner.finished:
            for _ in range(epoch):
                optimizer.zero_grad()
                self.loss(linear.weight).backward()
                optimizer.step()
            pruner.epoch_end()
        pruner.squash_mask()
        weight = linear.weight.detach()
        return float(self.loss(weight)), pruner, weight


def all_masks(shape, kept):
    for support in itertools.combinations(range(shape[0] * shape[1]), kept):
        mask = numpy.zeros(shape[0] * shape[1], bool)
        mask[list(support)] = True
        yield mask.reshape(shape)


def column_masks(shape, kept):
    for support in itertools.combinations(range(shape[1]), kept):
        mask = numpy.zeros(shape, bool)
        mask[:, list(support)] = True
        yield mask


class AdmmTest(Case):
    def test_near_the_best_support_and_better_than_one_shot(self):
        for kind, rate, masks, kept in ((Unstructured, 2, all_masks, 6), (Columns, 2, column_masks, 3)):
            admm, one_shot, best = [], [], []
            for seed in SEEDS:
                problem = Regression(seed)
                loss, pruner, weight = problem.run(kind, {"rate": rate})
                self.assertEqual(int((weight != 0).sum()), 6)
                self.assertTrue(torch.equal(weight != 0, pruner.masks["weight"]))
                if kind is Columns:
                    self.assertEqual(int((weight != 0).all(0).sum()), kept)
                # Retraining reaches what least squares reaches on this support.
                own = problem.best(pruner.masks["weight"].numpy())
                self.assertLess(loss, own * 1.05)
                admm.append(own)
                _, shot, _ = problem.run(kind, {"rate": rate, "method": "one_shot"})
                one_shot.append(problem.best(shot.masks["weight"].numpy()))
                best.append(problem.best_of(masks(weight.shape, kept)))
                self.assertGreaterEqual(own, best[-1] - 1e-12)
            ratios = numpy.array(admm) / numpy.array(best)
            print(f"{kind.__name__}: loss over the best possible, ADMM {numpy.round(ratios, 2).tolist()}, "
                  f"one shot {numpy.round(numpy.array(one_shot) / best, 2).tolist()}")
            self.assertLess(ratios.max(), 1.5)
            self.assertLess(numpy.median(ratios), 1.2)
            self.assertLess(numpy.mean(admm), numpy.mean(one_shot))

    def test_residuals_fall_below_the_tolerance(self):
        _, pruner, _ = Regression(1).run(Unstructured, {"rate": 3})
        records = [r for r in pruner.history if r["stage"] == "admm"]
        residuals = [r["residuals"]["weight"] for r in records]
        self.assertLess(residuals[-1]["primal"], 0.02 * residuals[0]["primal"])
        self.assertLess(residuals[-1]["dual"], 0.05 * max(r["dual"] for r in residuals) + 1e-12)
        self.assertLessEqual(residuals[-1]["ratio"], 0.01)
        self.assertTrue(records[-1]["converged"])
        self.assertEqual([r["rho"] for r in records[:36:6]], [0.03, 0.1, 0.3, 1, 3, 10])
        self.assertEqual({r["stage"] for r in pruner.history[len(records):]}, {"retrain"})

    def test_update_is_boyds(self):
        """Z = projection of W + U, U = U + W - Z, and U shrinks as rho grows: by hand on a weight that does not move."""
        linear = torch.nn.Linear(4, 1, bias=False).double()
        with torch.no_grad():
            linear.weight.copy_(torch.tensor([[4.0, 3.0, 2.0, 1.0]]))
        pruner = Unstructured(linear, {"tensors": [{"match": "weight"}], "rate": 2, "rho": [0.5, 2], "epochs_per_rho": 2,
                                       "extra_epochs": 0})
        pruner.prepare()

        def epoch():
            linear.weight.grad = torch.zeros_like(linear.weight)
            pruner.before_step()
            gradient = linear.weight.grad.clone()
            pruner.after_step()
            record = pruner.epoch_end()
            return gradient.tolist()[0], record
        gradient, record = epoch()
        self.assertEqual(gradient, [0, 0, 1, 0.5])  # rho (W - Z + U), U = 0
        self.assertEqual(record["residuals"]["weight"], {"primal": 5 ** 0.5, "dual": 0.0, "ratio": (5 / 30) ** 0.5})
        stage = pruner._stages[0]
        self.assertEqual(stage.U["weight"].tolist(), [[0, 0, 2, 1]])
        gradient, _ = epoch()
        self.assertEqual(gradient, [0, 0, 2, 1])
        # W + U was [4, 3, 4, 2]: of the equal ones both stay. U = [0, 3, 0, 2], then rho grew fourfold.
        self.assertEqual(stage.Z["weight"].tolist(), [[4, 0, 4, 0]])
        self.assertEqual(stage.U["weight"].tolist(), [[0, 0.75, 0, 0.5]])
        gradient, record = epoch()
        self.assertEqual(gradient, [0, 7.5, -4, 3])
        self.assertEqual(record["rho"], 2)

    def test_stage_is_extended_then_ends_with_a_warning(self):
        linear = torch.nn.Linear(4, 4, bias=False)
        pruner = Columns(linear, {"tensors": [{"match": "weight"}], "rate": 2, "rho": [1e-6], "epochs_per_rho": 2, "extra_epochs": 3,
                                  "retrain_epochs": 1})
        pruner.prepare()
        for epoch in range(5):
            self.assertEqual(pruner.stage, "admm")
            pruner.after_step()
            if epoch < 4:
                self.assertNotIn("converged", pruner.epoch_end() if epoch == 0 else {})
                if epoch:
                    self.assertFalse(pruner.epoch_end()["converged"])
            else:
                with self.assertWarnsRegex(UserWarning, "weight: .* is still 0.* after 3 extra epochs"):
                    pruner.epoch_end()
        self.assertEqual(pruner.stage, "retrain")

    def test_updates_every_so_many_steps(self):
        problem = Regression(2)
        loss, pruner, _ = problem.run(Unstructured, {"rate": 2, "update_steps": 15, "epochs_per_rho": 2})
        self.assertLess(loss, 1.5 * problem.best_of(all_masks((2, 6), 6)))
        self.assertTrue([r for r in pruner.history if r.get("converged")])

    def test_bsp_trains_columns_then_rows(self):
        torch.manual_seed(1)
        x, y = torch.randn(6, 8, 8), torch.randn(6, 8, 16)
        gru = torch.nn.GRU(8, 16)
        optimizer = torch.optim.Adam(gru.parameters(), 0.01)
        pruner = BSP(gru, {"block": (8, 4), "column_rate": 2, "row_rate": 2, "rho": [0.01, 0.1, 1], "epochs_per_rho": 1,
                           "retrain_epochs": [1, 2], "tolerance": 0.1})
        pruner.prepare()
        pruner.attach(optimizer)
        first = None
        while not pruner.finished:
            for _ in range(15):
                optimizer.zero_grad()
                ((gru(x)[0] - y) ** 2).mean().backward()
                optimizer.step()
            record = pruner.epoch_end()
            if record["step"] == 0 and record["stage"] == "retrain":
                first = pruner.masks
        masks = pruner.squash_mask()
        for name, mask in masks.items():
            columns = 8 if name == "weight_ih_l0" else 16
            for gate in range(3):
                part, of_step1 = mask[16 * gate:16 * gate + 16], first[name][16 * gate:16 * gate + 16]
                self.assertEqual(int(part.any(1).sum()), 8)
                self.assertFalse((part & ~of_step1).any())
                for r in (0, 8):
                    for c in range(0, columns, 4):
                        self.assertEqual(int(of_step1[r:r + 8, c:c + 4].all(0).sum()), 2)
                        self.assertEqual(int(of_step1[r:r + 8, c:c + 4].any(0).sum()), 2)
            self.assertEqual(pruner.report()[name]["rate"], 4)

    def test_a_chain_of_rates_spends_no_epoch_on_a_step_that_is_done(self):
        torch.manual_seed(1)
        x, y = torch.randn(6, 8, 8), torch.randn(6, 8, 16)
        for method in ("admm", "gradual"):
            with self.subTest(method):
                self.check_chain(method, torch.nn.GRU(8, 16), x, y)

    def check_chain(self, method, gru, x, y):
        common = {"block": (8, 4), "column_rate": 2, "method": method, "rho": [0.1, 1], "epochs_per_rho": 1, "tolerance": 0.5,
                  "extra_epochs": 0, "ramp_epochs": 2}
        masks, stages = [], []
        for more in ({"retrain_epochs": 1}, {"row_rate": 2, "retrain_epochs": [0, 1]}, {"row_rate": 4, "retrain_epochs": [0, 1]}):
            optimizer = torch.optim.Adam(gru.parameters(), 0.01)
            pruner = BSP(gru, {**common, **more})
            pruner.prepare()
            pruner.attach(optimizer)
            while not pruner.finished:
                optimizer.zero_grad()
                ((gru(x)[0] - y) ** 2).mean().backward()
                optimizer.step()
                pruner.epoch_end()
            stages.append([(r["stage"], r["step"]) for r in pruner.history])
            masks.append(pruner.squash_mask())
        self.assertEqual(stages[0], [(method, 0), (method, 0), ("retrain", 0)])
        self.assertEqual(stages[1], [(method, 1), (method, 1), ("retrain", 1)])
        self.assertEqual(stages[2], stages[1])
        for name in masks[0]:
            for rate, mask in zip((2, 4, 8), masks):
                self.assertEqual(mask[name].numel() / int(mask[name].sum()), rate)
                self.assertFalse((mask[name] & ~masks[0][name]).any(), "a column came back")

    def test_divergence_names_the_tensor(self):
        problem = Regression(0)
        with self.assertRaises(Diverged) as raised:  # a step of 2 / rho or longer overshoots further each time
            problem.run(Unstructured, {"rate": 2, "rho": [1e5]}, epoch=5)
        self.assertEqual(raised.exception.tensor, "weight")
        self.assertIn("diverges", str(raised.exception))
        with self.assertRaises(Diverged) as raised:
            problem.run(Unstructured, {"rate": 2, "rho": [1e9]}, epoch=200)
        self.assertIn("NaN", str(raised.exception))


if __name__ == "__main__":
    unittest.main()
