"""SpecAugment: time warp, frequency masks and time masks (Park et al. 2019, https://arxiv.org/abs/1904.08779)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from lasasr.audio import draws
from lasasr.errors import UsageError, nearest
from lasasr.nn import host_mirror


@dataclass(frozen=True)
class Policy:
    """One row of table 1 of the paper; frames and bins."""

    time_warp: int  # W, frames; 0: none
    frequency_width: int  # F, the widest frequency mask
    frequency_masks: int  # m_F
    time_width: int  # T, the widest time mask
    time_share: float  # p, a time mask is at most this share of the utterance
    time_masks: int  # m_T


MOST_MASKS = 1000  # of a kind in an utterance; each is drawn, and takes memory
POLICIES = {
    "LB": Policy(80, 27, 1, 100, 1.0, 1),  # LibriSpeech basic
    "LD": Policy(80, 27, 2, 100, 1.0, 2),  # LibriSpeech double
    "SM": Policy(40, 15, 2, 70, 0.2, 2),  # Switchboard mild
    "SS": Policy(40, 27, 2, 70, 0.2, 2),  # Switchboard strong
}


class SpecAugment(nn.Module):
    """Augment normalised features; active in training only.

    Masked values become 0, the mean after CMVN. Widths are drawn from 0 to the policy's, both included. The time warp
    stretches what lies before a random frame and shrinks what lies after it, or the other way round, by linear
    interpolation between frames: the piecewise-linear form of the paper's image warp, of which only the time axis
    moves (§2). An utterance of at most 2·W frames has no frame to warp around and stays unwarped.

    What is drawn for an utterance depends on (seed, epoch, utterance) alone: not on its batch, rank or worker.

    Args:
        policy: name of the paper's policy: LB, LD, SM or SS.
        time_warp: frames; replaces the value of the policy, as do the next five.
        frequency_width: bins.
        frequency_masks: how many, at most `MOST_MASKS`.
        time_width: frames.
        time_share: share of the utterance, in [0, 1].
        time_masks: how many, at most `MOST_MASKS`.
        onset_step: optimizer steps before the first augmented one; 0 in the paper.
        seed: of the run.

    Raises:
        UsageError: `policy` is unknown, a number is negative, there are more than `MOST_MASKS`, or `time_share` is
            outside [0, 1].
    """

    def __init__(
        self,
        policy: str = "LD",
        time_warp: int | None = None,
        frequency_width: int | None = None,
        frequency_masks: int | None = None,
        time_width: int | None = None,
        time_share: float | None = None,
        time_masks: int | None = None,
        onset_step: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if policy not in POLICIES:
            raise UsageError(f"unknown SpecAugment policy {policy!r}; {nearest(policy, POLICIES)}")
        replacements: dict[str, Any] = {
            "time_warp": time_warp,
            "frequency_width": frequency_width,
            "frequency_masks": frequency_masks,
            "time_width": time_width,
            "time_share": time_share,
            "time_masks": time_masks,
        }
        _check(replacements)
        self.policy = replace(
            POLICIES[policy], **{key: value for key, value in replacements.items() if value is not None}
        )
        self.onset_step = onset_step
        self.seed = seed

    def forward(self, features: Tensor, lengths: Tensor, step: int, epoch: int, ids: Sequence[str]) -> Tensor:
        """Augment features (B, T, F); the input is left as it is, padding stays 0.

        Args:
            features: (B, T, F), normalised, 0 on padding.
            lengths: (B,) int64.
            step: optimizer steps done so far.
            epoch: of the batch.
            ids: B utterance ids.
        """
        if not self.training or step < self.onset_step:
            return features
        frequencies, times = 2 * self.policy.frequency_masks, 2 * self.policy.time_masks
        drawn = draws.uniform("specaugment", self.seed, epoch, ids, 2 + frequencies + times)
        drawn = host_mirror.to(drawn, features.device)
        warp, frequency, time = drawn[:, :2], drawn[:, 2 : 2 + frequencies], drawn[:, 2 + frequencies :]
        if self.policy.time_warp:
            features = warped(features, lengths, self.policy.time_warp, warp)
        bins = torch.full_like(lengths, features.shape[2])
        widest = torch.full_like(lengths, self.policy.frequency_width).minimum(bins)
        hidden = masked(features.shape[2], bins, widest, frequency)[:, None, :]
        share = (lengths * self.policy.time_share).long()
        widest = torch.full_like(lengths, self.policy.time_width).minimum(share)
        hidden = hidden | masked(features.shape[1], lengths, widest, time)[:, :, None]
        return features.masked_fill(hidden, 0.0)


def _check(numbers: Mapping[str, float | None]) -> None:
    for name, value in numbers.items():
        most = {"frequency_masks": MOST_MASKS, "time_masks": MOST_MASKS, "time_share": 1.0}.get(name, math.inf)
        if value is not None and not 0 <= value <= most:
            bound = f"in [0, {most:g}]" if most < math.inf else "≥ 0"
            raise UsageError(f"augment.specaugment.{name} must be {bound}, got {value}")


def masked(size: int, extent: Tensor, widest: Tensor, drawn: Tensor) -> Tensor:
    """Union (B, size) bool of masks that lie within each row's first `extent` (B,) positions.

    Args:
        size: positions of a row.
        extent: (B,) int64.
        widest: (B,) int64, at most `extent`.
        drawn: (B, 2·masks) in [0, 1): widths, then starts.
    """
    for_width, for_start = drawn.chunk(2, dim=1)
    width = draws.between(for_width, torch.zeros_like(widest)[:, None], widest[:, None])
    start = draws.between(for_start, torch.zeros_like(width), extent[:, None] - width)
    position = torch.arange(size, device=drawn.device)
    return ((position >= start[..., None]) & (position < (start + width)[..., None])).any(1)


def warped(features: Tensor, lengths: Tensor, limit: int, drawn: Tensor) -> Tensor:
    """Move a random frame of each utterance of (B, T, F) by up to `limit` frames; both its ends stay in place.

    Args:
        features: (B, T, F).
        lengths: (B,) int64.
        limit: W; an utterance of at most 2·W frames stays as it is.
        drawn: (B, 2) in [0, 1).
    """
    low = torch.full_like(lengths, limit)
    source = draws.between(drawn[:, 0], low, lengths - 1 - limit)
    target = (source + draws.between(drawn[:, 1], -low, low)).maximum(torch.ones_like(source)).minimum(lengths - 2)
    source, target = (torch.where(lengths > 2 * limit, frame, 1)[:, None] for frame in (source, target))
    last = (lengths - 1)[:, None]
    time = torch.arange(features.shape[1], device=features.device)[None]
    before = time * (source / target)
    after = source + (time - target) * ((last - source) / (last - target).clamp(min=1))
    position = torch.where(time <= target, before, after)
    position = torch.where(time < last, position, time.to(position.dtype))  # ends and padding exactly in place
    left = position.long()
    share = (position - left)[..., None].to(features.dtype)
    left += torch.arange(len(features), device=left.device)[:, None] * features.shape[1]  # rows of (B·T, F)
    frames = features.flatten(0, 1)
    right = (left + 1).clamp(max=len(frames) - 1)  # beyond an utterance's end only where its share is 0
    at_left, at_right = (frames.index_select(0, frame.flatten()).view_as(features) for frame in (left, right))
    return torch.lerp(at_left, at_right, share)
