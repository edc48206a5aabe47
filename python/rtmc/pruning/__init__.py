"""Pruning of PyTorch RNNs into structures that rtmc compiles: see docs/pruning.md.

`projections` needs numpy only; everything else imports PyTorch when it is first used.
"""
import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what type checkers and editors see
    from .checkpoint import ResumableSampler, load_checkpoint, save_checkpoint  # noqa: F401
    from .errors import ConfigError, Diverged, PruningError  # noqa: F401
    from .projections import Projection  # noqa: F401
    from .pruner import Pruner  # noqa: F401
    from .schemes import BCR, BSP, CSB, BankBalanced, Block, Columns, Rows, RowsAndColumns, Unstructured  # noqa: F401

_PLACES = {
    "Pruner": "pruner", "BSP": "schemes", "BCR": "schemes", "CSB": "schemes", "BankBalanced": "schemes", "Block": "schemes",
    "Unstructured": "schemes", "Rows": "schemes", "Columns": "schemes", "RowsAndColumns": "schemes",
    "PruningError": "errors", "ConfigError": "errors", "Diverged": "errors",
    "save_checkpoint": "checkpoint", "load_checkpoint": "checkpoint", "ResumableSampler": "checkpoint",
    "Projection": "projections",
}
__all__ = sorted(_PLACES)


def __getattr__(name: str):
    if name in _PLACES:
        return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
