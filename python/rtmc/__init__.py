"""rtmc from Python: prune a PyTorch RNN (`rtmc.pruning`), write it for the compiler (`export`), call the compiled one (`compile`).

numpy is needed; PyTorch only by `rtmc.pruning`'s pruners, `rtmc.nn` and `export`, which import it when they are first used.
`rtmc.search` compares block sizes.
"""
import importlib
from typing import TYPE_CHECKING

from .export import ExportError, export
from .model import CompileError, Model, compile  # noqa: A004  (the name is what users look for)

if TYPE_CHECKING:
    from . import nn, pruning, search  # noqa: F401

__all__ = ["CompileError", "ExportError", "Model", "compile", "export", "nn", "pruning", "search"]
__version__ = "0.1.0"


def __getattr__(name: str):
    if name in ("nn", "pruning", "search"):
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
