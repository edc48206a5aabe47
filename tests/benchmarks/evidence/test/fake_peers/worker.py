"""The protocol of peers/worker.py without any library, not even numpy, which takes long to load. Times are made up: they must come out
of the report as they went in."""
import argparse
import array
import ast
import json
import pathlib
import sys

parser = argparse.ArgumentParser()
for option in ("--peer", "--network", "--input", "--threads", "--steps-per-call"):
    parser.add_argument(option)
arguments = parser.parse_args()
peer, turn = arguments.peer, 0


def sums_of_rows(path):
    """Of a float32 .npy."""
    data = pathlib.Path(path).read_bytes()
    begin = 10 + int.from_bytes(data[8:10], "little")
    rows, columns = ast.literal_eval(data[10:begin].decode())["shape"]
    values = array.array("f", data[begin:])
    return [sum(values[row * columns:(row + 1) * columns]) for row in range(rows)]


def save(path, values, columns):
    """Each value `columns` times, as a row."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(values)}, {columns}), }}".ljust(117) + "\n"
    rows = array.array("f", [value for value in values for _ in range(columns)])
    pathlib.Path(path).write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + rows.tobytes())


def say(reply):
    print(json.dumps(reply), flush=True)


if peer == "absent":
    say({"ready": False, "reason": "it is never here"})
    sys.exit(0)
say({"ready": True, "peer": peer, "library": "", "version": "1.0", "settings": "made up", "products_only": peer == "csr"})
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "check":
        save(request["output"], [value + (peer == "wrong") for value in sums_of_rows(arguments.input)], 4)
        say({"done": True})
    elif request["do"] == "measure":
        turn += 1
        if peer == "crash":
            sys.exit("segmentation fault, say")
        if peer == "slip" and turn == 2:
            say({"error": "it slipped"})
            continue
        step = {"jumpy": 80.0 * (1 + turn % 2), "csr": 40.0, "fast-bf16": 50.0}.get(peer, 100.0)
        say({"step_us_min": step, "step_us_median": step * 1.1, "calls": 7})
    else:
        break
