"""The sweep: every candidate's model and metric, one after the other, then the time of all of them in turns. docs/block_search.md says what
it means; store.py keeps it on the disk."""
import datetime
import functools
import logging
import os
import pathlib
import time
import traceback
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Union

from ..build import CompileError, find_rtmc
from . import functions, machine, report, results
from .candidates import Candidate, candidates, listed, precisions_of
from .errors import SearchError, in_short
from .metrics import Failed, Metric, metric_of
from .models import Rtmc, Timing, cut_blocks, facts_of
from .store import DENSE, Store, changes, digest_of, key_of

AGAIN = ("models", "metrics", "times")
log = logging.getLogger("rtmc.search")
Path = Union[str, "os.PathLike[str]"]


def sweep(model: Path, folder: Path, *, blocks: Union[str, Iterable[Any]], rates: Union[str, Iterable[Any]], scheme: str = "bsp",
          precisions: Union[str, Sequence[str]] = ("f32",), evaluate: Optional[Callable] = None, metric: Optional[str] = None,
          lower_is_better: bool = False, input: Optional[Path] = None, train: Optional[Callable] = None, clip: bool = False,
          prune_options: Sequence[str] = (), rounds: int = 6, threads: int = 1, steps_per_call: Optional[int] = None, quick: bool = False,
          again: Optional[str] = None, say: Callable[[str], Any] = log.info) -> Dict[str, Any]:
    """Prunes `model` (a model.yaml or its folder) with every block at every rate, measures a metric and the time of a step of each, and
    writes results.json, results.md and pareto.svg into `folder`. Returns what results.json holds. Called again it goes on.

    blocks, rates   "16x64" or (16, 64); 10, "29/10", or "16x1.25" and (16, 1.25): column rate x row rate.
    precisions      how weights are stored: f32, f16, bf16; each makes a row of its own.
    evaluate        evaluate(folder) or evaluate(folder, precision): the metric of the model in `folder`, a number or figures by name, of
                    which `metric` is the one that counts; `lower_is_better`: as an error rate.
    input           without evaluate: a .npy of inputs, for the difference of outputs. Neither: the norm that pruning kept.
    train           train(candidate, folder): exports the trained candidate into `folder`, or returns where it is. Otherwise `rtmc prune`.
    clip            cut blocks to gates that are smaller; otherwise such candidates fail.
    prune_options   more options of `rtmc prune` for every candidate, such as ["--layer", "gru*"].
    rounds          times that every row is timed; threads, steps_per_call, quick: as of `rtmc bench`.
    again           "times", "metrics" or "models": measure or make these anew, and what depends on them.
    """
    chosen = candidates(scheme, listed(blocks), listed(rates))
    names = precisions_of(listed(precisions))
    for option, function in (("evaluate", evaluate), ("train", train)):
        if function is not None and not callable(function):
            raise SearchError(f"{option} is {function!r}; a function is needed")
    for option, value, least in (("rounds", rounds, 1), ("threads", threads, 1), ("steps-per-call", steps_per_call or 1, 1)):
        if not isinstance(value, int) or value < least:
            raise SearchError(f"--{option} is {value}; a whole number from {least} on is needed")
    if again is not None and again not in AGAIN:
        raise SearchError(f"--again: '{again}' is none of {', '.join(AGAIN)}")
    path = _model_file(model)
    measure = metric_of(evaluate, metric, lower_is_better, input, train is not None, str(path))
    if train is not None and (clip or prune_options):
        raise SearchError("--train prunes itself: --clip and options of rtmc prune have no meaning there")
    rtmc = Rtmc(find_rtmc(), prune_options)
    programs = machine.programs(rtmc.program)
    try:
        look = rtmc.look(str(path))
    except CompileError as error:
        raise SearchError(f"the model '{model}' cannot be used: {error}") from None
    if not look["matrices"]:
        raise SearchError(f"the model '{model}' has no matrix to prune")
    identity = {"model": {pathlib.Path(file).name: digest_of(file) for file in look["inputs"]}, "scheme": scheme,
                "pruning": "trained" if train else "one shot", "clip": clip, "options of rtmc prune": " ".join(prune_options)}
    store = Store(pathlib.Path(folder).resolve(), identity, again == "models")
    try:
        run = _Sweep(store, rtmc, path, chosen, names, measure, train, clip, Timing(threads, steps_per_call, quick), rounds, programs, look,
                     say)
        run.begin(again)
        run.models_and_metrics()
        run.times()
        found = run.report()
    finally:
        store.close()
    return found


def _model_file(model: Path) -> pathlib.Path:
    path = pathlib.Path(model)
    path = path / "model.yaml" if path.is_dir() else path
    if not path.is_file():
        raise SearchError(f"there is no model '{path}'")
    return path.resolve()


