"""DistributedDataParallel with two processes over gloo: the same masks, Z, U and weights in both."""
import os
import sys
import tempfile

import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from common import Case, Net, data, loss_of, torch, unittest
from rtmc.pruning import BSP, Columns, Diverged


def _process(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    try:
        torch.manual_seed(4)
        model = torch.nn.parallel.DistributedDataParallel(Net())
        optimizer = torch.optim.Adam(model.parameters(), 0.02)
        pruner = BSP(model, {"block": (8, 3), "column_rate": 2, "row_rate": 2, "rho": [0.1, 1], "epochs_per_rho": 1, "retrain_epochs": 1,
                             "extra_epochs": 0, "tolerance": 0.9})
        pruner.prepare()
        pruner.attach(optimizer)
        x, y = data(seed=rank)  # each process has its own data
        admm = None
        while not pruner.finished:
            for _ in range(3):
                optimizer.zero_grad()
                loss_of(model, x, y).backward()
                optimizer.step()
            pruner.epoch_end()
            state = pruner.state_dict()["stage"]
            admm = state if state and "Z" in state else admm
        # Weights that differ show that masks, Z and U come from the first process and are not only found alike.
        torch.manual_seed(rank)
        other = Net()
        apart = Columns(other, {"rate": 2, "rho": 1})
        apart.prepare()
        started = apart.state_dict()["stage"]
        words = ""
        if rank == 0:
            with torch.no_grad():
                other.gru.weight_hh_l0.fill_(float("nan"))
        apart.after_step()
        try:
            apart.epoch_end()
        except Diverged as error:  # of the first process, in both
            words = str(error)
        torch.save({"weights": model.state_dict(), "masks": pruner.squash_mask(), "admm": admm, "apart": started, "own": other.state_dict(),
                    "words": words}, f"{folder}/{rank}")
    finally:
        dist.destroy_process_group()


@unittest.skipUnless(dist.is_available() and dist.is_gloo_available() if hasattr(dist, "is_gloo_available") else dist.is_available(),
                     "this PyTorch has no gloo")
class DistributedTest(Case):
    def test_two_processes_agree(self):
        with tempfile.TemporaryDirectory() as folder:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
            sys.stdout.flush()
            multiprocessing.start_processes(_process, (folder,), nprocs=2, start_method="fork" if sys.platform == "linux" else "spawn")
            first, second = (torch.load(f"{folder}/{rank}") for rank in range(2))
        self.assertEqual(set(first["masks"]), {"gru.weight_ih_l0", "gru.weight_hh_l0"})
        self.assertEqual(int(first["masks"]["gru.weight_hh_l0"].sum()), 3 * 8 * 11)
        for part in ("weights", "masks"):
            for name, value in first[part].items():
                self.assertTrue(torch.equal(value, second[part][name]), (part, name))
        for part, keys in (("admm", "ZU"), ("apart", "ZU")):
            for key in keys:
                for name, value in first[part][key].items():
                    self.assertTrue(torch.equal(value, second[part][key][name]), (part, key, name))
        self.assertFalse(torch.equal(first["own"]["gru.weight_hh_l0"], second["own"]["gru.weight_hh_l0"]))
        self.assertEqual(first["words"], second["words"])
        self.assertIn("gru.weight_hh_l0: became NaN", second["words"])


if __name__ == "__main__":
    unittest.main()
