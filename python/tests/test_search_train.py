"""rtmc.search --train with PyTorch: the training function of docs/block_search.md, a short ADMM."""
import pathlib
import re
import subprocess
import sys

from common import Case, unittest

import rtmc
from rtmc.build import find_rtmc
from rtmc.search import functions, sweep

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
try:
    RTMC = find_rtmc()
except rtmc.CompileError:
    RTMC = None

# What the document imports: a trained network that is made anew for every candidate.
PROJECT = """import sys
sys.path.insert(0, {tests!r})
from common import Net, torch, train_epoch as train_one_epoch

def load_trained():
    torch.manual_seed(3)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    train_one_epoch(net, optimizer)
    return net, optimizer
"""


@unittest.skipIf(RTMC is None, "no rtmc")
class TrainTest(Case):
    def test_the_documents_training(self):
        code, = re.findall(r"^```python\n(# my_train.py\n.*?)^```$", (ROOT / "docs/block_search.md").read_text(), re.M | re.S)
        pathlib.Path(self.path("my_train.py")).write_text(code)
        pathlib.Path(self.path("my_project.py")).write_text(PROJECT.format(tests=str(ROOT / "python/tests")))
        train = functions.load(self.path("my_train.py"), "train", "--train")
        self.addCleanup(sys.path.remove, self.folder)
        sys.modules["my_project"].load_trained  # noqa: B018  (it was imported from beside my_train.py)
        self.addCleanup(sys.modules.pop, "my_project")
        dense, _ = sys.modules["my_project"].load_trained()
        rtmc.export(dense, self.path("dense"), layers=["gru", "head", "log_softmax"])
        folders = []
        found = sweep(self.path("dense"), self.path("search"), blocks=["8x3"], rates=["3x1.5"], train=train, rounds=1, quick=True,
                      evaluate=lambda folder: folders.append(folder) or 1.0)
        row, = found["rows"]
        self.assertEqual((row["error"], found["pruning"]), ("", "trained"))
        self.assertGreater(row["realised_rate"], 3.5)
        self.assertEqual(folders, [self.path("search/dense"), self.path("search/candidates/8x3-3x1.5")])
        self.assertIn("sparsity", pathlib.Path(folders[1], "model.yaml").read_text())
        # The weights were trained, not only projected.
        done = subprocess.run([RTMC, "prune", self.path("dense/model.yaml"), "--scheme", "bsp", "--block", "8x3", "--column-rate", "3",
                               "--row-rate", "1.5", "-q", "-o", self.path("one_shot/model.yaml")], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotEqual(*(pathlib.Path(folder, "model.safetensors").read_bytes() for folder in (folders[1], self.path("one_shot"))))


if __name__ == "__main__":
    unittest.main()
