"""Labels, decoding and scores against brute force. Needs numpy; rapidfuzz for the scores."""
import importlib.util
import itertools
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

import numpy

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from phones import labels  # noqa: E402
from phones.corpus import PHONES, CorpusError, Segment, Utterance, speechocean, split  # noqa: E402
from phones.decoding import Settings, decode, statistics  # noqa: E402
from phones.timit import sample  # noqa: E402


def segments(text):
    """"SIL:5 AA:4" """
    out, end = [], 0
    for word in text.split():
        name, frames = word.split(":")
        end += int(frames)
        out.append(Segment(PHONES.index(name), end))
    return tuple(out)


def overlap_of(path, parts, steps):
    """`path`: the segment of each stacked frame."""
    total, begins = 0.0, [0.0, *(s.end for s in parts[:-1])]
    for t, n in enumerate(path):
        end = parts[n].end if n + 1 < len(parts) else steps * labels.STACK
        total += max(0.0, min(end, (t + 1) * labels.STACK) - max(begins[n], t * labels.STACK))
    return total


class Labels(unittest.TestCase):
    def test_best_of_all_labellings_that_keep_every_phone(self):
        random = numpy.random.default_rng(1)
        names = ["SIL", "AA", "B", "S"]
        checked = 0
        for _ in range(60):
            words = []
            for _ in range(random.integers(1, 5)):
                words.append(f"{names[random.integers(4)]}:{random.integers(1, 7)}")
            parts = segments(" ".join(words))
            if any(a.phone == b.phone == 0 for a, b in zip(parts, parts[1:])):
                continue  # silences do not follow each other
            steps = labels.stacked_length(int(parts[-1].end))
            needed = {n for n, s in enumerate(parts) if s.phone != 0}
            allowed = [p for p in itertools.combinations_with_replacement(range(len(parts)), steps) if needed <= set(p)]
            found = labels.stacked_labels(parts, int(parts[-1].end))
            if not allowed:
                self.assertIsNone(found)
                continue
            best = max(overlap_of(p, parts, steps) for p in allowed)
            mine = [p for p in allowed if [parts[n].phone for n in p] == found.tolist()]
            self.assertTrue(mine)
            self.assertAlmostEqual(max(overlap_of(p, parts, steps) for p in mine), best)
            checked += 1
        self.assertGreater(checked, 30)

    def test_best_of_all_labellings_by_any_gain(self):
        random = numpy.random.default_rng(5)
        for _ in range(40):
            phones = [0] + random.integers(1, 4, random.integers(1, 4)).tolist() + [0]
            gain = random.normal(size=(len(phones), 6)) * 5
            found = labels.best_labels(phones, gain)
            allowed = [p for p in itertools.combinations_with_replacement(range(len(phones)), 6) if set(range(1, len(phones) - 1)) <= set(p)]
            best = max(allowed, key=lambda path: sum(gain[n, t] for t, n in enumerate(path)))
            self.assertEqual(found.tolist(), [phones[n] for n in best])

    def test_short_phones_between_two_frames_stay(self):
        found = labels.stacked_labels(segments("SIL:5 B:3 AA:3 S:3 SIL:4"), 18)
        self.assertEqual(labels.collapse(found), [PHONES.index(p) for p in ("B", "AA", "S")])

    def test_speed_moves_the_boundaries(self):
        slow = labels.stacked_labels(segments("SIL:30 AA:30"), 120, 0.5)
        self.assertEqual(slow.tolist(), [0] * 20 + [PHONES.index("AA")] * 20)

    def test_collapse(self):
        self.assertEqual(labels.collapse([0, 3, 3, 0, 3, 4, 4, 0]), [3, 3, 4])


class Decoding(unittest.TestCase):
    def setUp(self):
        random = numpy.random.default_rng(2)
        spoken = [Utterance("a", "s", Path("a"), segments("SIL:3 AA:3 B:3 AA:3 S:3 SIL:3"))]
        self.statistics = statistics(spoken, random.integers(0, 4, 50))
        # Only the first four phones can be meant, so that all paths can be tried.
        self.posteriors = []
        for steps in (1, 4, 5, 3):
            p = numpy.full((steps, len(PHONES)), -60.0, numpy.float32)
            p[:, :4] = numpy.log(random.dirichlet(numpy.ones(4), steps))
            self.posteriors.append(p)

    def score(self, p, path, settings):
        s = self.statistics
        total = settings.bigram * s.log_first[path[0]]
        for t, phone in enumerate(path):
            total += p[t, phone] - settings.prior * s.log_prior[phone]
            if t and phone != path[t - 1]:
                total += settings.bigram * s.log_bigram[path[t - 1], phone] + settings.penalty
        return total

    def test_best_of_all_paths_whatever_else_is_decoded_with_it(self):
        for settings in (Settings(0.0, 0.5, 0.0), Settings(0.6, 1.5, -1.0), Settings(0.3, 1.0, 1.0)):
            found = decode(self.posteriors, self.statistics, settings)
            for p, phones in zip(self.posteriors, found):
                best = max(itertools.product(range(4), repeat=len(p)), key=lambda path: self.score(p, path, settings))
                self.assertEqual(phones, labels.collapse(best))

    def test_a_large_penalty_leaves_one_phone(self):
        self.assertTrue(all(len(p) <= 1 for p in decode(self.posteriors, self.statistics, Settings(0.0, 1.0, -1000.0))))


