"""Recurrent layers that torch.nn does not have.

GRUResetBefore: the GRU whose reset gate acts on the state before the product. MaskedGRU, MaskedGRUResetBefore: torch.nn.GRU and that one,
which train faster on the CPU, and several times faster under masks that leave few columns to a block of rows. Dropout: torch.nn.Dropout, whose
draws take a fifth of the time there."""
from .dropout import Dropout
from .masked import MaskedGRU, MaskedGRUResetBefore
from .reset_before import GRUResetBefore

__all__ = ["Dropout", "GRUResetBefore", "MaskedGRU", "MaskedGRUResetBefore"]
