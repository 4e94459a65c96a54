"""Changes of the waveform in training. Each is a callable (waveform (S,), generator) → waveform (S',)."""

from __future__ import annotations

import functools
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from lasasr.audio.read import SUFFIXES, decoded, finished, opened
from lasasr.audio.resampling import resample
from lasasr.configuration.configurable import configurable
from lasasr.errors import LasasrError, UsageError, looked_up, nearest

Perturbation = Callable[[Tensor, torch.Generator], Tensor]

COLOURS = {"white": 0.0, "pink": 0.5, "brown": 1.0}  # amplitude falls with frequency to this power


class Variant(NamedTuple):
    """One of the few forms that a perturbation gives a waveform."""

    name: str  # of the form; "" for the waveform as it is
    stretch: float  # how much longer it is than the waveform


UNCHANGED = Variant("", 1.0)


class FinitePerturbation(ABC):
    """A perturbation that draws one of a few fixed forms: what is computed of each form can be kept."""

    @property
    @abstractmethod
    def variants(self) -> Sequence[Variant]:
        """All forms, each once."""

    @abstractmethod
    def choose(self, generator: torch.Generator) -> int:
        """The number of a form, drawn."""

    @abstractmethod
    def change(self, waveform: Tensor, variant: int) -> Tensor:
        """The waveform (S,) in a form, (S',)."""

    def __call__(self, waveform: Tensor, generator: torch.Generator) -> Tensor:
        """Perturb (S,)."""
        return self.change(waveform, self.choose(generator))

    def always(self, variant: int) -> Perturbation:
        """The perturbation that draws nothing and gives this form."""
        return functools.partial(_changed, self, variant)


def _changed(perturbation: FinitePerturbation, variant: int, waveform: Tensor, generator: torch.Generator) -> Tensor:
    return perturbation.change(waveform, variant)


@configurable("augment.waveform")
class SpeedPerturb(FinitePerturbation):
    """Play at a speed drawn from `factors`, which moves pitch and tempo together (Ko et al. 2015).

    S samples become ⌈S / factor⌉. The frames of an utterance grow by 1 / min(factors) at most; batch budgets count
    the unperturbed duration.

    Args:
        factors: speeds, all equally probable.

    Raises:
        UsageError: there is no factor, or one is not between 0.5 and 2.
    """

    def __init__(self, factors: Sequence[float] = (0.9, 1.0, 1.1)) -> None:
        if not factors or not all(0.5 <= factor <= 2.0 for factor in factors):
            raise UsageError(f"speed factors must lie between 0.5 and 2, got {list(factors)}")
        self.factors = [Fraction(factor).limit_denominator(100) for factor in factors]

    @property
    def variants(self) -> Sequence[Variant]:
        """See the contract."""
        return [UNCHANGED if factor == 1 else Variant(f"speed {factor}", float(1 / factor)) for factor in self.factors]

    def choose(self, generator: torch.Generator) -> int:
        """See the contract."""
        return draw(len(self.factors), generator)

    def change(self, waveform: Tensor, variant: int) -> Tensor:
        """See the contract."""
        factor = self.factors[variant]
        return resample(waveform, factor.numerator, factor.denominator)


