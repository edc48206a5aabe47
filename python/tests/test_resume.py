"""A run that is killed and resumed has the bits of one that was not, wherever it was cut; checkpoints are whole or not there."""
import os
import random
import unittest.mock

import numpy
from common import Case, Net, data, loss_of, torch, unittest
from rtmc.pruning import BSP, Diverged, PruningError, ResumableSampler, Unstructured, load_checkpoint, save_checkpoint

EXAMPLES, BATCH = 12, 4


class Run:
    """A training run with everything that has a state: dropout, shuffling, momentum, a schedule, noise from all random sources."""

    def __init__(self, method, update_steps=0):
        torch.manual_seed(7)
        random.seed(7)
        numpy.random.seed(7)
        self.model = Net(dropout=0.3, layers=2)
        self.pruner = BSP(self.model, {"block": (8, 3), "column_rate": 2, "row_rate": 2, "method": method, "rho": [0.01, 0.1],
                                       "epochs_per_rho": 1, "update_steps": update_steps, "extra_epochs": 1, "tolerance": 0.001,
                                       "ramp_epochs": 2, "retrain_epochs": 1})
        self.pruner.prepare()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), 0.01)
        self.pruner.attach(self.optimizer)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 20)
        self.sampler = ResumableSampler(EXAMPLES, seed=3)
        self.x, self.y = data(batch=EXAMPLES)
        self.losses = []

    def parts(self):
        return {"optimizer": self.optimizer, "scheduler": self.scheduler, "sampler": self.sampler}

    def go(self, save=None):
        """To the end. `save`: called with a number before each step."""
        count = 0
        while not self.pruner.finished:
            for batch in torch.utils.data.DataLoader(range(EXAMPLES), BATCH, sampler=self.sampler, generator=torch.Generator()):
                if save:
                    save(count)
                count += 1
                x = self.x[:, batch] + 0.01 * random.random() + 0.01 * float(numpy.random.rand())
                self.optimizer.zero_grad()
                loss = loss_of(self.model, x, self.y[:, batch])
                loss.backward()
                self.optimizer.step()
                self.losses.append(loss.item())
                self.sampler.advance(len(batch))
            self.sampler.next_epoch()
            self.scheduler.step()
            self.pruner.epoch_end()

    def result(self):
        tensors = dict(self.model.state_dict())
        for number, state in self.optimizer.state_dict()["state"].items():
            tensors.update({f"{number}.{name}": torch.as_tensor(value) for name, value in state.items()})
        tensors.update({f"mask {name}": mask for name, mask in self.pruner.masks.items()})
        return tensors


