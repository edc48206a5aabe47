"""Block size against accuracy and time: prunes a model in several block sizes and rates, measures each, and draws the Pareto front.
`python3 -m rtmc.search --help`, `sweep()`; docs/block_search.md. Needs numpy; matplotlib for the picture; PyTorch only where yours does."""
from .candidates import Candidate
from .errors import SearchError
from .sweep import sweep

__all__ = ["Candidate", "SearchError", "sweep"]
