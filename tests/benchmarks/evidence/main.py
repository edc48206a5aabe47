#!/usr/bin/env python3
"""Measures the cells of the plan that have no results yet, then writes the report. scripts/bench.sh sets up what this needs and
starts it; README.md says what is measured."""
import contextlib
import datetime
import fcntl
import json
import pathlib
import shutil
import signal
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from harness import machine, options, plan  # noqa: E402


def main(words: list[str]) -> int:
    arguments = options.parse(words, HERE / "peers")
    # What has to be installed is not looked for before the options are right.
    from harness import lyra, measure, report
    from harness.networks import Networks
    from harness.ours import Rtmc
    from harness.peers_client import Peers
    from harness.store import Store

    signal.signal(signal.SIGTERM, stop)
    environment = json.loads(arguments.environment.read_text(encoding="utf-8")) if arguments.environment else {}
    rtmc, peers = Rtmc(arguments.rtmc.resolve()), Peers(arguments.peers.resolve(), environment)
    here, now = machine.describe(), machine.state()
    settings = plan.restrict(plan.QUICK if arguments.quick else plan.FULL, arguments.rates)
    every, left_out = plan.cells(settings, here["cores"], lyra.missing())
    cells = [cell for cell in every if cell.part in arguments.only]
    lock = alone(arguments.out)
    if lock is None:
        print(f"another run is measuring into {arguments.out}", file=sys.stderr)
        return 1
    store = Store(arguments.out / "results.json", {"machine": here, "runner": rtmc.runner_hash})
    if store.set_aside:
        print(store.set_aside, file=sys.stderr)
    with work_folder(arguments.out) as work:
        bench = measure.Bench(rtmc, peers, Networks(work / "networks"), store, work)
        if any(store.get(cell.key) and measure.of_another_rtmc(bench, cell, store.get(cell.key)) for cell in cells):
            print("rtmc has changed: looking which cells have other code now", file=sys.stderr)
        todo = [cell for cell in cells if not measure.fresh(bench, cell, store.get(cell.key))]
        if len(todo) < len(cells):
            print(f"{len(cells) - len(todo)} of {len(cells)} cells are kept from an earlier run", file=sys.stderr)
        if todo:
            store.begin({"date": datetime.date.today().isoformat(), "form": settings.name, "state": now, "cells_to_measure": len(todo),
                         "python": sys.version.split()[0],
                         "environment": {name: environment.get(name) for name in ("wheels", "missing")}})
        failed, interrupted = measure_all(bench, cells, {cell.key for cell in todo})
    facts = {"machine": here, "state": state_of(store, now), "settings": settings, "left_out": left_out, "failed": failed,
             "interrupted": interrupted, "rtmc_missing": rtmc.missing, "peers_missing": peers.missing, "command": options.shown(arguments)}
    for path in report.write(arguments.out, store, every, facts):
        print(path)
    for title, why in failed.items():
        print(f"not measured: {title}: {why}", file=sys.stderr)
    if interrupted:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        return 130
    return 2 if failed else 0


def measure_all(bench, cells: list, todo: set[str]) -> tuple[dict[str, str], bool]:
    """`todo`: keys of the cells that are not fresh. -> what could not be measured and why, and whether it was interrupted. Each cell is on
    the disk before the next begins."""
    from harness.measure import fresh, measure
    from harness.processes import Failed
    from harness.progress import Progress
    failed: dict[str, str] = {}
    progress = Progress(len(todo))
    bench.say = progress.say
    try:
        for cell in cells:
            if stop.asked:  # C code that calls Python, such as the import of a module, may lose an exception
                raise KeyboardInterrupt
            # Asked again: what was measured just now may have made it old.
            if cell.key not in todo and fresh(bench, cell, bench.store.get(cell.key)):
                continue
            progress.cell(cell.title)
            begin = time.monotonic()
            try:
                result = measure(bench, cell)
            except (Failed, OSError) as problem:
                failed[cell.title] = str(problem)
                continue
            bench.store.put(cell.key, result | {"seconds": round(time.monotonic() - begin, 1)})
    except KeyboardInterrupt:
        return failed, True
    finally:
        progress.end()
    return failed, False


def alone(out: pathlib.Path):
    """-> the open lock file, to be kept, or None: two runs at once would spoil each other's times and results."""
    out.mkdir(parents=True, exist_ok=True)
    lock = open(out / ".lock", "w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock


@contextlib.contextmanager
def work_folder(out: pathlib.Path):
    """Emptied first: a run that was killed left its own behind."""
    work = out / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def stop(number, frame):
    stop.asked = True
    raise KeyboardInterrupt


stop.asked = False


def state_of(store, now: dict) -> dict:
    """Of the machine when the results were measured; the load is the largest of the runs that they are from."""
    states = [run["state"] for run in store.data["runs"]] or [now]
    return states[-1] | {"load": max(state["load"] for state in states)}


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as problem:  # of the folder of the results; what is in results.json stays
        print(f"bench.sh: {problem.strerror or problem}{f': {problem.filename}' if problem.filename else ''}", file=sys.stderr)
        sys.exit(2)
