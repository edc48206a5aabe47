"""The network: GRU layers and an output layer, one answer per stacked frame."""
from __future__ import annotations

import numpy
import rtmc.nn
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .batches import pad
from .corpus import PHONES
from .labels import BANDS, STACK

CELLS = {"gru": rtmc.nn.MaskedGRU, "gru_reset_before": rtmc.nn.MaskedGRUResetBefore}


class Recognizer(nn.Module):
    """inputs [steps, utterances, STACK * BANDS], state of before -> logits [steps, utterances, phones], state"""

    def __init__(self, units: int, layers: int = 2, cell: str = "gru", dropout: float = 0.3):
        super().__init__()
        self.gru = CELLS[cell](STACK * BANDS, units, layers, dropout=dropout)
        self.dropout = rtmc.nn.Dropout(dropout)
        self.head = nn.Linear(units, len(PHONES))

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        states, state = self.gru(inputs, state)
        return self.head(self.dropout(states)), state


def recurrent_weights(model: nn.Module) -> dict[str, Tensor]:
    """The matrices that rates speak of: of the recurrent layers, without biases and without the output layer."""
    return {name: p.detach() for name, p in model.named_parameters() if name.startswith("gru.weight")}


@torch.no_grad()
def log_posteriors(model: nn.Module, inputs: list[NDArray[numpy.float32]], delay: int, batch: int = 32) -> list[Tensor]:
    """Of each utterance's stacked frames, [steps, phones] in float32."""
    model.eval()
    out: list[Tensor] = [torch.empty(0)] * len(inputs)
    order = sorted(range(len(inputs)), key=lambda i: len(inputs[i]))
    for begin in range(0, len(order), batch):
        chosen = order[begin:begin + batch]
        x = pad([inputs[i] for i in chosen], [], delay).inputs
        logits = model(x)[0].log_softmax(-1)
        for k, i in enumerate(chosen):
            out[i] = logits[delay:delay + len(inputs[i]), k].clone()
    return out
