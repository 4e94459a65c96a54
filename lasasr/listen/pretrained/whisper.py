"""The encoder of Whisper (Radford et al. 2023) on the frames of the utterance alone, or in its window of 30 s."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from lasasr.errors import LasasrError
from lasasr.listen.pretrained.body import Body
from lasasr.nn import lengths as length

RANGE = 2.0  # from the loudest feature to the floor (`audio/whisper_log_mel.py`)
SILENCE = -1.5  # the lowest floor
FRAMES_S = 100  # of features, per second
POSITIONS_ATOL = 2e-3  # between sinusoids and what weights in float16 hold of them


class WhisperBody(Body):
    """See `Body`; features are those of `WhisperLogMelFrontend`.

    Args:
        config: config.json.
        window: "real": positions end where the utterance ends, and nothing looks beyond; "full": the utterance is
            followed by silence up to 30 s, as Whisper was trained.
    """

    prefixes: ClassVar[tuple[str, ...]] = ("model.encoder.", "encoder.", "")
    factor = 2

    def __init__(self, config: Mapping[str, Any], window: str) -> None:
        super().__init__()
        settings = WhisperConfig(**config, attn_implementation="sdpa")
        self.net = WhisperEncoder(settings)
        self.layers, self.width = self.net.layers, int(settings.d_model)
        self.widens, self.reach = window == "full", 2 * int(settings.max_source_positions)

    @property
    def longest(self) -> int | None:
        """See `Encoder`; sinusoids have no end where no window is filled."""
        weight = self.net.embed_positions.weight
        endless = torch.allclose(_sinusoids(len(weight), weight), weight, rtol=0.0, atol=POSITIONS_ATOL)
        return None if endless and not self.widens else self.reach

    @property
    def features(self) -> tuple[nn.Module, ...]:
        """See the contract."""
        return (self.net.conv1, self.net.conv2, self.net.embed_positions)

    @property
    def ending(self) -> tuple[nn.Module, ...]:
        """See the contract."""
        return (self.net.layer_norm,)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """⌈lengths / 2⌉."""
        return length.ceil_div(lengths, self.factor)

    def begin(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """See the contract.

        Raises:
            LasasrError: an utterance is longer than the positions reach.
        """
        positions = self._positions(features.shape[1])
        real = length.mask(lengths, features.shape[1])[..., None]
        if self.widens:
            features, real = self._in_silence(features, real)
        hidden = functional.gelu(self.net.conv1(features.transpose(1, 2)))
        hidden = hidden if self.widens else hidden * real.transpose(1, 2)
        hidden = functional.gelu(self.net.conv2(hidden)).transpose(1, 2)
        hidden = hidden + positions[: hidden.shape[1]]
        hidden = functional.dropout(hidden, self.net.dropout, self.net.conv1.training)
        return hidden, self.output_lengths(lengths)

    def _positions(self, features: int) -> Tensor:
        """Those of the weights; beyond their end, the sinusoids that they are."""
        weight: Tensor = self.net.embed_positions.weight
        if features <= self.reach:
            return weight
        if self.longest is not None:
            raise LasasrError(
                f"an utterance of {features / FRAMES_S:.1f} s is too long: the positions of these weights end "
                f"at {self.reach / FRAMES_S:.0f} s; cut it, or leave it out"
            )
        count = int(self.output_lengths(torch.tensor(features)))
        return torch.cat((weight, _sinusoids(count, weight)[len(weight) :]))

    def _in_silence(self, features: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """Features and mask of the whole window, with the floor of each utterance after its end."""
        loudest = features.masked_fill(~real, -torch.inf).amax((1, 2), keepdim=True)
        more = self.reach - features.shape[1]
        features, real = functional.pad(features, (0, 0, 0, more)), functional.pad(real, (0, 0, 0, more))
        return torch.where(real, features, (loudest - RANGE).clamp(min=SILENCE)), real

    def context(self, hidden: Tensor, real: Tensor) -> Mapping[str, Any]:
        """See the contract."""
        return {"attention_mask": None if self.widens else real[:, None, None]}

    def inner_lengths(self, lengths: Tensor) -> Tensor:
        """See the contract."""
        return torch.full_like(lengths, self.reach // 2) if self.widens else lengths

    def end(self, hidden: Tensor) -> Tensor:
        """See the contract."""
        normalised: Tensor = self.net.layer_norm(hidden)
        return normalised


def _sinusoids(count: int, like: Tensor) -> Tensor:
    """(count, D): sine and cosine of position times 10000^(-i / (D/2 - 1)) (Radford et al. 2023, §2.2)."""
    half = like.shape[1] // 2
    rates = torch.exp(torch.arange(half, device=like.device) * (-math.log(10_000.0) / (half - 1)))
    angles = torch.arange(count, device=like.device)[:, None] * rates
    return torch.cat((angles.sin(), angles.cos()), 1).to(like.dtype)
