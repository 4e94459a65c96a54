"""Log-mel filterbank energies, normalised: the front end that recipes use."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from lasasr.audio.base import Frontend
from lasasr.audio.cmvn import GlobalCMVN, Statistics, UtteranceCMVN
from lasasr.audio.fbank import Fbank
from lasasr.errors import LasasrError, UsageError, nearest

LONGEST_MS = 10_000.0  # of a frame
CMVN = ("global", "none", "utterance")


class FbankFrontend(Frontend):
    """Waveforms (B, S) → normalised log-mel features (B, T, F), float32, 0 on padding, without gradient.

    The state dict holds the statistics of global CMVN, and nothing for the other kinds.

    Args:
        sample_rate_hz: of the waveforms.
        bins: F, mel filters.
        frame_length_ms: window.
        frame_shift_ms: from one frame to the next.
        cmvn: "utterance" (own mean and standard deviation), "global" (those of the training data, see `fit`) or "none".

    Raises:
        UsageError: `cmvn` is unknown, or there are more bins than the window can tell apart.
    """

    def __init__(
        self,
        sample_rate_hz: int = 16_000,
        bins: int = 80,
        frame_length_ms: float = 25.0,
        frame_shift_ms: float = 10.0,
        cmvn: str = "utterance",
    ) -> None:
        # a frame's time is the middle of its window
        super().__init__(
            sample_rate_hz=sample_rate_hz,
            output_dim=bins,
            frame_shift_ms=frame_shift_ms,
            first_centre_ms=int(sample_rate_hz * frame_length_ms / 1000) * 500.0 / sample_rate_hz,
        )
        for name, length_ms in (("frame_length_ms", frame_length_ms), ("frame_shift_ms", frame_shift_ms)):
            if not 0.0 < length_ms <= LONGEST_MS:
                raise UsageError(f"frontend.{name} must be above 0 and at most {LONGEST_MS:g}, got {length_ms}")
        if cmvn not in CMVN:
            raise UsageError(f"frontend.cmvn={cmvn:.60} is unknown; {nearest(cmvn, CMVN)}")
        self.fbank = Fbank(sample_rate_hz, bins, frame_length_ms, frame_shift_ms)
        self.cmvn = {"global": GlobalCMVN(bins), "utterance": UtteranceCMVN(), "none": None}[cmvn]
        self._ready = cmvn != "global"

    @property
    def ready(self) -> bool:
        """False while global CMVN waits for its statistics."""
        if not self._ready and isinstance(self.cmvn, GlobalCMVN):
            self._ready = int(self.cmvn.frames) > 0  # once: on CUDA this waits for the device
        return self._ready

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Frames (B,) of waveforms with `lengths` (B,) samples; at least 1."""
        return self.fbank.output_lengths(lengths)

    @torch.no_grad()
    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, T, F) and their lengths (B,).

        Args:
            waveforms: (B, S) in [-1, 1]; padding may hold anything.
            lengths: (B,) int64, 1 <= lengths <= S.

        Raises:
            LasasrError: global CMVN has no statistics.
        """
        if not self.ready:
            raise LasasrError("global CMVN has no statistics; `lasasr prepare` computes them from the training audio")
        features, produced = self.fbank(waveforms, lengths)
        return (features if self.cmvn is None else self.cmvn(features, produced)), produced

    def fit(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Set global CMVN from (waveforms (B, S), lengths (B,)) of the training data.

        Raises:
            LasasrError: there is no frame, or one is not finite.
            ValueError: `cmvn` is not "global".
        """
        if not isinstance(self.cmvn, GlobalCMVN):
            raise ValueError("cmvn must be 'global' to take statistics")
        statistics = Statistics(self.output_dim)
        for waveforms, lengths in batches:
            statistics.add(*self.fbank(waveforms, lengths))
        self.cmvn.fit(statistics)
