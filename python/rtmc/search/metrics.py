"""What candidates are judged by besides their time: the user's evaluation, or without one a figure that is named as what it is."""
import math
import os
import pathlib
import tempfile
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

import numpy

from ..build import CompileError
from ..model import compile as compile_model
from . import functions
from .errors import SearchError
from .store import digest_of

Figures = Dict[str, Any]


class Failed(Exception):
    """This candidate has no metric; the message says why."""


class Evaluation:
    """The user's `evaluate(folder)` or `evaluate(folder, precision)`: a number, or figures by name."""

    def __init__(self, function: Callable, metric: Optional[str], lower_is_better: bool):
        self.function, self.metric, self.lower_is_better = function, metric, lower_is_better
        self.per_precision = functions.takes(function, "precision")
        source = functions.fingerprint(function)
        self.key = {"evaluation": source, "metric": metric}
        self.what = f"{functions.name_of(function)}, " + ("asked for each precision" if self.per_precision
                                                           else "asked once per model: the same for every precision")

    def prepare(self) -> None:
        pass

    def measure(self, folder: str, precision: str, record: Dict[str, Any]) -> Tuple[str, float, Figures]:
        """-> name, value, other figures."""
        given = self.function(folder, precision=precision) if self.per_precision else self.function(folder)
        if not isinstance(given, Mapping):
            return self.metric or "metric", finite(given, "evaluate returned"), {}
        name = self.metric if self.metric is not None else next(iter(given)) if len(given) == 1 else None
        if name is None or name not in given:
            names = ", ".join(map(str, given)) or "nothing"
            raise Failed(f"evaluate returned {names}; " + (f"'{name}' is not among them" if name else "--metric names the one that counts"))
        others = {str(key): plain(value) for key, value in given.items() if key != name}
        return str(name), finite(given[name], f"evaluate returned for '{name}'"), others

    def words(self, error: BaseException) -> str:
        """What went wrong in measure()."""
        return f"evaluate raised {functions.said(error, functions.source_of(self.function))}"


class OutputDifference:
    """Without labels: how far the compiled candidate's outputs are from those of the model as given, in f32."""
    per_precision, lower_is_better = True, True
    what = ("||y - y0|| / ||y0||: outputs of the compiled candidate against those of the model as given in f32, over the input file. "
            "A distance, no accuracy")

    def __init__(self, file: "str | os.PathLike[str]", model: str):
        self.model, self.inputs = model, read_input(file)
        self.reference: List[numpy.ndarray] = []
        self.scale = 0.0
        self.key = {"input": digest_of(file)}

    def prepare(self) -> None:
        """The reference's outputs; once."""
        if self.reference:
            return
        try:
            self.reference = self._outputs(self.model, "f32")
        except (CompileError, ValueError, RuntimeError) as error:
            raise SearchError(f"the model's own outputs for --input cannot be computed: {error}") from None
        self.scale = _norm(self.reference)
        if not self.scale > 0:
            raise SearchError(f"the model's own outputs for --input have the norm {self.scale}; there is nothing to compare with")

    def measure(self, folder: str, precision: str, record: Dict[str, Any]) -> Tuple[str, float, Figures]:
        found = self._outputs(folder, precision)
        distance = _norm([y - r for y, r in zip(found, self.reference)])
        return "output difference", finite(distance / self.scale, "the output difference is"), {}

    def words(self, error: BaseException) -> str:
        return str(error)

    def _outputs(self, model: str, precision: str) -> List[numpy.ndarray]:
        with tempfile.TemporaryDirectory(prefix="rtmc-search-") as cache:  # libraries of candidates are of no use later
            compiled = compile_model(model, precision=precision, cache=cache)
            outputs = []
            for sequence in self.inputs:
                if compiled.causal:
                    compiled.reset()
                outputs.append(compiled.run(sequence).astype(numpy.float64))
            compiled.close()
        return outputs


class KeptNorm:
    """Without any data: what one-shot pruning left of the weights."""
    per_precision, lower_is_better = False, False
    key: Dict[str, Any] = {"kept norm": 1}
    what = ("norm of the kept weights / norm of all weights that were pruned, as `rtmc prune` says it. No accuracy: it knows no data. "
            "--evaluate or --input measure more")

    def prepare(self) -> None:
        pass

    def measure(self, folder: str, precision: str, record: Dict[str, Any]) -> Tuple[str, float, Figures]:
        if "norm_share" not in record["model"]:
            raise Failed("the model was changed since it was pruned: what that left of its norm is not known any more")
        return "kept norm", finite(record["model"]["norm_share"], "rtmc prune says"), {}

    def words(self, error: BaseException) -> str:
        return str(error)


Metric = Union[Evaluation, OutputDifference, KeptNorm]


def metric_of(evaluate: Optional[Callable], name: Optional[str], lower_is_better: bool, input: "Union[None, str, os.PathLike[str]]",
              trained: bool, model: str) -> Metric:
    """What the options ask for; `model`: as it was given."""
    if evaluate is not None and input is not None:
        raise SearchError("--evaluate and --input are given; one of them is the metric")
    if evaluate is not None:
        return Evaluation(evaluate, name, lower_is_better)
    if name is not None or lower_is_better:
        raise SearchError("--metric and --lower-is-better say how to read --evaluate, which is not given")
    if input is not None:
        return OutputDifference(input, model)
    if trained:
        raise SearchError("--train needs --evaluate or --input: the norm that a projection keeps says nothing of trained models")
    return KeptNorm()


def read_input(file: "str | os.PathLike[str]") -> List[numpy.ndarray]:
    """[steps, inputs], or [sequences, steps, inputs]."""
    if not pathlib.Path(file).is_file():
        raise SearchError(f"--input: there is no file '{file}'")
    try:
        x = numpy.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise SearchError(f"--input: '{file}' is no .npy file of numbers: {error}") from None
    if not isinstance(x, numpy.ndarray) or x.dtype.kind not in "fiu" or x.ndim not in (2, 3) or 0 in x.shape:
        found = f"{x.dtype} {list(x.shape)}" if isinstance(x, numpy.ndarray) else "an archive"
        raise SearchError(f"--input: '{file}' holds {found}; numbers [steps, inputs] or [sequences, steps, inputs] are needed")
    if not numpy.isfinite(x).all():
        raise SearchError(f"--input: '{file}' holds NaN or infinite values")
    return list(x) if x.ndim == 3 else [x]


def finite(value: Any, what: str) -> float:
    """A number, also of numpy or PyTorch."""
    if isinstance(value, (str, bytes, bool)) or value is None:
        raise Failed(f"{what} {value!r}; a number is needed")
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise Failed(f"{what} a {type(value).__name__}; a number is needed") from None
    if not math.isfinite(number):
        raise Failed(f"{what} {number}; a finite number is needed")
    return number


def plain(value: Any) -> Any:
    """For JSON."""
    try:
        return finite(value, "")
    except Failed:
        return str(value)


def _norm(arrays: List[numpy.ndarray]) -> float:
    return math.sqrt(sum(float(numpy.vdot(a, a)) for a in arrays))
