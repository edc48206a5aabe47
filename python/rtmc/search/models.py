"""The program rtmc as the sweep uses it: what a model is, pruning it, timing it."""
import datetime
import json
import math
import pathlib
import tempfile
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence

from ..build import run
from . import machine
from .candidates import Candidate
from .errors import SearchError

# Of `rtmc bench`: what does not change from one call to the next.
_FACTS = ("nonzeros", "weight_bytes", "index_bytes", "csr_bytes", "code_bytes", "threads_used", "steps_per_call", "placement", "cpu",
          "target")


@dataclass(frozen=True)
class Timing:
    """How steps are timed; the options of `rtmc bench`."""
    threads: int = 1
    steps_per_call: Optional[int] = None
    quick: bool = False

    def words(self) -> List[str]:
        return ["--threads", str(self.threads), *(["--steps-per-call", str(self.steps_per_call)] if self.steps_per_call else []),
                *(["--quick"] if self.quick else [])]


class Rtmc:
    """`program`, with the options of `rtmc prune` that the user adds for every candidate."""

    def __init__(self, program: str, prune_options: Sequence[str] = ()):
        self.program, self.prune_options = program, list(prune_options)
        for word in self.prune_options:
            if word.partition("=")[0] in ("-o", "--output", "--json", "--help", "-h", "--version"):
                raise SearchError(f"the option '{word}' of rtmc prune belongs to the sweep; the others may follow --")

    def _json(self, *words: str) -> Dict[str, Any]:
        text = run([self.program, *words, "--json", "-q"])
        try:
            return json.loads(text)
        except ValueError:
            raise SearchError(f"{self.program} {words[0]} printed no JSON; is it the program rtmc?") from None

    def copy(self, model: str, folder: "pathlib.Path | str") -> Dict[str, Any]:
        """The model as it is, in the form that pruned ones have; the report of `rtmc prune`. Matrices are those that a sweep prunes."""
        return self._json("prune", model, "--scheme", "unstructured", "--rate", "1", *self._chosen(),
                          "-o", str(pathlib.Path(folder, "model.yaml")))

    def look(self, model: str) -> Dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="rtmc-search-") as folder:
            return self.copy(model, folder)

    def prune(self, model: str, candidate: Candidate, folder: pathlib.Path, cut: Sequence[str]) -> Dict[str, Any]:
        """`cut`: blocks of single matrices, before what the user says of them."""
        return self._json("prune", model, *candidate.prune_words(), *cut, *self.prune_options, "-o", str(folder / "model.yaml"))

    def _chosen(self) -> List[str]:
        """Those of the user's options that say what is pruned, not how."""
        words, chosen = iter(self.prune_options), []
        for word in words:
            if word == "--layer":
                chosen += [word, next(words, "")]
            elif word == "--linear" or word.startswith("--layer="):
                chosen.append(word)
        return chosen

    def time(self, model: str, precision: str, timing: Timing) -> Dict[str, Any]:
        """One sample: the candidate and its dense form in turns, in one run. -> {"facts", "sample"}."""
        report = self._json("bench", model, "--precision", precision, "--against", "dense", *timing.words())
        sample: Dict[str, Any] = {"at": datetime.datetime.now().astimezone().isoformat(timespec="seconds"), "load": machine.load(),
                                  "roofline_share": report["roofline_share"]}
        for prefix, part in (("", report), ("dense_", report["dense"])):
            least, middle = part["step_us_min"], part["step_us_median"]
            if not 0 < least <= middle < math.inf:
                raise ValueError(f"rtmc bench says {least} us per step at best and {middle} us median")
            sample |= {f"{prefix}step_us_min": least, f"{prefix}step_us_median": middle}
        return {"facts": {name: report[name] for name in _FACTS if name in report}, "sample": sample}


def cut_blocks(candidate: Candidate, matrices: Sequence[Dict[str, Any]]) -> List[str]:
    """Options that cut the block to every gate that is smaller than it."""
    words = []
    for matrix in matrices:
        rows, columns = min(candidate.block[0], matrix["rows"]), min(candidate.block[1], matrix["columns"])
        if (rows, columns) != candidate.block:
            words += ["--block", f"{matrix['name']}={rows}x{columns}"]
    return words


def facts_of(report: Dict[str, Any], trained: bool) -> Dict[str, Any]:
    """Of a report of `rtmc prune`, or for a model that was pruned before of `copy`."""
    facts = {name: report[name] for name in ("weights", "kept", "rate", "network_weights", "network_kept", "network_rate")}
    return facts if trained else {**facts, "norm_share": report["norm_share"]}
