#!/usr/bin/env python3
"""Runs one competitor in a process of its own and answers JSON lines: one request per line on stdin, one reply per line on stdout.

    worker.py --peer NAME --network network.npz --input x.npy --threads N --steps-per-call N

First reply: {"ready": true, "peer":, "library":, "version":, "settings":, "products_only":}, or {"ready": false, "reason":}.
{"do": "check", "output": FILE.npy}  runs all of x from the zero state (products_only: one fixed set of products), writes y
{"do": "measure", "seconds": 0.3}    {"step_us_min":, "step_us_median":, "calls":}
{"do": "quit"}                       so does the end of stdin
A request that fails is answered with {"error": "one line"}. Exit status 1 where the network or the input is of no use.
README.md has the fields of network.npz. What a library prints goes to stderr.
"""
import argparse
import importlib
import json
import os
import pathlib
import sys
import time

QUIET_SHARE, QUIET_SECONDS = 0.1, 1.0


def environment(threads):
    """What libraries read when they are loaded, or start their threads."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {name: str(threads) for name in names} | {
        "MKL_DYNAMIC": "FALSE", "OMP_DYNAMIC": "FALSE", "MKL_THREADING_LAYER": "SEQUENTIAL" if threads == 1 else "INTEL"}


def own_stdout():
    """-> the stream of replies; whatever else writes to file descriptor 1 reaches stderr."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return replies


def wait_until_quiet():
    """Workers of a library spin for a while after its last call: they must not spin into the next competitor's turn."""
    end = time.perf_counter() + QUIET_SECONDS
    while time.perf_counter() < end:
        used, begin = time.process_time(), time.perf_counter()
        time.sleep(0.01)
        if time.process_time() - used < QUIET_SHARE * (time.perf_counter() - begin):
            return


def one_line(problem):
    text = str(problem).strip() or type(problem).__name__
    return " ".join(text.split())[:400]


def save(path, array):
    import numpy
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as file:
            numpy.save(file, array)
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def answer(peer, x, line):
    """-> the reply, or None to quit."""
    import numpy
    request = json.loads(line)
    what = request.get("do") if isinstance(request, dict) else None
    if what == "quit":
        return None
    if what == "check":
        if not isinstance(request.get("output"), str):
            raise ValueError("'check' needs 'output', the name of a file")
        save(request["output"], numpy.ascontiguousarray(peer.check(x), numpy.float32))
        reply = {"done": True}
    elif what == "measure":
        seconds = request.get("seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds <= 3600:
            raise ValueError("'measure' needs 'seconds', more than 0 and at most 3600")
        reply = peer.measure(seconds)
    else:
        raise ValueError("a request is {\"do\": \"check\" | \"measure\" | \"quit\"}")
    wait_until_quiet()
    return reply


def open_peer(arguments):
    """-> (peer, x, the first reply, exit status)."""
    from peers import PEERS
    info = PEERS.get(arguments.peer)
    if info is None:
        return None, None, {"ready": False, "reason": f"there is no peer '{arguments.peer}'; known: {', '.join(PEERS)}"}, 1
    try:
        from peers import network as networks
        network = networks.load(arguments.network)
        x = networks.load_input(arguments.input, network)
    except ImportError as missing:
        return None, None, {"ready": False, "reason": f"{missing.name or missing} is not installed"}, 0
    except ValueError as problem:
        return None, None, {"ready": False, "reason": one_line(problem)}, 1
    if network.op == "gru" and network.reset not in info.reset:
        return None, None, {"ready": False, "reason": f"{info.name} has no GRU with reset {network.reset}"}, 0
    try:
        peer = importlib.import_module(f"peers.{info.module}").open_peer(
            info, network, x, arguments.threads, arguments.steps_per_call)
    except ModuleNotFoundError as missing:
        return None, None, {"ready": False, "reason": f"{(missing.name or info.library).split('.')[0]} is not installed"}, 0
    except Exception as problem:  # of a library: whatever it is, it is a row of the report
        return None, None, {"ready": False, "reason": f"{info.library or info.name}: {one_line(problem)}"}, 0
    return peer, x, {"ready": True, "peer": info.name, "library": info.library, "version": peer.version,
                     "settings": peer.settings, "products_only": info.products_only}, 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("peer", "network", "input"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("threads", "steps-per-call"):
        parser.add_argument(f"--{name}", type=int, default=1)
    arguments = parser.parse_args()
    if min(arguments.threads, arguments.steps_per_call) < 1:
        parser.error("--threads and --steps-per-call are at least 1")
    replies = own_stdout()

    def say(reply):
        replies.write(json.dumps(reply) + "\n")
        replies.flush()

    os.environ.update(environment(arguments.threads))
    # This folder's modules are found as a package, never beside the libraries.
    sys.path[0] = str(pathlib.Path(__file__).resolve().parent.parent)
    peer, x, first, status = open_peer(arguments)
    wait_until_quiet()
    say(first)
    if peer is None:
        return status
    for line in sys.stdin:
        if not line.strip():
            continue
        try:
            reply = answer(peer, x, line)
        except Exception as problem:  # a request that fails ends that request
            reply = {"error": one_line(problem)}
        if reply is None:
            break
        say(reply)
    return 0


if __name__ == "__main__":
    sys.exit(main())