@configurable("augment.waveform")
class AdditiveNoise:
    """Add noise at a signal-to-noise ratio drawn uniformly from `snr_db`.

    The ratio is that of the mean powers over the whole waveform. A recording is drawn from the folder and read from a
    random place; it is repeated when it is shorter than the speech. Where either of the two is digital silence no
    ratio exists, and the waveform stays as it is. The sum is not clipped.

    Args:
        snr_db: (lowest, highest), dB.
        probability: of adding noise to an utterance.
        folder: of recordings in any format and rate, searched with its subfolders; or
        colour: white, pink (power falls by 3 dB per octave) or brown (6 dB) noise instead.
        sample_rate_hz: of the waveforms.

    Raises:
        UsageError: not exactly one of `folder` and `colour` is given, or a value is out of range.
        LasasrError: the folder is missing or holds no audio.
    """

    def __init__(
        self,
        snr_db: Sequence[float] = (10.0, 20.0),
        probability: float = 1.0,
        folder: str | Path | None = None,
        colour: str | None = None,
        sample_rate_hz: int = 16_000,
    ) -> None:
        if (folder is None) == (colour is None):
            raise UsageError("additive noise needs either a folder of recordings or a colour")
        if colour is not None and colour not in COLOURS:
            raise UsageError(f"unknown noise colour {colour!r}; {nearest(colour, COLOURS)}")
        if len(snr_db) != 2 or not -math.inf < snr_db[0] <= snr_db[1] < math.inf:
            raise UsageError(f"snr_db must be [lowest, highest], got {list(snr_db)}")
        if not 0.0 <= probability <= 1.0:
            raise UsageError(f"probability must lie in [0, 1], got {probability}")
        self.low_db, self.high_db = snr_db
        self.probability = probability
        self.colour = colour
        self.sample_rate_hz = sample_rate_hz
        self.recordings = [] if folder is None else recordings(folder, "noise")

    def __call__(self, waveform: Tensor, generator: torch.Generator) -> Tensor:
        """Add noise to (S,)."""
        if float(torch.rand((), generator=generator)) >= self.probability:
            return waveform
        snr_db = self.low_db + float(torch.rand((), generator=generator)) * (self.high_db - self.low_db)
        if self.colour is None:
            noise = self._recorded(len(waveform), generator)
        else:
            noise = coloured(len(waveform), COLOURS[self.colour], generator)
        return mixed(waveform, noise, snr_db)

    def _recorded(self, samples: int, generator: torch.Generator) -> Tensor:
        """(samples,) from a random place of a random recording; only that part is decoded."""
        path = self.recordings[draw(len(self.recordings), generator)]
        with opened(path) as file:
            length = -(-samples * file.samplerate // self.sample_rate_hz)
            frames = file.frames if file.length_known else 0  # of a stream: from its beginning
            file.go_to(draw(max(1, frames - length + 1), generator))
            noise = finished(decoded(file, length), file.samplerate, self.sample_rate_hz, str(path))
        repeated: Tensor = noise.repeat(-(-samples // len(noise)))
        return repeated[:samples]


def mixed(waveform: Tensor, noise: Tensor, snr_db: float) -> Tensor:
    """waveform + g·noise, both (S,), with g so that the ratio of their mean powers is `snr_db`."""
    speech_power, noise_power = waveform.double().square().mean(), noise.double().square().mean()
    if speech_power == 0.0 or noise_power == 0.0:
        return waveform
    gain: Tensor = (speech_power / noise_power * 10.0 ** (-snr_db / 10.0)).sqrt()
    return waveform + noise * gain.to(noise.dtype)


def coloured(samples: int, exponent: float, generator: torch.Generator) -> Tensor:
    """Gaussian noise (samples,) whose amplitude spectrum falls as frequency to the power of −`exponent`."""
    if exponent == 0.0:
        return torch.randn(samples, generator=generator)
    from scipy.fft import next_fast_len  # of training alone

    enough = next_fast_len(samples, real=True)  # a length with a large prime factor takes ten times as long
    spectrum: Tensor = torch.fft.rfft(torch.randn(enough, generator=generator))
    frequency = torch.arange(len(spectrum)).clamp(min=1)
    spectrum = spectrum * frequency.pow(-exponent)
    spectrum[0] = 0.0  # no offset
    noise: Tensor = torch.fft.irfft(spectrum, n=enough)
    return noise[:samples]


def draw(choices: int, generator: torch.Generator) -> int:
    """One of 0..choices-1, all equally probable."""
    return int(torch.randint(choices, (), generator=generator))


def recordings(folder: str | Path, kind: str) -> list[Path]:
    """The audio files below `folder`, sorted.

    Args:
        kind: what the folder is for, in messages.

    Raises:
        LasasrError: it is missing or holds none.
    """
    folder = Path(os.path.expanduser(folder))  # noqa: PTH111 - of a user that there is not, as it stands
    if not folder.is_dir():
        raise LasasrError(f"{kind} folder {folder} is missing{looked_up(folder)}")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise LasasrError(f"{kind} folder {folder} holds no audio file ({', '.join(sorted(SUFFIXES))})")
    return paths
