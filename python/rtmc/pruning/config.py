"""The configuration: a dict or a YAML file -> what happens to which weight, and when. Everything is checked here, before training.

Keys: `scheme rate column_rate row_rate block bounded` (the structure, see projections.py); `tensors`, a list of
{match: pattern or patterns, keys of the structure}, of which the first that matches a weight decides; and the schedule below.
"""
import dataclasses
import fnmatch
import os
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Union

from .errors import ConfigError, nearest
from .projections import Projection, Rate, exact_rate
from .tensors import Target, canonical, check_parameter

STRUCTURE_KEYS = ("scheme", "rate", "column_rate", "row_rate", "block", "bounded")
METHODS = ("admm", "gradual", "one_shot")
Source = Union[None, str, "os.PathLike[str]", Mapping[str, Any]]


@dataclass(frozen=True)
class Schedule:
    """When what happens. Epochs are calls of Pruner.epoch_end()."""
    method: str = "admm"
    rho: Tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1)  # admm: the penalty's weight, one value after the other
    epochs_per_rho: int = 3
    update_steps: int = 0      # admm: Z and U are updated every so many optimiser steps; 0: at the end of each epoch
    tolerance: float = 0.05    # admm: a stage goes on until ||W - Z|| / ||W|| of every weight is at most this ...
    extra_epochs: int = 10     # ... but at most so many epochs longer
    divergence: float = 10.0   # admm: ||W|| or ||W - Z|| above so many times ||W|| at the stage's start stops the run
    ramp_epochs: int = 10      # gradual: epochs from dense to the rate, cubic as in Zhu and Gupta 2017
    retrain_epochs: Tuple[int, ...] = (5,)  # under the mask, after each step of the structure; the last one repeats

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(f"method is '{self.method}'; admm, gradual or one_shot is needed{nearest(str(self.method), METHODS)}")
        if not self.rho or any(not r > 0 or r == float("inf") for r in self.rho):
            raise ConfigError(f"rho is {list(self.rho)}; positive numbers are needed")
        if any(b < a for a, b in zip(self.rho, self.rho[1:])):
            raise ConfigError(f"rho is {list(self.rho)}; it must not fall, or weights leave the structure again")
        for key, least in (("epochs_per_rho", 1), ("update_steps", 0), ("extra_epochs", 0), ("ramp_epochs", 1)):
            value = getattr(self, key)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ConfigError(f"{key} is {value!r}; a whole number from {least} on is needed")
        if not self.retrain_epochs or any(not isinstance(n, int) or n < 0 for n in self.retrain_epochs):
            raise ConfigError(f"retrain_epochs is {list(self.retrain_epochs)}; whole numbers are needed")
        if not 0 < self.tolerance < 1:
            raise ConfigError(f"tolerance is {self.tolerance}; a number between 0 and 1 is needed")
        if not self.divergence > 1:
            raise ConfigError(f"divergence is {self.divergence}; a number above 1 is needed")

    def retrain(self, step: int) -> int:
        return self.retrain_epochs[min(step, len(self.retrain_epochs) - 1)]


@dataclass(frozen=True)
class Config:
    schedule: Schedule
    structures: Dict[str, Projection]  # by the weight's name, in the model's order
    budget: Optional[Rate] = None  # one rate for all of them together

    def as_dict(self) -> Dict[str, Any]:
        """Plain values, to be compared with a checkpoint's."""
        def plain(value: Any) -> Any:
            if isinstance(value, (tuple, list)):
                return [plain(v) for v in value]
            return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
        return {"budget": plain(self.budget), "schedule": {k: plain(v) for k, v in dataclasses.asdict(self.schedule).items()},
                "structures": {name: {k: plain(v) for k, v in dataclasses.asdict(s).items()} for name, s in self.structures.items()}}


def read_config(source: Source, targets: Mapping[str, Target], defaults: Optional[Mapping[str, Any]] = None) -> Config:
    """`source`: a dict, or the path of a YAML file. Without `tensors` every weight of a recurrent layer is pruned."""
    values = {**(defaults or {}), **_load(source)}
    schedule_keys = [field.name for field in dataclasses.fields(Schedule)]
    _known(values, [*STRUCTURE_KEYS, *schedule_keys, "tensors", "budget"], "the configuration")
    schedule = {key: values[key] for key in schedule_keys if key in values}
    for key in ("rho", "retrain_epochs"):
        if key in schedule:
            given = schedule[key]
            items = tuple(given) if isinstance(given, (list, tuple)) else (given,)
            schedule[key] = tuple(_number(v, key) for v in items) if key == "rho" else items
    for key in ("tolerance", "divergence"):
        if key in schedule:
            schedule[key] = _number(schedule[key], key)
    common = {key: values[key] for key in STRUCTURE_KEYS if key in values}
    budget = values.get("budget")
    structures = _structures(common, values.get("tensors"), targets, budget)
    if not structures:
        raise ConfigError("no weight is pruned: the model has no recurrent layer and `tensors` names no other weight, or all are dense"
                          + nearest("", targets))
    return Config(Schedule(**schedule), structures, budget)


