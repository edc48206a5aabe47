"""One class per structure: a Pruner whose scheme is set. What each means: docs/projections.md; which to choose: docs/pruning.md."""
from .pruner import Pruner

__all__ = ["BCR", "BSP", "BankBalanced", "Block", "Columns", "CSB", "Rows", "RowsAndColumns", "Unstructured"]


class BSP(Pruner):
    """Block-based structured pruning (RTMobile, Algorithm 1): step 1 prunes columns inside blocks (`block`, `column_rate`), step 2
    whole rows of what is left (`row_rate`). Each step is trained towards, then retrained under its mask."""
    SCHEME = "bsp"


class BCR(Pruner):
    """The same number of rows and of columns in every block (GRIM)."""
    SCHEME = "bcr"


class CSB(Pruner):
    """Rows and columns free per block under one budget for the matrix; `bounded` limits the unevenness."""
    SCHEME = "csb"


class BankBalanced(Pruner):
    """The same number of weights in every bank of a row (BBS): `block: [1, width]`."""
    SCHEME = "bank"


class Block(Pruner):
    """Whole blocks."""
    SCHEME = "block"


class Unstructured(Pruner):
    """Single weights: the most accurate at a rate, and the slowest."""
    SCHEME = "unstructured"


class Rows(Pruner):
    """Whole rows."""
    SCHEME = "row"


class Columns(Pruner):
    """Whole columns."""
    SCHEME = "column"


class RowsAndColumns(Pruner):
    """Whole rows and whole columns."""
    SCHEME = "row_column"
