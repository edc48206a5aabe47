"""Candidates: blocks times rates. Texts are checked here, before anything runs."""
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

from ..pruning.errors import nearest
from ..pruning.projections import SCHEMES, Projection
from .errors import SearchError

BLOCKED = ("bsp", "bcr", "csb", "bank", "block")
_TWO_RATES = ("bsp", "bcr")  # of those with blocks
PRECISIONS = ("f32", "f16", "bf16")
_Rates = Tuple[Optional[str], Optional[str], Optional[str]]  # rate, column rate, row rate


@dataclass(frozen=True)
class Candidate:
    """One structure. Rates are texts, as docs/projections.md reads them: `rate`, or `column_rate` and `row_rate`."""
    scheme: str
    block: Tuple[int, int]
    rate: Optional[str] = None
    column_rate: Optional[str] = None
    row_rate: Optional[str] = None

    @property
    def rate_text(self) -> str:
        return self.rate or f"{self.column_rate}x{self.row_rate}"

    @property
    def block_text(self) -> str:
        return f"{self.block[0]}x{self.block[1]}"

    @property
    def id(self) -> str:
        """A file's name."""
        return f"{self.block_text}-{self.rate_text.replace('/', '_')}"

    @property
    def label(self) -> str:
        return f"{self.block_text} at {self.rate_text}" + ("x" if self.rate else "")

    def config(self) -> Dict[str, Any]:
        """As `rtmc.pruning.Pruner` takes it; add what belongs to the training."""
        rates = {"rate": self.rate, "column_rate": self.column_rate, "row_rate": self.row_rate}
        return {"scheme": self.scheme, "block": self.block, **{key: text for key, text in rates.items() if text}}

    def prune_words(self) -> List[str]:
        """As options of `rtmc prune`."""
        words = ["--scheme", self.scheme, "--block", self.block_text]
        for option, text in (("--rate", self.rate), ("--column-rate", self.column_rate), ("--row-rate", self.row_rate)):
            words += [option, text] if text else []
        return words


def candidates(scheme: str, blocks: Iterable[Any], rates: Iterable[Any]) -> List[Candidate]:
    """Every block at every rate, in the order given; what is given twice counts once."""
    if scheme not in SCHEMES:
        raise SearchError(f"--scheme: there is no scheme '{scheme}'{nearest(str(scheme), BLOCKED)}")
    if scheme not in BLOCKED:
        raise SearchError(f"--scheme: {scheme} has no blocks to search; one of {', '.join(BLOCKED)} is needed")
    shapes = list(dict.fromkeys(_block(block) for block in blocks))
    pairs: Dict[Tuple, _Rates] = {}
    for pair in (_rates(rate, scheme) for rate in rates):
        pairs.setdefault(_exact(pair), pair)
    if not shapes:
        raise SearchError("--blocks: no block was given; such as 16x64,32x128 is needed")
    if not pairs:
        raise SearchError("--rates: no rate was given; such as 10,29 is needed")
    found = []
    for block in shapes:
        for rate, column_rate, row_rate in pairs.values():
            candidate = Candidate(scheme, block, rate, column_rate, row_rate)
            try:
                Projection(**candidate.config())
            except ValueError as error:
                raise SearchError(f"{candidate.label}: {error}") from None
            found.append(candidate)
    return found


def listed(given: Any) -> List[Any]:
    """Items, or a text with commas between them."""
    return [item.strip() for item in given.split(",") if item.strip()] if isinstance(given, str) else list(given)


def _block(given: Any) -> Tuple[int, int]:
    if isinstance(given, (tuple, list)) and len(given) == 2 and all(isinstance(n, int) for n in given):
        given = f"{given[0]}x{given[1]}"
    match = re.fullmatch(r"(\d+)x(\d+)", str(given).strip(), re.ASCII)
    if not match:
        numbers = re.findall(r"\d+", str(given))
        near = f"; did you mean '{'x'.join(numbers)}'?" if len(numbers) == 2 and "-" not in str(given) else ""
        raise SearchError(f"--blocks: '{given}' is no block; ROWSxCOLUMNS such as 16x64 is needed{near}")
    rows, columns = int(match[1]), int(match[2])
    if rows < 1 or columns < 1:
        raise SearchError(f"--blocks: '{given}' is empty; at least 1x1 is needed")
    return rows, columns


def _rates(given: Any, scheme: str) -> _Rates:
    text = "x".join(map(str, given)) if isinstance(given, (tuple, list)) else str(given).strip()
    number = r"\d+(?:\.\d+)?(?:/\d+)?"
    if re.fullmatch(number, text, re.ASCII):
        return text, None, None
    match = re.fullmatch(f"({number})x({number})", text, re.ASCII)
    if not match:
        inner = re.search(number, text, re.ASCII)
        near = f"; did you mean '{inner[0]}'?" if inner and not text.startswith("-") else ""
        raise SearchError(f"--rates: '{text}' is no rate; weights / kept weights, such as 10, 2.5 or 29/10, or for "
                          f"{' and '.join(_TWO_RATES)} COLUMNSxROWS such as 16x1.25, is needed{near}")
    if scheme not in _TWO_RATES:
        raise SearchError(f"--rates: '{text}' is a rate of columns and one of rows, but {scheme} has one rate; {' and '.join(_TWO_RATES)} "
                          "have two")
    return None, match[1], match[2]


def _exact(rates: _Rates) -> Tuple[Optional[Fraction], ...]:
    """What makes two rates the same."""
    from ..pruning.rates import exact_rate
    try:
        return tuple(None if rate is None else exact_rate(rate) for rate in rates)
    except ValueError as error:
        raise SearchError(f"--rates: {error}") from None


def precisions_of(given: Sequence[str]) -> List[str]:
    names = list(dict.fromkeys(given))
    for name in names:
        if name not in PRECISIONS:
            raise SearchError(f"--precisions: there is no precision '{name}'{nearest(str(name), PRECISIONS)}")
    if not names:
        raise SearchError(f"--precisions: none was given; some of {', '.join(PRECISIONS)} are needed")
    return names
