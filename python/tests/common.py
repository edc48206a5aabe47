"""What the tests share. They run with `python -m unittest` from this folder, or through run.py."""
import os
import pathlib
import shutil
import sys
import tempfile
import unittest
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import torch  # noqa: E402

torch.set_num_threads(1)  # the same bits on every machine, and no more than one core


class Case(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(5)
        caught = warnings.catch_warnings()
        caught.__enter__()
        self.addCleanup(caught.__exit__, None, None, None)
        for text in (".*is still .* extra epochs", "Lazy modules are a new feature", ".*weight_norm.* is deprecated",
                     ".*jit.script.* is deprecated"):
            warnings.filterwarnings("ignore", message=text)
        self.folder = tempfile.mkdtemp(prefix="rtmc-python-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def refuses(self, error, text, call, *arguments, **more):
        """The call raises `error` with `text` in its message."""
        with self.assertRaises(error) as raised:
            call(*arguments, **more)
        self.assertIn(text, str(raised.exception))


class Net(torch.nn.Module):
    """GRU and linear layer; log-probabilities."""

    def __init__(self, inputs=6, size=16, outputs=5, layers=1, dropout=0.0):
        super().__init__()
        self.gru = torch.nn.GRU(inputs, size, layers, dropout=dropout if layers > 1 else 0.0)
        self.drop = torch.nn.Dropout(dropout)
        self.head = torch.nn.Linear(size, outputs)

    def forward(self, x):
        return self.head(self.drop(self.gru(x)[0])).log_softmax(-1)


def data(steps=7, batch=8, inputs=6, outputs=5, seed=3):
    random = torch.Generator().manual_seed(seed)
    return torch.randn(steps, batch, inputs, generator=random), torch.randint(outputs, (steps, batch), generator=random)


def loss_of(model, x, y):
    return torch.nn.functional.nll_loss(model(x).flatten(0, 1), y.flatten())


def train_epoch(model, optimizer, steps=4):
    x, y = data()
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(model, x, y).backward()
        optimizer.step()
