"""Saved states of a pruner in comparable form: bare names of weights, and where two configurations differ."""
from typing import Any, Dict, List, Mapping

from .tensors import canonical


def canonical_config(config: Mapping[str, Any]) -> Dict[str, Any]:
    return {"budget": config["budget"], "schedule": dict(config["schedule"]),
            "structures": {canonical(name): dict(structure) for name, structure in config["structures"].items()}}


def canonical_stage(stage: Mapping[str, Any]) -> Dict[str, Any]:
    """The state of a stage with bare names of weights."""
    return {key: {canonical(name): v for name, v in value.items()} if isinstance(value, Mapping) else value
            for key, value in stage.items()}


def differences(theirs: Any, own: Any, path: str = "") -> List[str]:
    if isinstance(theirs, dict) and isinstance(own, dict):
        return [d for key in sorted({*theirs, *own}) for d in differences(theirs.get(key), own.get(key), f"{path}.{key}" if path else key)]
    return [] if theirs == own else [f"{path} was {theirs}, is {own}"]
