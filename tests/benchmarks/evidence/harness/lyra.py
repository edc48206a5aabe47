"""Matrices that somebody else pruned, in blocks: three of Lyra's WaveGRU, each as a linear layer. Only rtmc takes them: a peer here
is a recurrent network."""
import pathlib
import sys

import numpy

from . import processes
from .networks import ROOT, Network, read_safetensors, write_inputs

MODELS = ROOT.parent / "shared" / "models" / "lyra_wavegru"
MAKER = ROOT / "examples" / "lyra_gru" / "make_models.py"


def missing(models: pathlib.Path = MODELS) -> str:
    """Why they cannot be made, or ""."""
    return "" if (models / "lyra_16khz_gru_layer_weights.raw.gz").exists() else "../shared/models/lyra_wavegru is not here"


def make(work: pathlib.Path, name: str, models: pathlib.Path = MODELS) -> Network:
    folder = work / name
    if not folder.exists():  # all are made at once
        processes.run([sys.executable, "-B", str(MAKER), str(models), "--out", str(work)])
    mask = read_safetensors(folder / "weights.safetensors")["y.weight_mask"]
    write_inputs(folder, mask.shape[1])
    return Network(folder, mask.shape[1], mask.shape[0], mask.size, int(numpy.count_nonzero(mask)), for_peers=False)
