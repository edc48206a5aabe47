"""The experiment: which runs, from which, in the order in which they are worth most. What a session cannot reach stays missing, and the
report says so. Rates are those that RTMobile's Table I reports; its column rates are kept and the row rate is reported / column (the
products of its two columns are not the rates that it reports)."""
from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

from .run import Run

DENSE_EPOCHS = 16
BLOCK = (64, 256)  # of BSP: 64 rows of a gate share their columns
# By trials() on the development speakers: pruning gradually beats ADMM and one shot, a longer ramp a shorter one. These are somewhat longer
# than what was tried, for a network of twice the units. From dense:
FIRST = {"method": "gradual", "ramp_epochs": 8, "retrain_epochs": [10]}
NEXT = {"method": "gradual", "ramp_epochs": 2, "retrain_epochs": [6]}  # from the rate before
ADMM = {"rho": [1e-4, 3e-4, 1e-3], "epochs_per_rho": 2, "extra_epochs": 0, "retrain_epochs": [12]}  # RTMobile's way, as a check
ONE_SHOT = {"method": "one_shot", "retrain_epochs": [18]}
FURTHER = 18  # epochs of a pruned network after its dense parent's
PRUNED = {"peak": 1.5e-3, "dropout": 0.15}


def bsp(column: int, row: Fraction, schedule: dict[str, Any], block: tuple[int, int] = BLOCK) -> dict[str, Any]:
    """`block`: of all matrices but the first, whose blocks are as wide as its 120 columns allow."""
    retrain = schedule["retrain_epochs"]
    return {"scheme": "bsp", "column_rate": column, "row_rate": str(row), **schedule,
            "retrain_epochs": retrain if row == 1 else [0, *retrain],
            "tensors": [{"match": "gru.weight_ih_l0", "block": [block[0], min(block[1], 120)]}, {"match": "gru", "block": list(block)}]}


def one(scheme: str, rate: int, schedule: dict[str, Any], block: tuple[int, int] | None = None) -> dict[str, Any]:
    """A scheme with one rate for every matrix."""
    out = {"scheme": scheme, "rate": rate, **schedule}
    if block is not None:
        out["block"] = list(block)
    return out


def pruned(name: str, parent: str, seed: int, rate: int, config: dict[str, Any], table: str, **others: Any) -> Run:
    return Run(f"{name}-s{seed}", seed, f"{parent}-s{seed}", pruning=config, rate=rate, table=table, epochs=0, **{**PRUNED, **others})


def runs() -> list[Run]:
    def dense(seed: int) -> Run:
        return Run(f"dense-s{seed}", seed, epochs=DENSE_EPOCHS, table="dense")

    def bsp_first(column: int, seed: int = 0) -> Run:
        name = f"bsp{column}" if column == 10 else f"bsp-columns{column}"
        return pruned(name, "dense", seed, column, bsp(column, Fraction(1), FIRST), "bsp")

    def bsp_next(rate: int, parent: str, column: int, seed: int = 0) -> Run:
        return pruned(f"bsp{rate}", parent, seed, rate, bsp(column, Fraction(rate, column), NEXT), "bsp")

    def chain(scheme: str, seed: int = 0, block: tuple[int, int] | None = None) -> list[Run]:
        return [pruned(f"{scheme}10", "dense", seed, 10, one(scheme, 10, FIRST, block), scheme),
                pruned(f"{scheme}29", f"{scheme}10", seed, 29, one(scheme, 29, NEXT, block), scheme)]

    # A pruned network has had the updates of its parents, too: a dense one gets as many, and so do smaller ones.
    smaller = [Run(f"small{units}-s0", 0, units=units, epochs=DENSE_EPOCHS + FURTHER, peak=2e-3, dropout=0.15, table="smaller", rate=rate)
               for units, rate in ((311, 10), (175, 29))]
    return [
        dense(0), bsp_first(10), bsp_first(16), bsp_next(19, "bsp-columns16", 16), bsp_next(29, "bsp19", 16), *smaller,
        bsp_next(43, "bsp29", 16), bsp_next(103, "bsp43", 16),
        *chain("csb", block=(64, 64)), chain("unstructured")[0],
        pruned("bsp10-admm", "dense", 0, 10, bsp(10, Fraction(1), ADMM), "bsp, ADMM"), Run("dense-longer-s0", 0, "dense-s0", epochs=FURTHER, table="dense", **PRUNED),
        bsp_first(20), bsp_next(80, "bsp-columns20", 20), bsp_next(153, "bsp80", 20), bsp_next(245, "bsp153", 20), bsp_next(301, "bsp245", 20),
        chain("unstructured")[1], dense(1), bsp_first(10, 1), chain("unstructured", 1)[0],
        *chain("bank", block=(1, 120)),
        Run("dense-reset-before-s0", 0, cell="gru_reset_before", epochs=DENSE_EPOCHS, table="reset before"),
        pruned("bsp10-reset-before", "dense-reset-before", 0, 10, bsp(10, Fraction(1), FIRST), "reset before", cell="gru_reset_before"),
        dense(2), bsp_first(10, 2), chain("unstructured", 2)[0],
        *chain("row_column"),
        pruned("bcr10", "dense", 0, 10, one("bcr", 10, ONE_SHOT, (64, 64)), "bcr"),
        pruned("block10", "dense", 0, 10, one("block", 10, ONE_SHOT, (8, 4)), "block"),
        # Small enough to be compiled in every test.
        Run("tiny-s0", 0, units=96, epochs=DENSE_EPOCHS, peak=3e-3, table="tiny"),
        pruned("tiny-bsp4", "tiny", 0, 4, bsp(4, Fraction(1), FIRST, (16, 32)), "tiny", units=96),
    ]


