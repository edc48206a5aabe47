"""rtmc.search with the real rtmc on a tiny network: the evaluation of docs/block_search.md, a candidate that fails, both stand-ins."""
import json
import os
import re
import subprocess
import sys
import textwrap

import numpy
from search_common import HERE, SearchCase, row_of, sweep, unittest

import rtmc
from rtmc.build import find_rtmc
from rtmc.files import save_safetensors
from rtmc.search.__main__ import _parser
from rtmc.search.metrics import Evaluation

DOCUMENT = HERE.parent.parent / "docs/block_search.md"
try:
    RTMC = find_rtmc()
except rtmc.CompileError:
    RTMC = None

MODEL = """rtm: 1
name: tiny
weights: tiny.safetensors
inputs: [{name: x, size: 12}]
layers:
  - {name: gru, op: gru, size: 32, reset: after}
  - {name: head, op: linear, size: 5}
outputs: [head]
"""


def python_blocks():
    return re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(), re.M | re.S)


def block_named(name):
    return next(block for block in python_blocks() if block.startswith(f"# {name}\n"))


@unittest.skipIf(RTMC is None, "no rtmc")
class CommandTest(SearchCase):
    def setUp(self):
        super().setUp()
        random = numpy.random.default_rng(4)
        shapes = {"gru.weight_ih": (96, 12), "gru.weight_hh": (96, 32), "gru.bias_ih": (96,), "gru.bias_hh": (96,), "head.weight": (5, 32),
                  "head.bias": (5,)}
        save_safetensors(self.folder / "tiny.safetensors",
                         {name: (0.3 * random.standard_normal(shape)).astype(numpy.float32) for name, shape in shapes.items()})
        self.model = self.folder / "model.yaml"
        self.model.write_text(MODEL)
        self.x = random.standard_normal((3, 20, 12)).astype(numpy.float32)
        self.environment(RTMC_CACHE=self.folder / "cache")

    def outputs(self, model, precision="f32"):
        """By the command rtmc run, which shares nothing with rtmc.compile but the compiler."""
        outputs = []
        for i, sequence in enumerate(self.x):
            numpy.save(self.folder / f"x{i}.npy", sequence)
            subprocess.run([RTMC, "run", str(model), "-i", str(self.folder / f"x{i}.npy"), "-o", str(self.folder / "y.npy"), "-q",
                            "--precision", precision], check=True)
            outputs.append(numpy.load(self.folder / "y.npy"))
        return numpy.stack(outputs)

    def test_the_documents_command(self):
        (self.folder / "my_eval.py").write_text(block_named("my_eval.py"))
        dense = self.outputs(self.model)
        numpy.save(self.folder / "test_x.npy", self.x)
        numpy.save(self.folder / "test_labels.npy", dense.argmax(-1))
        command = re.search(r"-m rtmc.search (model.yaml .*?\n.*)\n", DOCUMENT.read_text()).group(1).replace("\\\n", " ")
        words = [word.strip("'") for word in re.findall(r"'[^']*'|\S+", command)]
        for name, value in (("--blocks", "8x4,32x12,64x64"), ("--rates", "4"), ("--precisions", "bf16")):
            words[words.index(name) + 1] = value
        words.remove("--clip")
        done = subprocess.run([sys.executable, "-B", "-m", "rtmc.search", *words, "--rounds", "1", "--quick"], cwd=self.folder,
                              capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(HERE.parent)})
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("1 of 3 rows failed", done.stderr)
        found = json.loads((self.folder / "search/results.json").read_text())
        self.assertIn("blocks of 64x64 are larger than 32x12", row_of(found, "64x64-4", "bf16")["error"])
        self.assertEqual((found["metric"]["name"], found["metric"]["lower_is_better"]), ("error rate", True))
        for row in found["rows"][:2]:
            self.assertEqual(row["error"], "")
            y = self.outputs(self.folder / "search" / row["model"], "bf16")
            self.assertAlmostEqual(row["metric"], 100 * (y.argmax(-1) != dense.argmax(-1)).mean())
            self.assertEqual(row["realised_rate"], 4.0)
            self.assertLess(0, row["step_us"])
            self.assertGreater(row["dense_step_us"], 0)
            model = (self.folder / "search" / row["folder"] / "model.yaml").read_text()
            self.assertIn(f"sparsity: {{scheme: bsp, block: [{row['block'][0]}, {row['block'][1]}]}}", model)
        documented = set(re.findall(r"`(\w+)`", DOCUMENT.read_text().split("It returns what results.json holds")[1]))
        self.assertEqual({*found, *found["dense"][0], *found["rows"][0], *found["rows"][2]} - documented, set())

    def test_the_stand_ins(self):
        numpy.save(self.folder / "x.npy", self.x)
        found = sweep(self.model, self.folder / "a", blocks=["8x8"], rates=[2], clip=True, input=self.folder / "x.npy", rounds=1,
                      quick=True)
        row = found["rows"][0]
        y, dense = self.outputs(self.folder / "a" / row["model"]).astype(float), self.outputs(self.model).astype(float)
        self.assertAlmostEqual(row["metric"], numpy.linalg.norm(y - dense) / numpy.linalg.norm(dense), places=6)
        self.assertGreater(row["metric"], 0.01)
        self.assertEqual(found["dense"][0]["metric"], 0.0)
        numpy.save(self.folder / "x.npy", self.x[..., 1:])
        self.refuses("--input cannot be computed: the input has the shape", sweep, self.model, self.folder / "a", blocks=["8x8"],
                     rates=[2], clip=True, input=self.folder / "x.npy")

    def test_the_documents_python(self):
        code, = (block for block in python_blocks() if "rtmc.search.sweep" in block)
        here = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, here)
        names = {}
        exec(compile(code.replace('"4x4", ', ""), "the document", "exec"), names)
        self.assertEqual([row["id"] for row in names["best"]], ["8x8-4"])


class DocumentTest(SearchCase):
    def test_every_option_is_documented(self):
        text = DOCUMENT.read_text()
        for action in _parser()._actions:
            for option in action.option_strings:
                if option not in ("-h", "--help", "--output", "-q", "--quiet"):
                    self.assertIn(option, text)

    def test_the_functions_of_the_document(self):
        for name, function in (("my_eval.py", "evaluate"), ("my_train.py", "train")):
            self.assertIn(f"\ndef {function}(", block_named(name))
        text = textwrap.dedent(block_named("my_eval.py").split("\n\n\n")[1])
        names = {}
        exec(text, names)
        self.assertTrue(Evaluation(names["evaluate"], None, True).per_precision)


if __name__ == "__main__":
    unittest.main()