class Corpora(unittest.TestCase):
    def folder(self, alignment, train="utterance\tspeaker\tseconds\ttext\tphones\na\t1\t1.0\tX\tAA\n"):
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        (folder / "alignment.tsv").write_text(alignment)
        (folder / "train.tsv").write_text(train)
        return folder

    def test_reads(self):
        (one,) = speechocean(self.folder("utterance\tphone:frames\na\tSIL:4 AA:3 AA:5\n"), "train")
        self.assertEqual([s.end for s in one.segments], [4, 7, 12])
        self.assertEqual(one.reference, [PHONES.index("AA")] * 2)

    def test_faults_name_file_and_line(self):
        for alignment, train, said in (
                ("utterance\tphone:frames\na\tSIL:4 XX:3\n", None, r"alignment.tsv:2: 'XX:3'"),
                ("utterance\tphone:frames\na\tSIL:4 AA\n", None, r"alignment.tsv:2: 'AA'"),
                ("utterance\tphone:frames\nb\tSIL:4\n", None, r"train.tsv:2: utterance a"),
                ("utterance\na\n", None, r"alignment.tsv:1: no column phone:frames"),
                ("utterance\tphone:frames\na\tSIL:4\n", "utterance\tspeaker\na\n", r"train.tsv:2: .*too few"),
        ):
            folder = self.folder(alignment, **({} if train is None else {"train": train}))
            with self.assertRaisesRegex(CorpusError, said):
                speechocean(folder, "train")

    def test_development_speakers_are_apart(self):
        everyone = [Utterance(f"{s}{k}", str(s), Path(), ()) for s in range(40) for k in range(2)]
        training, development = split(everyone)
        self.assertFalse({u.speaker for u in training} & {u.speaker for u in development})
        self.assertEqual(len({u.speaker for u in development}), 12)
        self.assertEqual(len(training) + len(development), 80)

    def test_timit_closures_and_flaps(self):
        folder = self.folder("")
        (folder / "dr1-x").mkdir()
        (folder / "dr1-x" / "sa1.phn").write_text(
            "0 1600 h#\n1600 3200 dcl\n3200 4800 jh\n4800 6400 kcl\n6400 8000 dx\n8000 8800 q\n8800 9600 pau\n9600 11200 h#\n")
        (one,) = sample(folder)
        self.assertEqual([(PHONES[s.phone], s.end) for s in one.segments], [("SIL", 10), ("JH", 30), ("K", 40), ("D", 55), ("SIL", 70)])


@unittest.skipUnless(importlib.util.find_spec("rapidfuzz"), "rapidfuzz is not installed")
class Scores(unittest.TestCase):
    def test_counts(self):
        from phones.scoring import errors
        found = errors([[1, 2, 3], [4, 5], [6]], [[1, 3], [4, 7], [6, 6]])
        self.assertEqual((found.deletions.tolist(), found.substitutions.tolist(), found.insertions.tolist()), ([1, 0, 0], [0, 1, 0], [0, 0, 1]))
        self.assertAlmostEqual(found.per, 50.0)

    def test_bootstrap_is_paired(self):
        from phones.scoring import Errors, difference
        random = numpy.random.default_rng(3)
        wrong = random.integers(0, 20, 60)
        zero, phones = numpy.zeros(60, int), numpy.full(60, 40)
        one, other = Errors(wrong + 1, zero, zero, phones), Errors(wrong, zero, zero, phones)
        # However uneven the speakers are, each is worse by exactly one phone in forty.
        found = difference(one, other, [str(i // 3) for i in range(60)], samples=200)
        for value in (found.value, found.low, found.high):
            self.assertAlmostEqual(value, 2.5)

    def test_interval_covers_what_is_sampled(self):
        from phones.scoring import Errors, difference
        random = numpy.random.default_rng(4)
        zero, phones = numpy.zeros(40, int), numpy.full(40, 50)
        hits = 0
        for _ in range(60):
            gain = random.binomial(50, 0.3, 40), random.binomial(50, 0.3, 40)
            found = difference(*(Errors(g, zero, zero, phones) for g in gain), [str(i) for i in range(40)], samples=400)
            hits += found.low <= 0 <= found.high
        self.assertGreater(hits, 48)  # 57 are expected


if __name__ == "__main__":
    unittest.main()
