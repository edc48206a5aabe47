"""Pruning of PyTorch RNNs into structures that rtmc compiles: see docs/pruning.md.

`projections` needs numpy only; everything else imports PyTorch when it is first used.
"""
import importlib

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
