"""What export refuses, with the words that tell why."""
import os
import pathlib
import unittest.mock
import warnings

import numpy
from common import Case, Net, torch, unittest

import rtmc
from rtmc.pruning import Rows


class RefusalTest(Case):
    def export(self, text, model, **more):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.refuses(rtmc.ExportError, text, rtmc.export, model, self.path("out"), **more)
        self.assertFalse(os.path.exists(self.path("out")))

    def test_order(self):
        self.export("say it: layers=['gru', 'head']", Net())
        self.export("no layer 'haed'; did you mean 'head'", Net(), layers=["gru", "haed"])
        net = Net()
        net.gru = torch.nn.GRU(6, 12)
        self.export("head reads 16 values; gru before it gives 12", net, layers=["gru", "head"])
        self.export("head is called twice", Net(outputs=16), layers=["gru", "head", "head"])
        self.export("is no part of the model", Net(), layers=[torch.nn.Linear(2, 2)])
        self.export("no layers", torch.nn.Sequential())
        with self.assertWarnsRegex(UserWarning, "not exported.*: head"):
            rtmc.export(Net(), self.folder, layers=["gru"])

    def test_what_model_yaml_has_no_place_for(self):
        nn = torch.nn

        class OwnLinear(nn.Linear):
            def forward(self, x):
                return 2 * super().forward(x)
        self.export("1 is a Conv1d; model.yaml has recurrent and linear layers", nn.Sequential(nn.Linear(2, 2), nn.Conv1d(2, 2, 1)))
        self.export("1 (relu) comes after layer0, gru; only a linear layer", nn.ModuleList([nn.GRU(2, 2), nn.ReLU()]))
        self.export("2 (tanh) comes after layer0, linear; only", nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Tanh()))
        self.export("0 (relu) comes after nothing", nn.Sequential(nn.ReLU(), nn.Linear(2, 2)))
        self.export("a Softmax over dim=0; dim=-1", nn.Sequential(nn.Linear(2, 2), nn.Softmax(0)))
        self.export("0 is a OwnLinear with a forward of its own, not Linear's", nn.Sequential(OwnLinear(2, 2)))
        self.export("no C identifier", nn.Linear(2, 2), name="my net")
        self.export("a torch.nn.Module is needed", {"weight": 1})

    def test_values(self):
        linear = torch.nn.Linear(2, 2)
        with torch.no_grad():
            linear.bias[1] = float("nan")
        self.export("bias holds NaN", linear)
        double = torch.nn.Linear(2, 2).double()
        with torch.no_grad():
            double.weight[0, 0] = 1e300
        self.export("weight holds NaN or infinite values (as float32)", double)
        self.export("has no values yet", torch.nn.LazyLinear(2))
        self.export("device 'meta'", torch.nn.Linear(2, 2, device="meta"))

    def test_masks(self):
        linear = torch.nn.Linear(4, 2)
        self.export("no weight of the exported layers; did you mean 'weight'", linear, masks={"wieght": numpy.ones((2, 4))})
        self.export("has the shape (4, 2), the weight (2, 4)", linear, masks={"weight": numpy.ones((4, 2))})
        pruner = Rows(torch.nn.GRU(4, 4), {"rate": 2})
        pruner.prepare()
        self.export("in stage admm: its masks are not final", pruner._model, masks=pruner)

    def test_example_finds_what_the_layers_leave_out(self):
        class Residual(Net):
            def forward(self, x):
                return super().forward(x) + 1e-3

        x = torch.randn(4, 6)
        self.export("differs from its layers one after the other by", Residual(), layers=["gru", "head", "log_softmax"], example=x)
        self.export("differs from its layers", Net(), layers=["gru", "head"], example=x)
        self.export("the model does more", Net(), layers=["gru"], example=x)
        net = Net(dropout=0.5)
        rtmc.export(net, self.folder, layers=["gru", "head", "log_softmax"], example=x)
        self.assertTrue(net.training and net.drop.training)

    def test_disk_full_leaves_the_old_files(self):
        rtmc.export(torch.nn.Linear(2, 2), self.folder)

        def contents():
            return {path.name: path.read_bytes() for path in sorted(pathlib.Path(self.folder).iterdir())}
        old = contents()
        with unittest.mock.patch("os.fsync", side_effect=OSError(28, "No space left on device")):
            self.refuses(OSError, "No space", rtmc.export, torch.nn.Linear(2, 2), self.folder)
        self.assertEqual(contents(), old)


if __name__ == "__main__":
    unittest.main()
