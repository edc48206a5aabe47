"""From sound files to features: 40 log-mel energies of 25 ms every 10 ms (kaldi-native-fbank), normalised with what has been heard
so far only, so that the same is possible on a live stream."""
from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import kaldi_native_fbank
import numpy
import soundfile
from numpy.typing import NDArray
from scipy.signal import lfilter, resample_poly

from .labels import BANDS

RATE = 16000
PRIOR_FRAMES = 100   # the corpus' mean counts as so many frames of the utterance
WINDOW_FRAMES = 300  # later frames move the mean by 1 / WINDOW_FRAMES

Features = NDArray[numpy.float32]  # [frames, BANDS]


class AudioError(RuntimeError):
    """A sound file cannot be used; the text names it."""


def read(path: Path) -> NDArray[numpy.float32]:
    """Samples in [-1, 1] at 16 kHz."""
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:  # soundfile's own errors are RuntimeErrors
        raise AudioError(f"{path}: {error}") from None
    if rate != RATE:
        ratio = Fraction(RATE, rate)
        samples = resample_poly(samples, ratio.numerator, ratio.denominator, axis=0).astype(numpy.float32)
    if len(samples) < RATE // 10 or not numpy.isfinite(samples).all():
        raise AudioError(f"{path}: {len(samples)} samples; at least a tenth of a second of finite ones is needed")
    return samples[:, 0]


def faster(samples: NDArray[numpy.float32], speed: str) -> NDArray[numpy.float32]:
    """`speed` times as fast, pitch included ("0.9", "1.1")."""
    ratio = 1 / Fraction(speed)
    return samples if ratio == 1 else resample_poly(samples, ratio.numerator, ratio.denominator).astype(numpy.float32)


def noisy(samples: NDArray[numpy.float32], decibels: float, tilt: float, random: numpy.random.Generator) -> NDArray[numpy.float32]:
    """With noise `decibels` below the utterance's mean power. `tilt`: 0 is white, towards 1 low frequencies dominate."""
    noise = lfilter([1.0], [1.0, -tilt], random.standard_normal(len(samples)))
    power = numpy.mean(numpy.square(samples, dtype=numpy.float64))
    scale = numpy.sqrt(power / max(float(numpy.mean(numpy.square(noise))), 1e-12) * 10 ** (-decibels / 10))
    return (samples + scale * noise).astype(numpy.float32)


def log_mels(samples: NDArray[numpy.float32]) -> Features:
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.samp_freq = RATE
    options.frame_opts.dither = 0.0
    options.frame_opts.snip_edges = True
    options.mel_opts.num_bins = BANDS
    bank = kaldi_native_fbank.OnlineFbank(options)
    bank.accept_waveform(RATE, (samples * 32768).tolist())
    bank.input_finished()
    return numpy.stack([bank.get_frame(i) for i in range(bank.num_frames_ready)]).astype(numpy.float32)


@dataclass(frozen=True)
class Normalizer:
    """Per band: mean and deviation over the training part."""
    mean: NDArray[numpy.float32]
    deviation: NDArray[numpy.float32]

    @staticmethod
    def of(features: list[Features]) -> "Normalizer":
        frames = sum(len(f) for f in features)
        mean = sum(f.sum(0, dtype=numpy.float64) for f in features) / frames
        # Around each utterance's own mean: that is what is left once the running mean is gone.
        square = sum(numpy.square(f - f.mean(0)).sum(0, dtype=numpy.float64) for f in features) / frames
        return Normalizer(mean.astype(numpy.float32), numpy.sqrt(square).astype(numpy.float32))

    def __call__(self, features: Features) -> Features:
        """Less the running mean, which begins at the corpus' mean and hears each frame before it is used; over the deviation."""
        out, mean = numpy.empty_like(features), self.mean.copy()
        for t, frame in enumerate(features):
            mean += (frame - mean) / min(PRIOR_FRAMES + t + 1, WINDOW_FRAMES)
            out[t] = frame - mean
        return out / self.deviation