class _Sweep:
    """One call of sweep()."""

    def __init__(self, store: Store, rtmc: Rtmc, model: pathlib.Path, chosen: List[Candidate], precisions: List[str],
                 metric: Metric, train: Optional[Callable], clip: bool, timing: Timing, rounds: int,
                 programs: Dict[str, str], look: Dict[str, Any], say: Callable[[str], Any]):
        self.store, self.rtmc, self.model, self.chosen, self.precisions = store, rtmc, model, chosen, precisions
        self.metric, self.train, self.clip, self.timing, self.rounds = metric, train, clip, timing, rounds
        self.programs, self.look, self.say = programs, look, say
        self.trained_by = functions.fingerprint(train) if train else ""
        self.records: Dict[str, Dict[str, Any]] = {id: store.record(id) for id in (DENSE, *(c.id for c in chosen))}

    def begin(self, again: Optional[str]) -> None:
        """Says what has changed since the last call, and what that costs."""
        sweep = self.store.sweep
        counts = sweep.setdefault("again", {"metrics": 0, "times": 0})
        if again in counts:
            counts[again] += 1
        # Metrics may come from compiled models, so a new rtmc makes them anew.
        key = {**self.metric.key, "rtmc": self.programs["rtmc_hash"], "again": counts["metrics"]}
        self._changed("metrics", sweep.get("metric_key"), key)
        self.metric_key = sweep["metric_key"] = key
        if self.train and sweep.get("trained_by", self.trained_by) != self.trained_by:
            self.say("the training function was changed since some models were trained; they stay (--again models trains all anew)")
        sweep["trained_by"] = self.trained_by
        sweep["runs"].append({"at": datetime.datetime.now().astimezone().isoformat(timespec="seconds"), "load": machine.load(),
                              **self.programs, "machine": machine.machine()})
        self.store.save()

    def _changed(self, what: str, old: Optional[Dict[str, Any]], new: Dict[str, Any]) -> None:
        if old is not None and old != new:
            self.say(f"{what} are measured again: {'; '.join(changes(old, new))}")

    def models_and_metrics(self) -> None:
        self._model(DENSE, self._copy)
        self._metrics(DENSE, "the model as given")
        for place, candidate in enumerate(self.chosen):
            words = f"[{place + 1}/{len(self.chosen)}] {candidate.label}"
            self._model(candidate.id, functools.partial(self._make, candidate), words)
            self._metrics(candidate.id, words)

    def _save(self, id: str) -> None:
        self.store.save_record(id, self.records[id])

    def _model(self, id: str, make: Callable[[], Dict[str, Any]], words: str = "the model as given") -> None:
        """The record's "model": what was made, or is there already."""
        record, folder = self.records[id], self.store.model_folder(id)
        old = record.get("model")
        if old and not old["error"]:
            digest = digest_of(*(folder / file for file in old["files"]))
            if digest == old["digest"]:
                return
            if digest:
                self.say(f"{words}: the model was changed since it was made; it is taken as it is")
                try:
                    record["model"] = {**old, **self._seen(folder / old["path"], folder)}
                    record["model"].pop("norm_share", None)
                except CompileError as error:
                    record["model"] = {**old, "error": str(error)}
                    self.say(f"{words}: FAILED: {in_short(str(error))}")
                self._save(id)
                return
            self.say(f"{words}: the model is gone; it is made again")
        begin = time.monotonic()
        entry: Dict[str, Any] = {"path": "model.yaml", "files": [], "digest": "", "error": "", "traceback": "",
                                 "trained_by": self.trained_by}
        folder.mkdir(parents=True, exist_ok=True)
        try:
            entry.update(make())
        except (CompileError, Failed) as error:
            entry["error"] = str(error)
        except (KeyboardInterrupt, SearchError):
            raise
        except BaseException as error:  # SystemExit too, of the user's training
            if self.train is None or id == DENSE:
                raise
            entry.update(error=f"train raised {functions.said(error, functions.source_of(self.train))}", traceback=traceback.format_exc())
        entry["seconds"] = round(time.monotonic() - begin, 2)
        record["model"] = entry
        self._save(id)
        self.say(f"{words}: FAILED: {in_short(entry['error'])}" if entry["error"] else f"{words}: {entry['rate']:.2f}x realised"
                 if id != DENSE else f"{words}: {entry['network_weights']} weights")

    def _copy(self) -> Dict[str, Any]:
        folder = self.store.model_folder(DENSE)
        return self._written(self.rtmc.copy(str(self.model), folder), folder)

    def _written(self, told: Dict[str, Any], folder: pathlib.Path) -> Dict[str, Any]:
        files = [os.path.relpath(file, folder) for file in told["outputs"]]
        return {**facts_of(told, False), "files": files, "digest": digest_of(*(folder / file for file in files))}

    def _seen(self, path: pathlib.Path, folder: pathlib.Path) -> Dict[str, Any]:
        """Of a model that rtmc prune did not write."""
        told = self.rtmc.look(str(path))
        files = [os.path.relpath(file, folder) for file in told["inputs"]]
        return {**facts_of(told, True), "path": os.path.relpath(path, folder), "files": files,
                "digest": digest_of(*(folder / file for file in files))}

    def _make(self, candidate: Candidate) -> Dict[str, Any]:
        folder = self.store.model_folder(candidate.id)
        cut = cut_blocks(candidate, self.look["matrices"])
        if self.train is None:
            try:
                return {**self._written(self.rtmc.prune(str(self.model), candidate, folder, cut if self.clip else []), folder),
                        "cut": [list(word.partition("=")[::2]) for word in cut[1::2]] if self.clip else []}
            except CompileError as error:
                if not cut or self.clip:
                    raise
                raise Failed(f"the block is larger than a gate, to which --clip would cut it: {in_short(str(error))}") from None
        returned = self.train(candidate, str(folder))
        path = pathlib.Path(folder if returned is None else returned).resolve()
        path = path / "model.yaml" if path.is_dir() else path
        if not path.is_file():
            raise Failed(f"train left no model: there is no file '{path}'")
        return self._seen(path, folder)

    def _metrics(self, id: str, words: str) -> None:
        record = self.records[id]
        if record["model"]["error"]:
            return
        model = (self.store.model_folder(id) / record["model"]["path"]).resolve()
        folder = str(model.parent if model.name == "model.yaml" else model)
        key = key_of({**self.metric_key, "model": record["model"]["digest"]})
        entries = record.setdefault("metrics", {})
        for slot in self.precisions if self.metric.per_precision else ["any"]:
            old = entries.get(slot)
            if old and old["key"] == key and not old["error"]:
                continue
            begin = time.monotonic()
            entry: Dict[str, Any] = {"key": key, "error": "", "traceback": ""}
            self.metric.prepare()
            try:
                entry["name"], entry["value"], entry["figures"] = self.metric.measure(folder, slot, record)
            except Failed as error:
                entry["error"] = str(error)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # the user's; SystemExit too
                entry.update(error=self.metric.words(error), traceback=traceback.format_exc())
            entry["seconds"] = round(time.monotonic() - begin, 2)
            entries[slot] = entry
            self._save(id)
            at = "" if slot == "any" else f", {slot}"
            self.say(f"{words}{at}: " + (f"FAILED: {in_short(entry['error'])}" if entry["error"] else
                                         f"{entry['name']} {entry['value']:.6g}"))

    def times(self) -> None:
        """All rows in turns, so that what disturbs the machine disturbs all alike; another one begins each round."""
        rows = [(c, p) for c in self.chosen for p in self.precisions if not self.records[c.id]["model"]["error"]]
        chosen = self._set_of({f"{c.id} {p}": self.records[c.id]["model"]["digest"] for c, p in rows})
        for turn in range(self.rounds):
            first, done = turn % max(1, len(rows)), False
            for candidate, precision in rows[first:] + rows[:first]:
                done = self._time(candidate, precision, turn, chosen) or done
            if done:
                self.report()

    def _set_of(self, rows: Dict[str, str]) -> str:
        """Times are compared within one set: of one machine, one rtmc, and of rows that were timed in the same rounds."""
        sweep = self.store.sweep
        key = {"machine": machine.machine(), **self.programs, "options": " ".join(self.timing.words()), "threads": self.timing.threads,
               "again": sweep["again"]["times"]}
        old = sweep.get("times")
        if old and old["key"] == key and all(old["rows"].get(row) == digest for row, digest in rows.items()):
            return old["set"]
        if old and rows and any(r.get("times") for r in self.records.values()):
            self._changed("times", old["key"], key)
            if old["key"] == key:
                self.say("times are measured again: there are other models than those that were timed in the same rounds")
        sweep["times"] = {"key": key, "rows": rows, "set": key_of([key, rows])}
        self.store.save()
        return sweep["times"]["set"]

    def _time(self, candidate: Candidate, precision: str, turn: int, chosen: str) -> bool:
        """Whether something was timed."""
        record = self.records[candidate.id]
        entries = record.setdefault("times", {})
        entry = entries.get(precision)
        if not entry or entry["set"] != chosen:
            entry = entries[precision] = {"set": chosen, "samples": [], "facts": {}, "error": ""}
        if entry["error"] or len(entry["samples"]) > turn:
            return False
        words = f"round {turn + 1} of {self.rounds}: {candidate.label}, {precision}"
        try:
            told = self.rtmc.time(str(self.store.model_folder(candidate.id) / record["model"]["path"]), precision, self.timing)
            entry["facts"] = told["facts"]
            entry["samples"].append({"round": turn, **told["sample"]})
            sample = told["sample"]
            self.say(f"{words}: {sample['step_us_min']:.3g} us per step, dense {sample['dense_step_us_min']:.3g} us")
        except (CompileError, ValueError, KeyError) as error:
            entry["error"] = str(error) or type(error).__name__
            self.say(f"{words}: FAILED: {in_short(entry['error'])}")
        self._save(candidate.id)
        return True

    def report(self) -> Dict[str, Any]:
        found = results.of(self.store.sweep, self.records, self.chosen, self.precisions, self.metric, self.model.name)
        return report.write(self.store.folder, found)
