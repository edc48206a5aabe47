"""Writes the networks that are kept in the repository: model.yaml and 16-bit weights with masks per network, what decoding needs, and a few
real test utterances. Then measures the phone error rate of these very files, compiled by rtmc."""
from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import rtmc

from . import commands, dataset, files
from .batches import with_tail
from .corpus import PHONES
from .decoding import Settings, decode, statistics
from .evaluation import as_lists
from .finished import export, load_model
from .scoring import errors

UTTERANCES = 6
LARGEST = 4 << 20  # bytes of all networks together
PRECISIONS = ("f32", "f16", "bf16")
CARD = """\
# Networks of the phone recogniser
GRUs over 40 log-mels ({stack} frames of 10 ms a step), an output layer over 37 phones and silence; pruned while they trained. Weights are f16
in `.npz`, with masks; biases f32. Phone error rates in % are those of these files, compiled by rtmc in each precision, on {utterances} utterances
of {speakers} test speakers of speechocean762.

| network | units | weights / kept, recurrent | whole | kept | PER in PyTorch | rtmc f32 | f16 | bf16 |
|---|---|---|---|---|---|---|---|---|
{rows}

- Data: speechocean762 (Zhang et al. 2021, free for any use): learners of English, some of them children, read sentences; references are the
  dictionary's phones, not what was said. Not for judging people.
- Input: log-mels of `../training/phones/audio.py`, normalised by its running mean. Answers are {delay} steps late.
- `decoder.npz`: the labels' log frequencies and the bigram that Viterbi uses; `card.json`: its weights, chosen on development speakers.
  `utterances.npz`: features, words and phones of a few test utterances.
- Made again, after the training of `../training`: `scripts/phones.sh ship {how}`
"""


class ShippingError(RuntimeError):
    """Nothing was written."""


def ship(options: argparse.Namespace, names: dict[str, str], out: Path, say: Callable[[str], None]) -> None:
    """`names`: run -> name of the network. Everything that `out` needs is made before anything is written."""
    spoken = commands.utterances(options)
    test = dataset.load(commands.features(options) / "test.npz")
    references = commands.references(spoken, "test", test)
    counted = statistics(spoken["train"], commands.labels_of_training(options))
    content: dict[str, bytes] = {}
    cards: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for run, name in names.items():
            folder = commands.folder_of(options, run)
            scores = json.loads((folder / "scores.json").read_text())
            settings = Settings(**scores["settings"])
            model, final = load_model(folder)
            made = Path(scratch) / name
            export(folder, made, name)
            _as_npz(made, name)
            for suffix in ("yaml", "npz"):
                content[f"{name}.{suffix}"] = (made / f"{name}.{suffix}").read_bytes()
            delay = final["run"]["delay"]
            cards[name] = {"run": run, "delay": delay, "settings": scores["settings"], "rates": scores["rates"],
                           "network": {"inputs": test.inputs(0).shape[1], "units": model.gru.hidden_size, "layers": model.gru.num_layers,
                                       "reset": "before" if final["run"]["cell"] == "gru_reset_before" else "after", "linear": len(PHONES)},
                           "pytorch_per": scores["parts"]["test"]["per"], "per": {}}
            for precision in PRECISIONS:
                net = rtmc.compile(made / f"{name}.yaml", precision=precision)
                found = decode([posteriors(net, test.inputs(i), delay) for i in range(len(test))], counted, settings)
                result = errors(references, found)
                cards[name]["per"][precision] = result.per
                cards[name].setdefault("errors", {})[precision] = {k: int(numpy.sum(v)) for k, v in as_lists(result).items()}
                say(f"{name} {precision}: {result.per:.2f} % ({run} in PyTorch: {cards[name]['pytorch_per']:.2f} %)")
    size = sum(len(data) for data in content.values())
    if size > LARGEST:
        raise ShippingError(f"the networks are {size} bytes; {LARGEST} is the limit")
    for file, data in content.items():
        files.write(out / file, data)
    files.write_json(out / "card.json", cards)
    files.write(out / "README.md", _card(cards, len(test), len(set(test.speakers))).encode())
    files.write_npz(out / "decoder.npz", compressed=True, phones=list(PHONES), log_prior=counted.log_prior, log_first=counted.log_first,
                    log_bigram=numpy.maximum(counted.log_bigram, -60).astype(numpy.float32))
    _write_utterances(out / "utterances.npz", test, references, options)
    say(f"{out}: {size} bytes of networks")


def posteriors(net: Any, inputs: numpy.ndarray, delay: int) -> numpy.ndarray:
    """The compiled network's answers, as network.log_posteriors gives them."""
    net.reset()
    return numpy.asarray(net.run(with_tail(inputs, delay)))[delay:]


def _as_npz(folder: Path, name: str) -> None:
    """model.safetensors -> <name>.npz, in 16 bits and by columns: rows of a block share their columns, so that is what deflates."""
    from safetensors.numpy import load_file
    arrays = {}
    for key, value in load_file(folder / "model.safetensors").items():
        if value.dtype == numpy.float32 and value.ndim == 2:
            value = value.astype(numpy.float16)
        arrays[key] = numpy.asfortranarray(value.astype(bool) if key.endswith("_mask") else value)
    files.write_npz(folder / f"{name}.npz", compressed=True, **arrays)
    text = (folder / "model.yaml").read_text().replace("weights: model.safetensors", f"weights: {name}.npz")
    files.write(folder / f"{name}.yaml", text.encode())


def _card(cards: dict[str, Any], utterances: int, speakers: int) -> str:
    rows = []
    for name, card in cards.items():
        per = " | ".join(f"{card['per'][precision]:.2f}" for precision in PRECISIONS)
        rows.append(f"| `{name}` | 2 x {card['network']['units']} | {card['rates']['recurrent']:.2f} | {card['rates']['whole']:.2f} | "
                    f"{card['rates']['kept']} | {card['pytorch_per']:.2f} | {per} |")
    how = " ".join(f"{card['run']}={name}" for name, card in cards.items())
    return CARD.format(rows="\n".join(rows), how=how, utterances=utterances, speakers=speakers, stack=dataset.STACK,
                       delay=", ".join(sorted({str(card["delay"]) for card in cards.values()})))


def _write_utterances(path: Path, test: dataset.Part, references: list[list[int]], options: argparse.Namespace) -> None:
    """Of different speakers, spread over the test part: features as the network takes them, and the reference phones."""
    texts = {row["utterance"]: row["text"] for row in commands.rows_of_test(options)}
    seen: set[str] = set()
    chosen = []
    for i in numpy.linspace(0, len(test) - 1, 8 * UTTERANCES).astype(int):
        if test.speakers[i] not in seen and len(chosen) < UTTERANCES and 8 <= len(references[i]) <= 30:
            seen.add(test.speakers[i])
            chosen.append(int(i))
    frames = [test.features[test.frames[i]:test.frames[i + 1]] for i in chosen]
    files.write_npz(path, compressed=True, names=[test.names[i] for i in chosen], texts=[texts[test.names[i]] for i in chosen],
                    features=numpy.concatenate(frames), frames=numpy.cumsum([0, *map(len, frames)]),
                    references=[" ".join(PHONES[p] for p in references[i]) for i in chosen])
