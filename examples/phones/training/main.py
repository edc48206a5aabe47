#!/usr/bin/env python3
"""The experiment on real speech: main.py prepare | train | evaluate | report | export | ship, each of which goes on where it was stopped. README.md says how."""
from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT), str(ROOT.parents[2] / "python")]

from phones import commands  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=("prepare", "train", "evaluate", "report", "export", "ship", "one"))
    parser.add_argument("runs", nargs="*", help="names or patterns of runs (default: all of the plan; `trial-*` are only run by name)")
    usual = commands.folders()
    parser.add_argument("--data", type=Path, default=usual.data, help="folder of speechocean762 (and timit_sample)")
    parser.add_argument("--out", type=Path, default=usual.out, help="folder of features and runs")
    parser.add_argument("--kept", type=Path, default=usual.kept, help="scores of runs that were trained elsewhere, which `report` takes, too")
    parser.add_argument("--model", type=Path, default=ROOT.parent / "model", help="folder of the networks that `ship` writes; `export` makes one in it per run")
    parser.add_argument("--workers", type=int, default=1, help="runs that are trained at once")
    parser.add_argument("--threads", type=int, default=0, help="of each (default: cores / workers)")
    options = parser.parse_args()
    options.threads = options.threads or max(1, (os.cpu_count() or 1) // options.workers)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the runs are stopped with it, too
    try:
        return commands.run(options)
    except commands.KNOWN_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
