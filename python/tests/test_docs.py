"""The README's and docs/pruning.md's Python, as it stands there, and the package without PyTorch and from pip."""
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import textwrap
import warnings

import numpy
from common import Case, Net, torch, unittest

import rtmc
from rtmc.build import find_rtmc
from rtmc.pruning import Pruner, schemes
from rtmc.pruning.config import STRUCTURE_KEYS, Schedule

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
try:
    RTMC = find_rtmc()
except rtmc.CompileError:
    RTMC = None


class DocsTest(Case):
    def setUp(self):
        super().setUp()
        here = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, here)
        self.net = Net(inputs=40, size=32, outputs=10)
        x, y = torch.randn(7, 8, 40), torch.randint(10, (7, 8))

        def train_one_epoch(net, optimizer):
            for _ in range(3):
                optimizer.zero_grad()
                torch.nn.functional.nll_loss(net(x).flatten(0, 1), y.flatten()).backward()
                optimizer.step()
        optimizer = torch.optim.Adam(self.net.parameters(), 0.01)
        self.names = {"net": self.net, "optimizer": optimizer, "train_one_epoch": train_one_epoch, "x": numpy.zeros((4, 40), numpy.float32),
                      "scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 100)}

    def run_text(self, text):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # three steps an epoch do not converge
            exec(compile(text, "the document", "exec"), self.names)

    def check_export(self):
        for mask in self.names["pruner"].masks.values():
            self.assertAlmostEqual(mask.numel() / int(mask.sum()), 8, delta=0.5)
        self.assertTrue(os.path.exists("pruned/model.yaml"))

    def test_readme(self):
        text = (ROOT / "README.md").read_text().split("## From PyTorch, pruned while it trains")[1].split("and PyTorch -> pruned")[0]
        code = textwrap.dedent("\n".join(line for line in text.splitlines() if line.startswith("    ")))
        self.assertIn("rtmc.export", code)
        self.run_text(code)
        self.check_export()
        if RTMC:
            command = re.search(r"^    rtmc (pruned/model.yaml .*)$", (ROOT / "README.md").read_text(), re.M).group(1)
            subprocess.run([RTMC, *command.split(), "-q"], check=True)
            self.assertTrue(os.path.exists("pruned.h"))

    @unittest.skipIf(RTMC is None, "no rtmc")
    def test_pruning_document(self):
        blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs/pruning.md").read_text(), re.M | re.S)
        self.assertEqual(len(blocks), 3)
        os.environ["RTMC_CACHE"] = self.path("cache")
        self.addCleanup(os.environ.pop, "RTMC_CACHE")
        pruning, going_on, compiled = blocks
        self.run_text(pruning)
        self.check_export()
        self.names["sampler"] = rtmc.pruning.ResumableSampler(3)
        self.run_text(going_on)
        self.run_text(compiled)
        self.assertEqual(self.names["y"].shape, (4, 10))

    def test_yaml_of_the_document(self):
        try:
            import yaml
        except ImportError:
            self.skipTest("no PyYAML")
        text, = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs/pruning.md").read_text(), re.M | re.S)
        self.assertIn("tensors", yaml.safe_load(text))
        pathlib.Path("prune.yaml").write_text(text)
        pruner = Pruner(Net(inputs=40, size=128, outputs=16), "prune.yaml")
        self.assertEqual([s.scheme for s in pruner.config.structures.values()], ["bsp", "block"])

    def test_every_key_is_documented(self):
        text = (ROOT / "docs/pruning.md").read_text()
        for key in (*STRUCTURE_KEYS, *(field.name for field in dataclasses.fields(Schedule)), *schemes.__all__):
            self.assertIn(f"`{key}", text)


class PackageTest(Case):
    def python(self, code, *options, **environment):
        return subprocess.run([sys.executable, *options, "-B", "-c", code], cwd=self.folder, capture_output=True, text=True,
                              env={**os.environ, **environment})

    def test_numpy_is_enough_for_the_rest(self):
        done = self.python("import sys; sys.modules['torch'] = None\nimport rtmc, rtmc.pruning.projections as p, numpy\n"
                           "assert p.project(numpy.eye(4), p.Projection('unstructured', rate=4)).sum() == 4\nrtmc.compile\n"
                           "try: rtmc.pruning.BSP\nexcept ImportError: print('needs torch')\n", PYTHONPATH=str(ROOT / "python"))
        self.assertEqual((done.returncode, done.stdout), (0, "needs torch\n"), done.stderr)

    def test_pip_installs_it(self):
        if self.python("import setuptools, pip\ntry: import wheel\nexcept ImportError: import setuptools.command.bdist_wheel").returncode:
            self.skipTest("this Python has no pip, or no setuptools that makes wheels")
        source = self.path("source")  # pip leaves its build folder there
        shutil.copytree(ROOT / "python", source, ignore=shutil.ignore_patterns("tests", "__pycache__", "build", "*.egg-info"))
        done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation", "--target",
                               self.path("target"), source], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        wanted = {path.relative_to(ROOT / "python") for path in (ROOT / "python/rtmc").rglob("*") if path.suffix in (".py", ".typed")}
        target = pathlib.Path(self.path("target"))
        found = {path.relative_to(target) for path in target.glob("rtmc/**/*") if path.suffix in (".py", ".typed")}
        self.assertEqual(found, wanted)
        done = self.python("import rtmc, rtmc.pruning as p; print(rtmc.__file__, p.BSP.SCHEME)", PYTHONPATH=self.path("target"))
        self.assertEqual(done.stdout.split(), [self.path("target/rtmc/__init__.py"), "bsp"], done.stderr)


if __name__ == "__main__":
    unittest.main()
