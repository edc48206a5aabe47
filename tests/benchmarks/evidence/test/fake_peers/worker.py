"""The protocol of peers/worker.py without any library. Times are made up: they must come out of the report as they went in."""
import argparse
import json
import sys

import numpy

parser = argparse.ArgumentParser()
for option in ("--peer", "--network", "--input", "--threads", "--steps-per-call"):
    parser.add_argument(option)
arguments = parser.parse_args()
peer, turn = arguments.peer, 0


def say(reply):
    print(json.dumps(reply), flush=True)


if peer == "absent":
    say({"ready": False, "reason": "it is never here"})
    sys.exit(0)
say({"ready": True, "peer": peer, "library": "", "version": "1.0", "settings": "made up", "products_only": peer == "csr"})
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "check":
        y = numpy.load(arguments.input).sum(axis=1, keepdims=True) * numpy.ones((1, 4), numpy.float32)
        numpy.save(request["output"], y + (peer == "wrong"))
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
