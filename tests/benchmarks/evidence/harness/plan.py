"""The list of cells to measure: a cell is one group of competitors that are timed in turns, and the unit that is kept when a run
is continued. Pure: no program is started here."""
import dataclasses

from . import paper

PARTS = ("machine", "dense", "reference", "sparse", "ablation", "scaling", "small", "lyra")
BLOCKS = ("256x256", "64x256", "32x128")
SMALL = ("deepfilternet3", "dtln", "silero_vad")  # networks of small.py
LYRA = ("gru_layer", "conv_to_gates", "proj")  # matrices of lyra.py


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much is measured. Times in seconds; steps: per call."""
    name: str
    rounds: int
    seconds: float
    forms: int  # of the GRU that each dense peer is timed in, the reference network's own first
    rates: tuple[int, ...]
    blocks: tuple[str, ...]
    precisions: tuple[str, ...]
    threads: tuple[int, ...]
    steps: tuple[int, ...]
    sparse_rates: tuple[int, ...]
    ablation_rates: tuple[int, ...]
    ablation_precisions: tuple[str, ...]
    scaling_rates: tuple[int, ...]
    small: tuple[str, ...]
    lyra: tuple[str, ...]


FULL = Settings("full", rounds=7, seconds=0.2, forms=2, rates=paper.RATES, blocks=BLOCKS, precisions=("f32", "f16", "bf16"),
                threads=(1, 2), steps=(1, 50), sparse_rates=paper.RATES[1:], ablation_rates=(10, 29, 103, 301),
                ablation_precisions=("bf16", "f32"), scaling_rates=(10,), small=SMALL, lyra=LYRA)
QUICK = Settings("quick", rounds=3, seconds=0.08, forms=1, rates=(10, 29, 103), blocks=BLOCKS[:1], precisions=("bf16",),
                 threads=(1,), steps=(50,), sparse_rates=(29,), ablation_rates=(29,), ablation_precisions=("bf16",),
                 scaling_rates=(), small=SMALL[:1], lyra=())


@dataclasses.dataclass(frozen=True)
class Cell:
    part: str
    values: tuple  # (name, value) in the order in which they are said
    settings: tuple  # (name, value) of how it is measured

    def __getattr__(self, name):
        try:
            return dict(object.__getattribute__(self, "values"))[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def title(self) -> str:
        return " ".join([self.part] + [_words(name, value) for name, value in self.values])

    @property
    def key(self) -> str:
        return "; ".join([self.part] + [f"{name} {_text(value)}" for name, value in self.values + self.settings])


def _text(value) -> str:
    return ",".join(str(part) for part in value) if isinstance(value, tuple) else str(value)


def _words(name: str, value) -> str:
    if name == "rate":
        return f"{value}x"
    if name in ("threads", "steps"):
        return f"{value} {name if value != 1 else name[:-1]}" + (" a call" if name == "steps" else "")
    return _text(value)


def restrict(settings: Settings, rates: tuple[int, ...] | None) -> Settings:
    """Only these rates, everywhere. A rate that was asked for by name is ablated and compared too."""
    if rates is None:
        return settings
    pruned = tuple(rate for rate in rates if rate > 1)
    chosen = {"sparse_rates": settings.sparse_rates, "ablation_rates": settings.ablation_rates}
    chosen = {name: tuple(r for r in pruned if r in usual) or pruned[:1] for name, usual in chosen.items()}
    scaling = tuple(rate for rate in settings.scaling_rates if rate in rates)
    return dataclasses.replace(settings, rates=rates, scaling_rates=scaling, **chosen)


def cells(settings: Settings, cores: int, lyra_missing: str = "") -> tuple[list[Cell], list[str]]:
    """-> cells in the order in which they are measured, and what is left out, in words. Cells of one network follow each other.
    `lyra_missing`: why Lyra's matrices cannot be had, or ""."""
    how = (("rounds", settings.rounds), ("seconds", settings.seconds), ("forms", settings.forms))
    threads = tuple(t for t in settings.threads if t <= cores)
    left_out = [f"{t} threads: this machine has {cores} core{'s' if cores > 1 else ''}" for t in settings.threads if t > cores]
    pairs = [(t, s) for t in threads for s in settings.steps]
    found = [Cell("machine", (), (("form", settings.name),))]
    for t, s in pairs:
        found.append(Cell("dense", (("threads", t), ("steps", s)), how))
    for block in settings.blocks:
        for rate in settings.rates:
            if rate == 1 and block != settings.blocks[0]:
                continue  # the dense network has no blocks
            for t, s in pairs:
                found.append(Cell("reference", (("block", block), ("rate", rate), ("threads", t), ("steps", s),
                                                ("precisions", settings.precisions)), how))
            if block != settings.blocks[0]:
                continue
            if rate in settings.sparse_rates:
                found += [Cell("sparse", (("block", block), ("rate", rate), ("threads", t)), how) for t in threads]
            if rate in settings.ablation_rates:
                found += [Cell("ablation", (("block", block), ("rate", rate), ("precision", p)), how) for p in settings.ablation_precisions]
            if rate in settings.scaling_rates:
                found += [Cell("scaling", (("block", block), ("rate", rate), ("precision", "bf16"), ("threads", t)), how)
                          for t in threads if t > 1]
    found += [Cell("small", (("network", name),), how) for name in settings.small]
    if settings.lyra and lyra_missing:
        left_out.append(f"Lyra's matrices: {lyra_missing}")
    else:
        found += [Cell("lyra", (("matrix", name),), how) for name in settings.lyra]
    return found, left_out
