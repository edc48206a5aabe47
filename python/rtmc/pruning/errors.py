"""What can go wrong. Every message says what was found and what is needed."""
import difflib
from typing import Iterable


class PruningError(Exception):
    """The model, the optimiser or the order of calls does not allow it."""


class ConfigError(PruningError, ValueError):
    """The configuration is wrong."""


class Diverged(PruningError):
    """Training or ADMM ran away. `tensor` names where; nothing is saved any more, so the last checkpoint stays good."""

    def __init__(self, tensor: str, message: str):
        super().__init__(f"{tensor}: {message}")
        self.tensor, self.message = tensor, message

    def __reduce__(self):  # it travels between processes
        return Diverged, (self.tensor, self.message)


def nearest(name: str, known: Iterable[str]) -> str:
    """'; did you mean ...?' or '; there are: ...' - the end of a message about an unknown name."""
    names = list(known)
    close = difflib.get_close_matches(name, names, 3, 0.5)
    if close:
        return "; did you mean " + " or ".join(f"'{c}'" for c in close) + "?"
    return "; there are: " + ", ".join(names[:12]) + (" ..." if len(names) > 12 else "") if names else "; there are none"
