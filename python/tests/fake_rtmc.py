"""A program rtmc that measures nothing: it copies models, makes up times from their names, and writes down how it was called.

$FAKE_LOG       every call, one line each
$FAKE_FAILS     models whose path ends so cannot be timed
$FAKE_KILLS     N: the N-th timing kills the caller, as kill -9 does
"""
import json
import os
import pathlib
import signal
import sys

MATRICES = [{"name": "gru.weight_ih", "rows": 16, "columns": 8}, {"name": "gru.weight_hh", "rows": 16, "columns": 16}]


def option(words, name, default=""):
    return words[words.index(name) + 1] if name in words else default


def fail(text):
    print(text, file=sys.stderr)
    sys.exit(1)


def main(words):
    with open(os.environ["FAKE_LOG"], "a") as log:
        print(" ".join(words), file=log)
    if "--version" in words:
        print("rtmc 0.0.0 (fake)")
        return
    model = pathlib.Path(words[1])
    if words[0] == "prune":
        prune(words, model)
    else:
        bench(words, model)


def prune(words, model):
    weights = model.with_name("weights.txt")
    if not weights.exists():
        fail(f"{model}:3:1: error: there is no file 'weights.txt'")
    rate, norm = 1.0, 1.0
    if option(words, "--scheme") != "unstructured":
        rows, columns = map(int, option(words, "--block").split("x"))
        blocks = dict(word.split("=") for word in words if "=" in word)
        for matrix in MATRICES:
            r, c = map(int, blocks.get(matrix["name"], f"{rows}x{columns}").split("x"))
            if r > matrix["rows"] or c > matrix["columns"]:
                fail(f"{model}:1:1: error: '{matrix['name']}' cannot be pruned: blocks of {r}x{c} are larger than "
                     f"{matrix['rows']}x{matrix['columns']}")
        rate = float(option(words, "--rate", "1")) * float(option(words, "--column-rate", "1")) * float(option(words, "--row-rate", "1"))
        norm = (1 / rate) ** 0.5 / (1 + 0.001 * rows * columns)
    elif "rate" in weights.read_text():  # pruned before
        rate = float(weights.read_text().split()[1])
    out = pathlib.Path(option(words, "-o"))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(f"model {model.read_text()}")
    out.with_name("weights.txt").write_text(f"rate {rate}\n")
    print(json.dumps({"matrices": MATRICES, "inputs": [str(model), str(weights)], "outputs": [str(out), str(out.with_name("weights.txt"))],
                      "weights": 1152, "kept": int(1152 / rate), "rate": rate, "norm_share": norm, "network_weights": 1200,
                      "network_kept": int(1152 / rate) + 48, "network_rate": 1200 / (1152 / rate + 48)}))


def bench(words, model):
    log = pathlib.Path(os.environ["FAKE_LOG"]).read_text()
    if int(os.environ.get("FAKE_KILLS", "0")) == sum(line.startswith("bench") for line in log.splitlines()):
        os.kill(os.getppid(), signal.SIGKILL)
        sys.exit(1)
    if any(str(model.parent).endswith(name) for name in os.environ.get("FAKE_FAILS", "").split()):
        fail("rtmc: error: the generated code computes wrong numbers; times of it mean nothing")
    rate = float(model.with_name("weights.txt").read_text().split()[1])
    rows, columns = map(int, model.parent.name.split("-")[0].split("x"))
    dense = 50.0 if option(words, "--precision") == "bf16" else 100.0
    step = dense / rate + 64 / (rows * columns)
    print(json.dumps({"step_us_min": step, "step_us_median": 1.1 * step, "dense": {"step_us_min": dense, "step_us_median": dense},
                      "roofline_share": 0.5, "weight_bytes": int(4000 / rate), "index_bytes": 100, "code_bytes": 500, "nonzeros": 10,
                      "threads_used": 1, "steps_per_call": 1, "placement": "arena", "cpu": "fake", "target": "fake"}))


main(sys.argv[1:])