def trials() -> list[Run]:
    """How the recipes were found: half the units and six epochs, then those pruned at 10x, judged on the development speakers alone."""
    base = Run("trial-base", 0, units=512, epochs=6, peak=1e-3, window=48, masks=2, table="trial")
    changes = {"whole": {"window": 10000}, "peak2": {"peak": 2e-3}, "window24": {"window": 24, "peak": 2e-3},
               "masks1": {"masks": 1, "peak": 2e-3}, "smoothing0": {"smoothing": 0.0, "peak": 2e-3}, "dropout1": {"dropout": 0.1, "peak": 2e-3},
               **{name: {"masks": 1, "peak": 2e-3, **values} for name, values in (
                   ("dropout5", {"dropout": 0.5}), ("decay1", {"weight_decay": 0.1}), ("realigned", {"aligner": "trial-masks1"}))}}
    dense = [base, *(dataclasses.replace(base, name=f"trial-{name}", **values) for name, values in changes.items())]

    def pruning(name: str, schedule: dict[str, Any], peak: float = 1.5e-3, **others: Any) -> Run:
        return Run(f"trial-prune-{name}", 0, "trial-masks1", units=512, peak=peak, rate=10, table="trial",
                   pruning=bsp(10, Fraction(1), schedule), **others)

    fast = {"rho": [1e-3, 1e-2, 1e-1], "epochs_per_rho": 2, "extra_epochs": 2, "retrain_epochs": [7]}
    slow = {**fast, "rho": [1e-4, 3e-4, 1e-3]}
    short = {**slow, "epochs_per_rho": 1, "extra_epochs": 0, "retrain_epochs": [12]}
    one_shot = {"method": "one_shot", "retrain_epochs": [13]}
    gradual = {"method": "gradual", "ramp_epochs": 6, "retrain_epochs": [7]}
    first = Run("trial-bsp10-first-s0", 0, "dense-s0", peak=5e-4, rate=10, table="trial", pruning=bsp(10, Fraction(1), fast))
    return [*dense,
            pruning("base", fast, 5e-4), pruning("peak", fast), pruning("slow", slow, 5e-4), pruning("slow-peak", slow),
            pruning("slow-dropout", slow, dropout=0.15), pruning("short", short), pruning("short-dropout", short, dropout=0.15),
            pruning("one-shot", one_shot), pruning("one-shot-dropout", one_shot, dropout=0.15),
            pruning("gradual", gradual), pruning("gradual-dropout", gradual, dropout=0.15),
            pruning("gradual-short", {**gradual, "ramp_epochs": 3, "retrain_epochs": [10]}, dropout=0.15), first,
            Run("trial-bsp10-further-s0", 0, first.name, peak=1.5e-3, dropout=0.15, rate=10, table="trial",
                pruning=bsp(10, Fraction(1), {"method": "one_shot", "retrain_epochs": [8]}))]
