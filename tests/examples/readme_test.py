#!/usr/bin/env python3
"""The README's first model, as it stands there: its code blocks are written to files and its commands run.

    readme_test.py README.md RTMC PREFIX FOLDER CMAKE C_COMPILER CXX_COMPILER

Where torch and safetensors are installed the README's own Python makes the weights and y.npy is compared with PyTorch's numbers;
elsewhere numpy makes weights of the same names.
"""
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "python"))
from rtmc_files import save_safetensors  # noqa: E402

FILES = {"python": "first.py", "yaml": "first.yaml", "c": "main.c", "cmake": "CMakeLists.txt", "sh": "commands.sh"}


def blocks(readme):
    """language -> text of the only block in it."""
    found = {}
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```$", readme, re.M | re.S):
        assert language not in found, f"two blocks in {language}: which one is it?"
        found[language] = text
    assert set(found) == set(FILES), f"blocks found: {sorted(found)}"
    return found


def make_weights(folder):
    """-> True if PyTorch made them, and expected.npy."""
    if not all(importlib.util.find_spec(module) for module in ("safetensors", "torch")):
        random = numpy.random.default_rng(1)
        shapes = {"gru.weight_ih_l0": (384, 40), "gru.weight_hh_l0": (384, 128), "gru.bias_ih_l0": (384,),
                  "gru.bias_hh_l0": (384,), "head.weight": (10, 128), "head.bias": (10,)}
        tensors = {name: (0.1 * random.standard_normal(shape)).astype(numpy.float32) for name, shape in shapes.items()}
        for name in ("gru.weight_ih_l0", "gru.weight_hh_l0"):
            rows, columns = shapes[name]
            kept = random.random((rows // 16, columns // 4)) < 0.25
            tensors[name] *= numpy.kron(kept, numpy.ones((16, 4))).astype(numpy.float32)
        save_safetensors(folder / "first.safetensors", tensors)
        numpy.save(folder / "x.npy", random.standard_normal((50, 40)).astype(numpy.float32))
        return False
    subprocess.run([sys.executable, "first.py"], cwd=folder, check=True)
    return True


def main():
    readme, rtmc, prefix, folder, cmake, c_compiler, cxx_compiler = sys.argv[1:]
    folder = pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for language, text in blocks(pathlib.Path(readme).read_text()).items():
        (folder / FILES[language]).write_text(text)

    from_torch = make_weights(folder)
    environment = dict(os.environ, PATH=f"{pathlib.Path(rtmc).parent}:{os.environ['PATH']}")
    commands = [line for line in (folder / "commands.sh").read_text().splitlines() if line.startswith("rtmc ")]
    assert len(commands) >= 5, "the README has fewer commands than this test knows"
    for command in commands:
        print("$", command, flush=True)
        subprocess.run(["bash", "-c", command], cwd=folder, env=environment, check=True, stdin=subprocess.DEVNULL)
    y = numpy.load(folder / "y.npy")
    assert y.shape == (50, 10) and numpy.isfinite(y).all(), y.shape
    assert numpy.allclose(numpy.exp(y).sum(axis=1), 1, atol=1e-5), "no log_softmax"
    if from_torch:
        difference = numpy.abs(y - numpy.load(folder / "expected.npy")).max()
        print(f"differs from PyTorch by {difference:.2g} at most")
        assert difference < 1e-5

    build = folder / "build"
    subprocess.run([cmake, "-S", folder, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_C_COMPILER={c_compiler}",
                    f"-DCMAKE_CXX_COMPILER={cxx_compiler}"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([cmake, "--build", build], check=True)
    value = float(subprocess.run([build / "app"], check=True, capture_output=True, text=True).stdout)
    assert value < 0, f"the program printed {value}, no logarithm of a probability"


if __name__ == "__main__":
    main()
