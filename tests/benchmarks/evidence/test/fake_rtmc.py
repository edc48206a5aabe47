"""rtmc, rtmc-runner and a C++ compiler that do nothing, told apart by the name that this file is started under. What rtmc "compiles" is
a line of text, from which the runner makes up a time."""
import array
import json
import pathlib
import sys
import time

MACHINE = {"name": "fake", "cores": 2,
           "bandwidth": [{"bytes": 32768, "gbps": 200.0, "gbps_4k_pages": 190.0}, {"bytes": 1 << 20, "gbps": 100.0}],
           "fma_f32_per_ns": 50.0, "fma_half_per_ns": 0, "convert_f16_per_ns": 30.0, "convert_bf16_per_ns": 50.0, "gate_ns": 0.3,
           "barrier_ns": 100.0}


def option(words, name, default=""):
    return words[words.index(name) + 1] if name in words else default


def compile_model(words):
    """The text that stands for the code: what the model is and how it is compiled, but for what changes no code."""
    model = next(word for word in words if word.endswith("model.yaml"))
    names = [word for word in words if word.startswith("--no-")]
    return f"{pathlib.Path(model).parent.name} {option(words, '--precision')} {' '.join(names)}"


def rtmc(words):
    if "--version" in words:
        print("rtmc 0.0.0 (fake)")
    elif words[0] == "machine":
        print(json.dumps(MACHINE))
    elif words[0] in ("bench", "inspect"):
        if "--no-compact" in words:
            print("error: this fake has no other format", file=sys.stderr)
            sys.exit(3)
        print(json.dumps({
            "name": "tiny", "nonzeros": 10, "weight_bytes": 4096, "index_bytes": 1024, "csr_bytes": 9000, "code_bytes": 500,
            "loads_before": 90, "loads_after": 30, "floor_us": 2.0, "floor_bandwidth_us": 1.5, "floor_multiply_add_us": 1.0,
            "floor_gates_us": 0.5, "live_gates": 3,
            "footprint_bytes": 4000, "footprint_gbps": 100.0, "phase_us": [1.0, 3.0], "threads_used": int(option(words, "--threads", "1")),
            "placement": option(words, "--placement", "arena"), "phases": [{"name": "first"}, {"name": "second"}],
            "compiler": {"cxx": [str(pathlib.Path(sys.argv[0]).with_name("cxx"))], "cxx_flags": [], "cxx_version": "fake"}}))
    elif words[0] == "dump":
        sys.exit("error: this fake dumps nothing")
    else:
        pathlib.Path(option(words, "-o")).write_text(compile_model(words))


def runner():
    text = ""
    for line in sys.stdin:
        request = json.loads(line)
        if request["cmd"] == "load":
            text = pathlib.Path(request["library"]).read_text()
        elif request["cmd"] == "run":
            x = array.array("f", pathlib.Path(request["input"]).read_bytes())
            width = len(x) // request["steps"]
            sums = [sum(x[step * width:(step + 1) * width]) for step in range(request["steps"])]
            pathlib.Path(request["output"]).write_bytes(array.array("f", [value for value in sums for _ in range(4)]).tobytes())
        else:
            time.sleep(0.01)
            step = (200.0 if text.startswith("1_") else 8.0) / (2 if "bf16" in text else 1) * (3 if "--no-reorder" in text else 1)
            step /= 1.6 if request["threads"] > 1 else 1
            print(json.dumps({"ok": True, "step_us_min": step, "step_us_median": step * 1.2, "repetitions": 5, "calls_per_repetition": 2,
                              "threads_used": request["threads"]}), flush=True)
            continue
        print(json.dumps({"ok": True}), flush=True)


program = pathlib.Path(sys.argv[0]).name
if program == "rtmc":
    rtmc(sys.argv[1:])
elif program == "rtmc-runner":
    runner()
else:
    words = sys.argv[1:]
    pathlib.Path(option(words, "-o")).write_text(pathlib.Path(words[-3]).read_text())