def _load(source: Source) -> Dict[str, Any]:
    if source is None:
        return {}
    if isinstance(source, Mapping):
        return dict(source)
    try:
        import yaml
    except ImportError:
        raise ConfigError(f"{source}: reading YAML needs PyYAML (pip install PyYAML); a dict needs nothing") from None
    with open(source, encoding="utf-8") as file:
        try:
            values = yaml.safe_load(file)
        except yaml.YAMLError as error:
            raise ConfigError(f"{source}: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{source}: a map of keys and values is needed")
    return values


def _known(values: Mapping[str, Any], known: Sequence[str], what: str) -> None:
    for key in values:
        if key not in known:
            raise ConfigError(f"{what} has no key '{key}'{nearest(str(key), known)}")


def _number(value: Any, key: str) -> float:
    """YAML 1.1 reads 1e-4 as text."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{key} is {value!r}; a number is needed") from None


def _structures(common: Dict[str, Any], entries: Any, targets: Mapping[str, Target], budget: Any) -> Dict[str, Projection]:
    if entries is None:
        return {name: _structure(common, target, budget) for name, target in targets.items() if target.recurrent}
    if not isinstance(entries, (list, tuple)):
        raise ConfigError("tensors is no list; a list of {match: pattern, ...} is needed")
    own: Dict[str, Dict[str, Any]] = {}
    for entry in entries:
        if not isinstance(entry, Mapping) or "match" not in entry:
            raise ConfigError(f"an entry of tensors is {entry!r}; {{match: pattern, ...}} is needed")
        _known(entry, ["match", *STRUCTURE_KEYS], "an entry of tensors")
        patterns = [entry["match"]] if isinstance(entry["match"], str) else list(entry["match"])
        for pattern in patterns:
            found = [name for name in targets if _matches(name, pattern)]
            if not found:
                raise ConfigError(f"'{pattern}' matches no weight that can be pruned{nearest(pattern, targets)}")
            for name in found:
                own.setdefault(name, {key: value for key, value in entry.items() if key != "match"})
    out = {}
    for name, target in targets.items():  # the model's order
        # An entry with a scheme of its own stands alone: another scheme's block and rates would not fit it.
        if name in own and own[name].get("scheme", common.get("scheme")) != "dense":
            other = "scheme" in own[name] and own[name]["scheme"] != common.get("scheme")
            out[name] = _structure(own[name] if other else {**common, **own[name]}, target, budget)
    return out


def _matches(name: str, pattern: str) -> bool:
    pattern = canonical(pattern)
    return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, pattern + ".*")


def _structure(values: Dict[str, Any], target: Target, budget: Any) -> Projection:
    if "scheme" not in values:
        raise ConfigError(f"{target.name}: the configuration names no scheme")
    values = dict(values)
    block = values.get("block")
    if isinstance(block, str) and block.count("x") == 1:
        values["block"] = block.split("x")
    if block is not None:
        try:
            values["block"] = tuple(int(n) for n in values["block"])
        except (TypeError, ValueError):
            raise ConfigError(f"{target.name}: block is {block!r}; [rows, columns] is needed") from None
    check_parameter(target)  # what follows needs its shape
    rows, columns = target.parameter.shape
    if budget is not None:
        values = _under_budget(values, target, budget)
    try:
        projection = Projection(**values)
        projection.check((rows // target.gates, columns), f"a gate of {target.name}")
    except ValueError as error:
        raise ConfigError(f"{target.name}: {error}") from None
    return projection


def _under_budget(values: Dict[str, Any], target: Target, budget: Any) -> Dict[str, Any]:
    """With the budget in the place of the rate (bsp: of the columns), which must not be given as well."""
    if values["scheme"] in ("row_column", "bcr", "bank") or "bounded" in values:
        raise ConfigError(f"{target.name}: {values['scheme']}{' with a bound' if 'bounded' in values else ''} keeps a number that its own "
                          f"rate gives; a budget suits unstructured, row, column, block, csb and bsp")
    for key in ("rate", "column_rate"):
        if key in values:
            raise ConfigError(f"{target.name}: {key} and budget are given; one of them decides how much is kept")
    try:
        exact_rate(budget, "budget")
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return {**values, "column_rate" if values["scheme"] == "bsp" else "rate": budget}
