"""The commands of main.py."""
from __future__ import annotations

import argparse
import fcntl
import fnmatch
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy

from . import corpus, dataset, plan, timit
from .run import Run, complete

KNOWN_ERRORS = (RuntimeError, OSError)


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def run(options: argparse.Namespace) -> int:
    if options.command == "prepare":
        prepare(options)
    elif options.command == "train":
        prepare(options)
        return train(options)
    elif options.command == "one":
        one(options)
    elif options.command == "export":
        from .finished import export
        for run in chosen(options.runs):
            say(export(folder_of(options, run.name), options.model / run.name))
    elif options.command == "ship":
        from .shipping import ship
        names = dict(word.partition("=")[::2] for word in options.runs)
        if not names or not all(names.values()):
            raise RuntimeError("ship needs RUN=NAME for each network, as bsp10-s0=phones10")
        ship(options, names, options.model, say)
    else:
        from . import judgement
        prepare(options)
        judgement.evaluate(options, say)
        if options.command == "report":
            from . import report
            report.write(options, say)
    return 0


def utterances(options: argparse.Namespace) -> dict[str, list[corpus.Utterance]]:
    folder = options.data / "speechocean762"
    train_part, development = corpus.split(corpus.speechocean(folder, "train"))
    parts = {"train": train_part, "development": development, "test": corpus.speechocean(folder, "test")}
    if has_timit(options):
        parts["timit"] = timit.sample(options.data / "timit_sample")
    return parts


def has_timit(options: argparse.Namespace) -> bool:
    return (options.data / "timit_sample").exists()


def features(options: argparse.Namespace) -> Path:
    return options.out / "features"


def folders() -> argparse.Namespace:
    """`data`, `out` and `kept` where nothing else is said: $PHONES_DATA, $PHONES_OUT, or of this checkout."""
    root = Path(__file__).resolve().parents[4]
    return argparse.Namespace(data=Path(os.environ.get("PHONES_DATA", root.parent / "shared" / "data")),
                              out=Path(os.environ.get("PHONES_OUT", root / "build" / "phones")),
                              kept=root / "docs" / "results" / "phones" / "scores")


def prepare(options: argparse.Namespace) -> None:
    timit_part = ["timit"] if has_timit(options) else []
    wanted = ["development", "test", *timit_part, *(dataset.variant_path(Path(), v).stem for v in dataset.variants())]
    if all((features(options) / f"{name}.npz").exists() for name in wanted):
        return
    from . import preparation
    preparation.prepare(utterances(options), features(options), say)


def chosen(patterns: list[str]) -> list[Run]:
    every = plan.runs() + plan.trials()
    if not patterns:
        return plan.runs()
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(r.name, pattern) for r in every):
            raise RuntimeError(f"no run is called '{pattern}'; there are {', '.join(r.name for r in every)}")
    return [r for r in every if any(fnmatch.fnmatchcase(r.name, p) for p in patterns)]


def folder_of(options: argparse.Namespace, name: str) -> Path:
    return options.out / "runs" / name


def finished(options: argparse.Namespace, run: Run) -> bool:
    """Ended, with the values that the plan has now."""
    folder = folder_of(options, run.name)
    if not (folder / "final.pt").exists():
        return False
    was, now = complete(json.loads((folder / "run.json").read_text(encoding="utf-8"))), run.as_json()
    changed = sorted(key for key in was.keys() | now.keys() if was.get(key) != now.get(key))
    if changed:
        raise RuntimeError(f"{folder} is a finished run with another {' and '.join(changed)} than the plan has; "
                           f"remove the folder to train it anew, or give one of the two another name")
    return True


def train(options: argparse.Namespace) -> int:
    """Runs in the plan's order, `workers` at once; each in a process of its own, since a run's threads are a process' own."""
    by_name = {r.name: r for r in chosen(["*"])}
    waiting = [r for r in chosen(options.runs) if not finished(options, r)]
    going: dict[str, subprocess.Popen] = {}
    failed: list[str] = []
    # Large tensors come and go in every step: without the last three a tenth of the time is the kernel's, which clears their pages.
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads), "MKL_NUM_THREADS": str(options.threads),
                   "THP_MEM_ALLOC_ENABLE": "1", "MALLOC_MMAP_THRESHOLD_": str(1 << 31), "MALLOC_TRIM_THRESHOLD_": str(1 << 33)}
    try:
        while waiting or going:
            ready = [r for r in waiting if all(finished(options, by_name[name]) for name in r.needs)]
            while ready and len(going) < options.workers:
                r = ready.pop(0)
                waiting.remove(r)
                command = [sys.executable, "-B", sys.argv[0], "one", r.name, "--data", options.data, "--out", options.out, "--threads",
                           str(options.threads)]
                going[r.name] = subprocess.Popen(list(map(str, command)), env=environment)
            if not going:
                break
            time.sleep(1)
            for name, process in list(going.items()):
                if process.poll() is not None:
                    del going[name]
                    if process.returncode != 0:
                        failed.append(name)
                        say(f"{name} failed (exit status {process.returncode})")
    finally:
        for process in going.values():
            process.terminate()
    for r in waiting:
        say(f"{r.name} was not begun: {' or '.join(r.needs)} is not finished")
    return 1 if failed or waiting else 0


def one(options: argparse.Namespace) -> None:
    import torch

    from .realignment import realigned
    from .training import Training
    (found,) = chosen(options.runs)
    folder = folder_of(options, found.name)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(f"{folder} is being trained by another process") from None
        torch.set_num_threads(options.threads)
        development = dataset.load(features(options) / "development.npz")
        parent = None if found.parent is None else folder_of(options, found.parent)
        variants = dataset.load_variants(features(options))
        if found.aligner is not None:
            variants = realigned(variants, corpus.speechocean(options.data / "speechocean762", "train"), folder_of(options, found.aligner))
        Training(found, folder, variants, development, parent, say).go_on()


def rows_of_test(options: argparse.Namespace) -> list[dict[str, str]]:
    return [row for _, row in corpus.rows(options.data / "speechocean762" / "test.tsv", ("utterance", "text"))]


def references(parts: dict[str, list[corpus.Utterance]], name: str, part: dataset.Part) -> list[list[int]]:
    by_name = {u.name: u for u in parts[name]}
    return [by_name[n].reference for n in part.names]


def labels_of_training(options: argparse.Namespace) -> numpy.ndarray:
    return dataset.load(dataset.variant_path(features(options), ("1", 0))).labels
