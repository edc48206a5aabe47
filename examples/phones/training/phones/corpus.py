"""The corpora as lists of utterances: speechocean762 (train.tsv, test.tsv, alignment.tsv) and, for evaluation, TIMIT's sample."""
from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

SILENCE = "SIL"
# The alignment's 37 folded phones; the network's classes are these in this order, silence first.
PHONES = ("SIL AA AE AH AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z").split()
FRAMES_PER_SECOND = 100
DEVELOPMENT_SPEAKERS = 12


class CorpusError(RuntimeError):
    """A corpus cannot be used; the text names the file and the place in it."""


@dataclass(frozen=True)
class Segment:
    """One phone, or a silence, of an alignment."""
    phone: int  # index into PHONES
    end: float  # in frames of 10 ms, exclusive; it begins where the one before ends


@dataclass(frozen=True)
class Utterance:
    name: str
    speaker: str
    audio: Path
    segments: tuple[Segment, ...]

    @property
    def reference(self) -> list[int]:
        """The phones that a recogniser should find: silence is none."""
        return [s.phone for s in self.segments if PHONES[s.phone] != SILENCE]


def speechocean(folder: Path, part: str) -> list[Utterance]:
    """`part`: "train" or "test". In the order of the table."""
    alignment = _alignments(folder / "alignment.tsv")
    out = []
    for line, row in rows(folder / f"{part}.tsv", ("utterance", "speaker")):
        if row["utterance"] not in alignment:
            raise CorpusError(f"{folder / part}.tsv:{line}: utterance {row['utterance']} has no line in alignment.tsv")
        out.append(Utterance(row["utterance"], row["speaker"], folder / part / f"{row['utterance']}.opus", alignment[row["utterance"]]))
    return out


def split(utterances: list[Utterance]) -> tuple[list[Utterance], list[Utterance]]:
    """Training and development part: development speakers are spread evenly over the sorted list of speakers."""
    speakers = sorted({u.speaker for u in utterances})
    if len(speakers) <= DEVELOPMENT_SPEAKERS:
        raise CorpusError(f"{len(speakers)} speakers are too few: {DEVELOPMENT_SPEAKERS} of them are for development")
    held = {speakers[(2 * i + 1) * len(speakers) // (2 * DEVELOPMENT_SPEAKERS)] for i in range(DEVELOPMENT_SPEAKERS)}
    return [u for u in utterances if u.speaker not in held], [u for u in utterances if u.speaker in held]


def rows(path: Path, needed: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    """Of a table with a header, tab-separated: line numbers and values. `needed`: columns that must be there."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            missing = [name for name in needed if name not in (reader.fieldnames or [])]
            if missing:
                raise CorpusError(f"{path}:1: no column {missing[0]}")
            found = [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise CorpusError(f"{path}: {error.strerror}") from None
    for line, row in found:
        if any(row[name] is None for name in needed):
            raise CorpusError(f"{path}:{line}: the line has too few columns")
    return found


def _alignments(path: Path) -> dict[str, tuple[Segment, ...]]:
    index = {phone: i for i, phone in enumerate(PHONES)}
    out = {}
    for line, row in rows(path, ("utterance", "phone:frames")):
        segments, end = [], 0
        for word in row["phone:frames"].split():
            phone, _, frames = word.partition(":")
            if phone not in index or not frames.isdigit():
                raise CorpusError(f"{path}:{line}: '{word}' is no phone:frames")
            end += int(frames)
            segments.append(Segment(index[phone], end))
        out[row["utterance"]] = tuple(segments)
    return out
