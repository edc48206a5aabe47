"""The pattern of one matrix, as the user gave it and as the compiler lays it out (from `rtmc dump --emit kernel`): what the report draws.
`rtmc inspect` tells the same of every matrix in words."""
import base64
import zlib

import numpy

from .networks import Network, read_safetensors
from .ours import Rtmc
from .processes import Failed

MATRIX, TENSOR, GATE = "gru1.weight_hh.z", "gru1.weight_hh", 1  # the largest kind: a state's own, gates r z n
SHARES = 2  # threads that the picture shows


def pattern(rtmc: Rtmc, network: Network, precision: str) -> dict:
    """{matrix, rows, columns, mask (of the user's order), runs: [{rows: [[begin, end)], columns: [[begin, end)], share}]}."""
    try:
        import yaml
    except ImportError:
        raise Failed("pyyaml is not installed: no picture of a pattern") from None
    output = network.folder / "pattern.yaml"
    rtmc.json("dump", str(network.model), "--precision", precision, "--threads", str(SHARES), "--emit", "kernel", "-o", str(output))
    # Nothing but plain data: C's loader where there is one, because the text is long.
    program = yaml.load(output.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    constants = read_safetensors(output.with_suffix(".safetensors"))
    weights = next((w for w in program["weights"] if w["name"] == MATRIX), None)
    if weights is None:
        raise Failed(f"{MATRIX} is not in the program: all of it was folded")
    packed = weights["packed"]

    def table(value) -> list:
        return constants[value["tensor"]].tolist() if isinstance(value, dict) else value

    columns, row_table, runs = table(packed["columns"]), table(packed["rows"]), table(packed["runs"])
    found = []
    for number, (shape_index, row, rows, _, entries, column, _) in enumerate(runs):
        shape = packed["shapes"][shape_index]
        if shape.get("gather"):
            raise Failed(f"{MATRIX} is laid out without stripes")
        lines = row_table[row:row + rows] if shape.get("indexed") else range(row, row + rows)
        first = range(column, column + entries) if shape.get("dense_columns") else columns[column:column + entries]
        width = shape.get("width", 1)
        share = sum(number >= begin for begin in packed["share_begin"][1:-1])
        found.append({"rows": ranges(lines), "columns": ranges({c + i for c in first for i in range(width)}), "share": share})
    mask = read_safetensors(network.folder / "weights.safetensors")[TENSOR]
    units = mask.shape[0] // 3
    kept = mask[GATE * units:(GATE + 1) * units] != 0
    return {"matrix": MATRIX, "rows": weights["shape"][0], "columns": weights["shape"][1], "precision": precision, "mask": pack(kept),
            "mask_shape": list(kept.shape), "runs": found}


def ranges(numbers) -> list[list[int]]:
    """[[begin, end), ...] of whole numbers."""
    found: list[list[int]] = []
    for number in sorted(int(n) for n in numbers):
        if found and found[-1][1] == number:
            found[-1][1] = number + 1
        elif not found or number >= found[-1][1]:
            found.append([number, number + 1])
    return found


def pack(mask: numpy.ndarray) -> str:
    return base64.b64encode(zlib.compress(numpy.packbits(mask).tobytes(), 9)).decode()


def unpack(text: str, shape: list[int]) -> numpy.ndarray:
    bits = numpy.unpackbits(numpy.frombuffer(zlib.decompress(base64.b64decode(text)), numpy.uint8))
    return bits[:shape[0] * shape[1]].reshape(shape).astype(bool)
