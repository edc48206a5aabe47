"""What the end-to-end tests share: running rtmc, writing models and arrays, and a reference in plain Python.

Standard library only, so that the tests run wherever rtmc builds. RTMC names the program under test, RTMC_SOURCE_DIR and
RTMC_BINARY_DIR the trees; CMakeLists.txt sets them.
"""
import array
import json
import math
import os
import random
import shutil
import struct
import subprocess
import tempfile
import unittest

RTMC = os.environ["RTMC"]
SOURCE_DIR = os.environ["RTMC_SOURCE_DIR"]
BINARY_DIR = os.environ["RTMC_BINARY_DIR"]
RUNNER = os.path.join(os.path.dirname(RTMC), "rtmc-runner")

OK, USER, ENVIRONMENT, BUG = 0, 1, 2, 3


class Result:
    def __init__(self, completed):
        self.status, self.out, self.err = completed.returncode, completed.stdout, completed.stderr

    def json(self):
        return json.loads(self.out)


def rtmc(*arguments, cwd=None, timeout=300, env=None, **more):
    """Runs rtmc to its end; text of both streams is kept."""
    environment = dict(os.environ, **(env or {}))
    return Result(subprocess.run([RTMC, *map(str, arguments)], cwd=cwd, env=environment, capture_output=True, text=True,
                                 timeout=timeout, stdin=subprocess.DEVNULL, **more))


def read(path, mode="r"):
    with open(path, mode) as file:
        return file.read()


def _sanitized():
    cache = os.path.join(BINARY_DIR, "CMakeCache.txt")
    return os.path.exists(cache) and any("-fsanitize" in line for line in read(cache).splitlines()
                                         if line.startswith("CMAKE_CXX_FLAGS"))


SANITIZED = _sanitized()


class Case(unittest.TestCase):
    """A test with a folder of its own, self.dir."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="rtmc-test-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def write(self, name, content):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb" if isinstance(content, bytes) else "w") as file:
            file.write(content)
        return path

    def expect(self, status, *arguments, **more):
        result = rtmc(*arguments, **more)
        self.assertEqual(result.status, status, f"rtmc {' '.join(map(str, arguments))}\n{result.out}{result.err}")
        return result

    def gru(self, name="net", size=24, inputs=6, keep=0.3, seed=1, reset="before", outputs=5, extra=""):
        """A pruned GRU with a linear layer behind it. Returns the model's path."""
        weights = gru_weights(size, inputs, keep, seed, outputs)
        self.write(f"{name}.safetensors", safetensors(weights))
        return self.write(f"{name}.yaml", f"""rtm: 1
name: {name}
weights: {name}.safetensors
inputs:
  - {{name: x, size: {inputs}}}
layers:
  - {{name: gru0, op: gru, size: {size}, reset: {reset}}}
  - {{name: y, op: linear, size: {outputs}}}
outputs: [y]
{extra}""")


class Tensor:
    """Row-major floats with a shape."""

    def __init__(self, shape, values):
        self.shape, self.values = list(shape), [float32(v) for v in values]
        assert len(self.values) == math.prod(self.shape)

    def row(self, index):
        width = self.shape[1]
        return self.values[index * width:(index + 1) * width]


def float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def random_matrix(rng, rows, columns, keep, scale=1.0):
    """Rows of 4x2 blocks, kept or pruned whole, so that there is a structure to find."""
    kept = {}
    values = []
    deviation = scale / math.sqrt(max(1.0, columns * keep))
    for row in range(rows):
        for column in range(columns):
            block = (row // 4, column // 2)
            if block not in kept:
                kept[block] = rng.random() < keep
            values.append(rng.gauss(0, deviation) if kept[block] else 0.0)
    return Tensor([rows, columns], values)


def random_vector(rng, size, scale=0.3):
    return Tensor([size], [rng.gauss(0, scale) for _ in range(size)])


def gru_weights(size, inputs, keep, seed, outputs):
    rng = random.Random(seed)
    return {
        "gru0.weight_ih": random_matrix(rng, 3 * size, inputs, max(keep, 0.5)),
        "gru0.weight_hh": random_matrix(rng, 3 * size, size, keep),
        "gru0.bias_ih": random_vector(rng, 3 * size),
        "gru0.bias_hh": random_vector(rng, 3 * size),
        "y.weight": random_matrix(rng, outputs, size, 0.8),
        "y.bias": random_vector(rng, outputs),
    }


def safetensors(tensors):
    header, body = {}, b""
    for name, tensor in tensors.items():
        raw = array.array("f", tensor.values).tobytes()
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


def npy(rows, descr="<f4", fortran=False, shape=None):
    """A .npy file of a list of rows."""
    width = len(rows[0]) if rows else 0
    shape = shape if shape is not None else (len(rows), width)
    code = {"<f4": "<f", ">f4": ">f", "<f8": "<d", "<i4": "<i"}[descr]
    order = [(r, c) for c in range(width) for r in range(len(rows))] if fortran else \
            [(r, c) for r in range(len(rows)) for c in range(width)]
    body = b"".join(struct.pack(code, rows[r][c] if code != "<i" else int(rows[r][c])) for r, c in order)
    header = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {tuple(shape)}, }}".encode()
    header += b" " * ((64 - (len(header) + 11) % 64) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body


def read_npy(path):
    with open(path, "rb") as file:
        content = file.read()
    assert content[:8] == b"\x93NUMPY\x01\x00", content[:8]
    length = struct.unpack("<H", content[8:10])[0]
    header = eval(content[10:10 + length].decode(), {})  # our own writer's dictionary
    assert header["descr"] == "<f4" and not header["fortran_order"], header
    assert (10 + length) % 64 == 0, "values are not aligned as NumPy aligns them"
    values = array.array("f", content[10 + length:])
    steps, width = header["shape"]
    assert len(values) == steps * width
    return [list(values[i * width:(i + 1) * width]) for i in range(steps)]


def random_rows(steps, width, seed=1):
    rng = random.Random(seed)
    return [[float32(rng.gauss(0, 1)) for _ in range(width)] for _ in range(steps)]


def gru_reference(weights, rows, size, reset="before"):
    """Outputs of Case.gru's network in plain Python, double precision."""
    def sigmoid(v):
        return 1 / (1 + math.exp(-v)) if v >= 0 else math.exp(v) / (1 + math.exp(v))

    def dot(a, b):
        return math.fsum(x * y for x, y in zip(a, b))

    wi, wh = weights["gru0.weight_ih"], weights["gru0.weight_hh"]
    bi, bh = weights["gru0.bias_ih"].values, weights["gru0.bias_hh"].values
    h, outputs = [0.0] * size, []
    for x in rows:
        gate = {}
        for g, name in enumerate("rz"):
            gate[name] = [sigmoid(dot(wi.row(g * size + u), x) + bi[g * size + u] + dot(wh.row(g * size + u), h) +
                                  bh[g * size + u]) for u in range(size)]
        n = []
        for u in range(size):
            k = 2 * size + u
            if reset == "before":
                state = dot(wh.row(k), [r * v for r, v in zip(gate["r"], h)]) + bh[k]
            else:
                state = gate["r"][u] * (dot(wh.row(k), h) + bh[k])
            n.append(math.tanh(dot(wi.row(k), x) + bi[k] + state))
        h = [z * old + (1 - z) * new for z, old, new in zip(gate["z"], h, n)]
        w = weights["y.weight"]
        outputs.append([dot(w.row(o), h) + weights["y.bias"].values[o] for o in range(w.shape[0])])
    return outputs


def main():
    unittest.main(verbosity=2)
