"""The networks that are measured: made when a cell needs them, in a work folder, and removed when the next one is begun (a dense
network of the reference's size is 38 MB, twice). Owns network.npz for the peers and model.yaml for rtmc, which say the same."""
import dataclasses
import json
import pathlib
import shutil
import struct
import sys

import numpy

from . import paper, processes

ROOT = paper.REFERENCE.parents[1]  # of the project
CHECK_STEPS = 16  # enough for every wire to matter, few enough that no rounding has grown
TIMED_STEPS = 64
DENSE = "1_256x256"


@dataclasses.dataclass(frozen=True)
class Network:
    folder: pathlib.Path
    inputs: int
    outputs: int
    weights: int  # of the matrices, before pruning
    kept: int
    steps: int = CHECK_STEPS  # rows of x
    timed_steps: int = TIMED_STEPS  # rows that rtmc's timed calls walk through
    for_peers: bool = True  # there is a network.npz

    @property
    def model(self) -> pathlib.Path:
        return self.folder / "model.yaml"

    @property
    def x(self) -> pathlib.Path:
        return self.folder / "x.npy"

    def npz(self, reset: str) -> pathlib.Path:
        own = self.folder / f"network_{reset}.npz"
        return own if own.exists() else self.folder / "network.npz"


def read_safetensors(path: pathlib.Path) -> dict[str, numpy.ndarray]:
    """name -> array; float32, uint8, uint32 and bool are all that our own files hold."""
    kinds = {"F32": "<f4", "U8": "u1", "U32": "<u4", "BOOL": "?"}
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    return {name: numpy.frombuffer(data, kinds[entry["dtype"]], count=int(numpy.prod(entry["shape"])),
                                   offset=8 + length + entry["data_offsets"][0]).reshape(entry["shape"])
            for name, entry in header.items()}


def write_inputs(folder: pathlib.Path, inputs: int) -> None:
    """Of unit variance."""
    random = numpy.random.default_rng(3)
    x = random.standard_normal((CHECK_STEPS, inputs)).astype(numpy.float32)
    numpy.save(folder / "x.npy", x)
    write_raw(folder, x, random.standard_normal((TIMED_STEPS, inputs)))


def write_raw(folder: pathlib.Path, x: numpy.ndarray, timed: numpy.ndarray) -> None:
    """For rtmc-runner: what results are compared on, and what it is timed on."""
    for name, values in (("x", x), ("timed", timed)):
        (folder / f"{name}.f32").write_bytes(values.astype("<f4").tobytes())


class Networks:
    def __init__(self, work: pathlib.Path):
        self.work = work
        self.at_hand: dict[str, Network] = {}

    def reference(self, rate: int, block: str) -> Network:
        """The reference network, pruned to `rate`; the dense one stays, of the others only the last."""
        name = f"{rate}_{block}" if rate > 1 else DENSE
        if name not in self.at_hand:
            if rate > 1:
                self._forget(keep=DENSE)
            self.at_hand[name] = self._make(name, rate, block)
        return self.at_hand[name]

    def _make(self, name: str, rate: int, block: str) -> Network:
        folder = self.work / name
        shutil.rmtree(folder, ignore_errors=True)
        processes.run([sys.executable, "-B", str(paper.REFERENCE / "make_model.py"), "--rate", str(rate), "--block", block,
                       "--out", str(folder)])
        tensors = read_safetensors(folder / "weights.safetensors")
        arrays = {}
        for layer in range(paper.LAYERS):
            for role in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                arrays[f"{role}{layer}"] = tensors[f"gru{layer}.{role}"]
        for reset in ("before", "after"):
            numpy.savez(folder / f"network_{reset}.npz", op="gru", reset=reset, layers=paper.LAYERS, **arrays)
        write_inputs(folder, paper.INPUTS)
        kept = sum(int(numpy.count_nonzero(values)) for name, values in arrays.items() if name.startswith("weight"))
        return Network(folder, paper.INPUTS, paper.UNITS, paper.WEIGHTS, kept)

    def _forget(self, keep: str) -> None:
        for name in [name for name in self.at_hand if name != keep]:
            shutil.rmtree(self.at_hand.pop(name).folder, ignore_errors=True)

    def close(self) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
