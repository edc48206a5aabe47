"""TIMIT's sample as a test out of the training's domain. Nothing derived from it is kept in the repository.

Its 61 symbols are mapped to the 37 phones + silence: a closure belongs to the stop that follows it and is that stop where none
follows; flaps and glottal stops become the stop they stand for or vanish; syllabic consonants lose their syllable; allophones of one
vowel fall together (Lee and Hon 1989 fold to 39 classes in the same way).
"""
from __future__ import annotations

from pathlib import Path

from .corpus import PHONES, CorpusError, Segment, Utterance

SAMPLES_PER_FRAME = 160
_CLOSURES = {"bcl": "B", "dcl": "D", "gcl": "G", "pcl": "P", "tcl": "T", "kcl": "K"}
_BURSTS = {"b": "B", "d": "D", "g": "G", "p": "P", "t": "T", "k": "K", "jh": "JH", "ch": "CH"}
_AFTER = {"D": ("d", "jh"), "T": ("t", "ch")}  # closures that affricates have, too
_MAP = {
    **{name: name.upper() for name in ("s", "sh", "z", "f", "th", "v", "dh", "m", "n", "ng", "l", "r", "w", "y", "hh", "iy", "ih", "eh",
                                       "ey", "ae", "aa", "aw", "ay", "ah", "oy", "ow", "uh", "uw", "er")},
    "zh": "SH", "dx": "D", "em": "M", "en": "N", "eng": "NG", "nx": "N", "el": "L", "hv": "HH", "ao": "AA", "ux": "UW", "axr": "ER",
    "ax": "AH", "ax-h": "AH", "ix": "IH", "h#": "SIL", "pau": "SIL", "epi": "SIL",
}


def sample(folder: Path) -> list[Utterance]:
    out = []
    for path in sorted(folder.glob("dr*/*.phn")):
        out.append(Utterance(f"{path.parent.name}/{path.stem}", path.parent.name, path.with_suffix(".flac"), _segments(path)))
    if not out:
        raise CorpusError(f"{folder}: no dr*/*.phn")
    return out


def _segments(path: Path) -> tuple[Segment, ...]:
    symbols = []
    for line, text in enumerate(path.read_text(encoding="ascii").splitlines(), 1):
        words = text.split()
        if len(words) != 3 or not words[1].isdigit():
            raise CorpusError(f"{path}:{line}: '{text}' is no begin, end and phone")
        symbols.append((words[2], int(words[1]) / SAMPLES_PER_FRAME))
    out: list[Segment] = []
    for i, (symbol, end) in enumerate(symbols):
        following = symbols[i + 1][0] if i + 1 < len(symbols) else ""
        if symbol == "q":  # a glottal stop is no phone of the dictionary; its time goes to what is before
            phone = PHONES[out[-1].phone] if out else "SIL"
            if out:
                out[-1] = Segment(out[-1].phone, end)
                continue
        elif symbol in _CLOSURES:
            stop = _CLOSURES[symbol]
            if following in _AFTER.get(stop, (stop.lower(),)):
                continue  # the burst's segment begins with it
            phone = stop
        elif symbol in _BURSTS:
            phone = _BURSTS[symbol]
        elif symbol in _MAP:
            phone = _MAP[symbol]
        else:
            raise CorpusError(f"{path}: symbol '{symbol}' is none of TIMIT's")
        if out and phone == "SIL" and PHONES[out[-1].phone] == "SIL":
            out[-1] = Segment(out[-1].phone, end)
        else:
            out.append(Segment(PHONES.index(phone), end))
    return tuple(out)
