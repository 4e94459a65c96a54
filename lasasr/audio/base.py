"""The contract of a front end: waveforms in, features out, the same in training and in the bundle."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from torch import Tensor, nn

from lasasr.configuration.configurable import configurable
from lasasr.errors import LasasrError, UsageError


class Frontend(nn.Module, ABC):
    """Waveforms (B, S) → features (B, T, F).

    Promises, each tried by `lasasr check frontend=NAME`:
    * the features of an utterance are the same alone and in any batch (padding may hold anything, NaN too);
    * `output_lengths(lengths)` equals the frames produced, for every length ≥ 1, and is ≥ 1;
    * features are exactly 0 on padding, and finite for silence;
    * the state dict holds everything that was fitted: it travels in checkpoints and in the bundle.

    A front end may have parameters: they are trained with the encoder's, their initial weights follow `seed`.

    Args:
        sample_rate_hz: of the waveforms; audio of another rate is resampled before.
        output_dim: F.
        frame_shift_ms: from the centre of one frame to that of the next.
        first_centre_ms: time of the first frame's centre, from which the times of words follow.

    Raises:
        UsageError: a number is not positive.
    """

    spectral: ClassVar[bool] = True
    """Whether F is a frequency axis: such features can be masked by SpecAugment and drawn as a spectrogram."""

    def __init__(
        self, *, sample_rate_hz: int, output_dim: int, frame_shift_ms: float, first_centre_ms: float = 0.0
    ) -> None:
        super().__init__()
        numbers = {"sample_rate_hz": sample_rate_hz, "output_dim": output_dim, "frame_shift_ms": frame_shift_ms}
        for name, number in numbers.items():
            if not isinstance(number, int | float) or not number > 0:
                raise UsageError(f"frontend.{name} must be positive, got {number}")
        self.sample_rate_hz = sample_rate_hz
        self.output_dim = output_dim
        self.frame_shift_ms = frame_shift_ms
        self.first_centre_ms = first_centre_ms

    @abstractmethod
    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Frames (B,) of waveforms with `lengths` (B,) samples; at least 1."""

    @abstractmethod
    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, T, F) float32 and their lengths (B,) int64.

        Args:
            waveforms: (B, S) in [-1, 1]; padding may hold anything.
            lengths: (B,) int64, 1 <= lengths <= S.

        Raises:
            LasasrError: the front end must be fitted first.
        """

    @property
    def ready(self) -> bool:
        """Whether it can be used; False while it waits for `fit`."""
        return True

    def fit(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Learn from the unperturbed training audio what must be known before the first update.

        Called once before training where `ready` is False; what it sets must be part of the state dict.

        Args:
            batches: (waveforms (B, S), lengths (B,)) of the whole training set.

        Raises:
            LasasrError: the audio is not usable for it.
            ValueError: there is nothing to fit.
        """
        raise ValueError(f"{type(self).__name__} has nothing to fit")


def checked(frontend: Frontend) -> Frontend:
    """`frontend`, if it keeps to the contract as far as can be seen without audio.

    Raises:
        LasasrError: it did not call the constructor of its base class.
    """
    name = type(frontend).__name__
    for attribute in ("sample_rate_hz", "output_dim", "frame_shift_ms", "first_centre_ms"):
        if not hasattr(frontend, attribute):
            raise LasasrError(f"frontend {name} sets no {attribute}; call super().__init__(...) of Frontend with it")
    return frontend


@configurable("frontend")
def of_encoder() -> Frontend:
    """In the place of the front end that an encoder needs, which replaces it before anything is built.

    Raises:
        UsageError: the encoder needs none in particular.
    """
    raise UsageError("frontend=of_encoder is for an encoder that needs a certain one, as listen=pretrained; choose one")