class ResumeTest(Case):
    def check(self, method, update_steps=0):
        with unittest.mock.patch("warnings.warn"):  # of stages that are too short to converge
            whole = Run(method, update_steps)
            seen = []

            def save(count):
                save_checkpoint(self.path(f"{count}"), whole.model, whole.pruner, extra={"losses": len(whole.losses)}, **whole.parts())
                seen.append((whole.pruner.stage, whole.pruner._index, whole.sampler.position))
            whole.go(save)
            # Each place in the last epoch of each stage: its start, and after an odd and an even number of steps.
            cuts = {(index, position): count for count, (_, index, position) in enumerate(seen)}
            self.assertEqual(len(cuts), EXAMPLES // BATCH * len(whole.pruner._stages))
            for count in cuts.values():
                resumed = Run(method, update_steps)
                torch.manual_seed(99)
                random.seed(99)
                numpy.random.seed(99)
                extra = load_checkpoint(self.path(f"{count}"), resumed.model, resumed.pruner, **resumed.parts())
                self.assertEqual(extra["losses"], count)
                resumed.go()
                self.assertEqual(resumed.losses, whole.losses[count:])
                self.assertEqual(resumed.pruner.history, whole.pruner.history)
                for name, value in whole.result().items():
                    self.assertTrue(torch.equal(value, resumed.result()[name]), f"{name}, cut at {seen[count]}")
            return {stage for stage, _, _ in seen}

    def test_admm(self):
        self.assertEqual(self.check("admm"), {"admm", "retrain"})

    def test_admm_that_updates_within_epochs(self):
        self.check("admm", 2)

    def test_gradual(self):
        self.assertEqual(self.check("gradual"), {"gradual", "retrain"})

    def test_one_shot(self):
        self.assertEqual(self.check("one_shot"), {"retrain"})


class CheckpointTest(Case):
    def setUp(self):
        super().setUp()
        self.model = Net()
        self.pruner = Unstructured(self.model, {"rate": 2, "rho": 1e6, "retrain_epochs": 1})
        self.pruner.prepare()
        self.optimizer = torch.optim.SGD(self.model.parameters(), 1.0)
        self.pruner.attach(self.optimizer)
        self.file = self.path("run.pt")

    def bytes(self):
        with open(self.file, "rb") as file:
            return file.read()

    def test_disk_full_leaves_the_old_one(self):
        save_checkpoint(self.file, self.model, self.pruner, self.optimizer)
        old = self.bytes()
        with torch.no_grad():
            self.model.head.bias.add_(1)
        with unittest.mock.patch("os.fsync", side_effect=OSError(28, "No space left on device")):
            self.refuses(OSError, "No space left", save_checkpoint, self.file, self.model, self.pruner, self.optimizer)
        self.assertEqual(self.bytes(), old)
        self.assertEqual(os.listdir(self.folder), ["run.pt"])
        save_checkpoint(self.file, self.model, self.pruner, self.optimizer)
        self.assertNotEqual(self.bytes(), old)

    def test_divergence_keeps_the_last_good_one(self):
        save_checkpoint(self.file, self.model, self.pruner, self.optimizer)
        old = self.bytes()
        x, y = data()
        with self.assertRaises(Diverged) as raised:
            for _ in range(3):
                self.optimizer.zero_grad()
                loss_of(self.model, x, y).backward()
                self.optimizer.step()
                self.pruner.epoch_end()
        self.assertIn(raised.exception.tensor, self.pruner.masks or dict(self.model.named_parameters()))
        self.refuses(PruningError, "the checkpoint of before is kept", save_checkpoint, self.file, self.model, self.pruner, self.optimizer)
        self.assertEqual(self.bytes(), old)
        fresh = Net()
        pruner = Unstructured(fresh, {"rate": 2, "rho": 1e6, "retrain_epochs": 1})
        pruner.prepare()
        load_checkpoint(self.file, fresh, pruner, torch.optim.SGD(fresh.parameters(), 1.0))
        self.assertTrue(all(bool(torch.isfinite(p).all()) for p in fresh.parameters()))

    def test_weights_that_are_not_finite_are_not_saved(self):
        with torch.no_grad():
            self.model.head.weight[0, 0] = float("inf")
        self.refuses(Diverged, "head.weight", save_checkpoint, self.file, self.model, self.pruner, self.optimizer)
        self.assertFalse(os.path.exists(self.file))

    def test_files_that_are_no_checkpoints(self):
        with open(self.file, "wb") as file:
            file.write(b"text")
        load = lambda **parts: load_checkpoint(self.file, self.model, self.pruner, **parts)  # noqa: E731
        self.refuses(PruningError, "is damaged or no checkpoint", load, optimizer=self.optimizer)
        torch.save({"weights": 1}, self.file)
        self.refuses(PruningError, "no checkpoint of this package", load, optimizer=self.optimizer)
        save_checkpoint(self.file, self.model, self.pruner, self.optimizer)
        whole = self.bytes()
        with open(self.file, "wb") as file:
            file.write(whole[:len(whole) // 2])
        self.refuses(PruningError, "damaged", load, optimizer=self.optimizer)
        with open(self.file, "wb") as file:
            file.write(whole)
        self.refuses(PruningError, "has a optimizer, which was not given", load)
        self.refuses(PruningError, "has no sampler", load, optimizer=self.optimizer, sampler=ResumableSampler(3))

    def test_without_a_pruner(self):
        """Dense training, before anything is pruned."""
        save_checkpoint(self.path("dense.pt"), self.model, None, self.optimizer, extra={"epoch": 3})
        with torch.no_grad():
            before = [p.clone() for p in self.model.parameters()]
            for parameter in self.model.parameters():
                parameter.add_(1)
        self.assertEqual(load_checkpoint(self.path("dense.pt"), self.model, None, self.optimizer), {"epoch": 3})
        for parameter, value in zip(self.model.parameters(), before):
            self.assertTrue(torch.equal(parameter, value))
        self.refuses(PruningError, "has no pruner", load_checkpoint, self.path("dense.pt"), self.model, self.pruner, self.optimizer)
        save_checkpoint(self.path("pruned.pt"), self.model, self.pruner, self.optimizer)
        self.refuses(PruningError, "has a pruner, which was not given", load_checkpoint, self.path("pruned.pt"), self.model, None,
                     self.optimizer)

    def test_wrapped_models(self):
        save_checkpoint(self.file, self.model, self.pruner, self.optimizer)

        class Wrapped(torch.nn.Module):
            def __init__(self, module):
                super().__init__()
                self.module = module
        other = Wrapped(Net())
        pruner = Unstructured(other, {"rate": 2, "rho": 1e6, "retrain_epochs": 1})
        pruner.prepare()
        load_checkpoint(self.file, other, pruner, torch.optim.SGD(other.parameters(), 1.0))
        self.assertTrue(torch.equal(other.module.gru.weight_hh_l0, self.model.gru.weight_hh_l0))

    def test_sampler(self):
        orders = []
        for epoch in range(2):
            parts = [list(s) for s in (ResumableSampler(11, 5, r, 2) for r in range(2)) if not s.load_state_dict(
                {"epoch": epoch, "position": 0, "seed": 5, "length": 11})]
            self.assertEqual([len(p) for p in parts], [5, 5])
            self.assertEqual(len({*parts[0], *parts[1]}), 10)
            orders.append(parts[0])
        self.assertNotEqual(orders[0], orders[1])
        sampler = ResumableSampler(11, 5, 0, 2)
        sampler.advance(3)
        self.assertEqual((list(sampler), len(sampler)), (orders[0][3:], 2))
        self.refuses(PruningError, "it has 6 and 11", ResumableSampler(11, 6).load_state_dict, sampler.state_dict())


if __name__ == "__main__":
    unittest.main()
