"""The C++ projections against numpy's: the same masks, bit for bit."""
import os
import subprocess
import unittest

from support import RATES, SHAPES, numpy, random_config, random_matrix

from rtmc.pruning.projections import SCHEMES, Projection, budget, project, project_step1

TOOL = os.environ["PRUNING_MASKS"]
SEED = int(os.environ.get("SEED", "1"))


def matrix_text(weights, config):
    def text(value):
        return "-" if value is None else str(value)

    block = config.block or (None, None)
    words = [config.scheme, *weights.shape, text(config.rate), text(config.column_rate), text(config.row_rate),
             *map(text, block), text(config.bounded)]
    return " ".join(map(str, words)).encode() + b"\n" + numpy.ascontiguousarray(weights, "<f4").tobytes()


def cpp_masks(cases):
    """`cases`: (what, [(weights, config)]). The masks of all, case by case."""
    request = b"".join(f"{what} {len(matrices)}\n".encode() + b"".join(matrix_text(*m) for m in matrices)
                       for what, matrices in cases)
    done = subprocess.run([TOOL], input=request, capture_output=True, timeout=600)
    assert done.returncode == 0, done.stderr.decode()
    flat, at, results = numpy.frombuffer(done.stdout, numpy.uint8), 0, []
    for _, matrices in cases:
        masks = []
        for weights, _ in matrices:
            masks.append(flat[at:at + weights.size].reshape(weights.shape))
            at += weights.size
        results.append(masks)
    assert at == flat.size
    return results


class SameMasks(unittest.TestCase):
    def compare(self, cases, expected):
        for (what, matrices), cpp, own in zip(cases, cpp_masks(cases), expected, strict=True):
            for (weights, config), theirs, ours in zip(matrices, cpp, own, strict=True):
                self.assertTrue(numpy.isin(theirs, (0, 1)).all())
                self.assertEqual(ours.dtype, bool)
                if not numpy.array_equal(theirs.astype(bool), ours):
                    self.fail(f"seed {SEED}, {what}, {config}\n{weights}\nC++:\n{theirs}\nnumpy:\n{ours.astype(int)}")

    def test_every_scheme_on_awkward_matrices(self):
        random = numpy.random.default_rng(SEED)
        cases = []
        for scheme in SCHEMES:
            for shape in SHAPES:
                for _ in range(12):
                    cases.append(("project", [(random_matrix(random, shape), random_config(random, scheme, shape))]))
        self.compare(cases, [[project(*matrices[0])] for _, matrices in cases])

    def test_the_first_step_of_bsp(self):
        random = numpy.random.default_rng(SEED + 1)
        cases = [("step1", [(random_matrix(random, shape), random_config(random, "bsp", shape))])
                 for shape in SHAPES for _ in range(10)]
        self.compare(cases, [[project_step1(*matrices[0])] for _, matrices in cases])

    def test_one_budget_for_several_matrices(self):
        random = numpy.random.default_rng(SEED + 2)
        cases, expected = [], []
        for _ in range(150):
            matrices = []
            for _ in range(random.integers(1, 5)):
                shape = SHAPES[random.integers(len(SHAPES))]
                scheme = ("unstructured", "row", "column", "bsp", "csb", "block")[random.integers(6)]
                block = random_config(random, scheme, shape).block
                more = {"row_rate": "2"} if scheme == "bsp" and random.random() < 0.5 else {"rate": 1}
                matrices.append((random_matrix(random, shape), Projection(scheme, block=block, **more)))
            rate = RATES[random.integers(len(RATES))]
            cases.append((f"budget:{rate}", matrices))
            expected.append(budget([m[0] for m in matrices], [m[1] for m in matrices], rate))
        self.compare(cases, expected)

    def test_larger_matrices(self):
        random = numpy.random.default_rng(SEED + 3)
        cases = []
        for scheme in SCHEMES:
            block = {"bank": (1, 32), "bsp": (32, 64), "bcr": (100, 64), "csb": (24, 16), "block": (16, 4)}.get(scheme)
            weights = random.standard_normal((200, 333)).astype(numpy.float32)
            cases.append(("project", [(weights, Projection(scheme, "7.3", block))]))
        cases.append(("project", [(weights, Projection("csb", "7.3", (24, 16), bounded="1.25"))]))
        self.compare(cases, [[project(*matrices[0])] for _, matrices in cases])


if __name__ == "__main__":
    unittest.main(verbosity=2)
