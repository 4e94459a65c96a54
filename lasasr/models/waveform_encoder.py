"""Front end and model as one: waveforms → what a search needs, on whatever device they lie."""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from lasasr.audio.base import Frontend
from lasasr.audio.fbank_frontend import FbankFrontend
from lasasr.listen.base import Encoded, StagedEncoder
from lasasr.models.network import Model
from lasasr.nn import frozen, host_mirror, lengths
from lasasr.search.acoustics import Acoustics

_PICTURE_BINS = 40  # of the spectrogram drawn for a front end without a frequency axis


class Spectrogram(NamedTuple):
    """For pictures."""

    values: Tensor  # (T, F)
    frame_s: float  # from one frame to the next


class WaveformEncoder(nn.Module):
    """Front end and model.

    Args:
        frontend: waveforms → features.
        model: features → encoded, and the heads above.
    """

    def __init__(self, frontend: Frontend, model: Model) -> None:
        super().__init__()
        self.frontend, self.model = frontend, model

    def train(self, mode: bool = True) -> Self:
        """As of any module, but for parts of which nothing is trained: they stay in evaluation mode."""
        super().train(mode)
        frozen.settle(self)
        return self

    @property
    def encoded_frame_s(self) -> float:
        """Seconds from one encoded frame to the next."""
        return self.frontend.frame_shift_ms * self.model.encoder.subsampling_factor / 1000.0

    @property
    def encoded_begin_s(self) -> float:
        """When the first encoded frame begins: a window of 25 ms every 10 ms speaks for the 10 ms in its middle."""
        return (self.frontend.first_centre_ms - self.frontend.frame_shift_ms / 2.0) / 1000.0

    @property
    def parameter_count(self) -> int:
        """Trainable and frozen parameters of front end and model."""
        return sum(p.numel() for part in (self.frontend, self.model) for p in part.parameters())

    @torch.inference_mode()
    def encode_waveforms(self, waveforms: Tensor, waveform_lengths: Tensor, fixed: Encoded | None = None) -> Acoustics:
        """Waveforms (B, S) of so many samples, on any device, as a search needs them.

        Args:
            fixed: what the frozen part of the encoder gives of them, where that is kept.
        """
        device = next(self.parameters()).device
        if fixed is None:
            moved = host_mirror.to(waveforms, device), host_mirror.to(waveform_lengths, device)
            return self.acoustics(*self.encoder_input(*moved))
        values, lengths = (host_mirror.to(tensor, device) for tensor in fixed)
        return self.acoustics(values.float(), lengths)

    def encoder_input(
        self, waveforms: Tensor, waveform_lengths: Tensor, fixed: Encoded | None = None
    ) -> tuple[Tensor, Tensor]:
        """What SpecAugment masks and `encode` takes, and its lengths: features, or what a frozen first stage gives.

        Args:
            fixed: what that gives, where it is kept; waveforms are not looked at then.
        """
        encoder = self.model.encoder
        if not self.is_staged:
            features, frames = self.frontend(waveforms, waveform_lengths)
            return features, frames
        assert isinstance(encoder, StagedEncoder)
        if fixed is None:
            fixed = encoder.fixed(*self.frontend(waveforms, waveform_lengths))
        return fixed.encoded.float(), fixed.lengths

    def encode(self, values: Tensor, lengths: Tensor) -> Encoded:
        """Encode what `encoder_input` gave, augmented or not."""
        return self.model.encode(values, lengths, self.is_staged)

    def encode_with_intermediate(self, values: Tensor, lengths: Tensor) -> tuple[Encoded, list[Tensor]]:
        """The same with the outputs of intermediate layers (`Model.encode_with_intermediate`)."""
        return self.model.encode_with_intermediate(values, lengths, self.is_staged)

    @property
    def is_staged(self) -> bool:
        """Whether the encoder has a first stage that stays frozen."""
        return isinstance(self.model.encoder, StagedEncoder) and self.model.encoder.keeps

    @torch.inference_mode()
    def spectrogram(self, waveform: Tensor) -> Spectrogram:
        """What attention maps of waveform (S,) are drawn over: its features where they are a spectrum, else log-mel."""
        device = next(self.parameters()).device
        frontend: Frontend = self.frontend
        if not frontend.spectral:
            frontend = FbankFrontend(frontend.sample_rate_hz, bins=_PICTURE_BINS).to(device)
        features, _ = frontend(waveform[None].to(device), torch.tensor([len(waveform)], device=device))
        return Spectrogram(features[0].float().cpu(), frontend.frame_shift_ms / 1000.0)

    def acoustics(self, values: Tensor, frames: Tensor) -> Acoustics:
        """Encode what `encoder_input` gave into what a search needs."""
        encoded = self.encode(values, frames)
        mask = lengths.mask(encoded.lengths, encoded.encoded.shape[1])
        ctc = self.model.ctc_log_probs(encoded.encoded) if self.model.ctc is not None else None
        return Acoustics(encoded.encoded, mask, ctc)
