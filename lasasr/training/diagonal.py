"""Does attention read along? A test on the weights of a teacher-forced pass, cheap enough for every few updates.

For an utterance of U tokens and T encoded frames, α_u(t) is the weight of frame t at the step of token u (eos is left
out), scaled to sum to 1; c_u = Σ_t t·α_u(t) its centre; w = ⌈T/U⌉ the frames of one token if all were equally long. The
utterance is *read along* when for one head

    correlation of c_u with u (Pearson)                                   ≥ 0.9   the centres lie on a line …
    its slope · (U − 1) / T                                               ≥ 0.6   … that covers most of the frames
    gain (n − n₀) / (1 − n₀), n = mean_u Σ_{|t − c_u| ≤ w} α_u(t)         ≥ 0.5   and the weights lie near it

n₀ = (2w + 1) / T is what uniform weights put there: they have gain 0, weights all within a token's length have gain 1.
Weights that move on by themselves before anything is learnt (`gmm`, `forward`, `monotonic`) lie on a line, but not near
it, or end too early. A step without any weight (`monotonic` past the end) counts 0 in n and not at all in the line.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from lasasr.nn import host_mirror, lengths

CORRELATION, COVERED, GAIN = 0.9, 0.6, 0.5
LEAST_TOKENS = 5  # fewer points are on a line too easily: such an utterance is not judged


class Diagonal(NamedTuple):
    """What is measured, per utterance and head; float32."""

    correlation: Tensor  # (B, H) in [-1, 1]
    covered: Tensor  # (B, H), share of the frames
    gain: Tensor  # (B, H), 0 as uniform weights, 1 all near the line


def read_along(weights: Tensor, encoded_lengths: Tensor, token_lengths: Tensor) -> Tensor:
    """(N,) bool on the CPU for the N utterances of at least `LEAST_TOKENS` tokens; for the arguments see `measured`."""
    shares = measured(weights, encoded_lengths, token_lengths)
    heads = (shares.correlation >= CORRELATION) & (shares.covered >= COVERED) & (shares.gain >= GAIN)
    return heads.any(1).cpu()[host_mirror.on_host(token_lengths) >= LEAST_TOKENS]


@torch.no_grad()
def measured(weights: Tensor, encoded_lengths: Tensor, token_lengths: Tensor) -> Diagonal:
    """Measure a batch.

    Args:
        weights: (B, U + 1, H, T), ≥ 0 and 0 on padding frames; steps from `token_lengths` on may hold anything.
        encoded_lengths: (B,) int64, T of each utterance.
        token_lengths: (B,) int64, U of each utterance.
    """
    steps = lengths.mask(token_lengths, weights.shape[1])[:, :, None]  # (B, U + 1, 1)
    alpha = torch.where(steps[..., None], weights.float(), 0.0)
    total = alpha.sum(-1, keepdim=True)
    alpha = alpha / total.clamp(min=torch.finfo(torch.float32).tiny)
    t = torch.arange(weights.shape[-1], device=weights.device, dtype=torch.float32)
    centre = alpha @ t  # (B, U + 1, H)
    correlation, slope = _line(centre, total.squeeze(-1) > 0)
    frames, tokens = encoded_lengths[:, None], token_lengths[:, None].clamp(min=1)
    width = lengths.ceil_div(frames, tokens)[:, :, None, None]
    near = torch.where((t - centre[..., None]).abs() <= width, alpha, 0.0).sum((1, 3)) / tokens
    chance = ((2 * width.flatten(1) + 1) / frames).clamp(max=1.0)
    gain = (near - chance) / (1 - chance).clamp(min=1e-6)
    return Diagonal(correlation, slope * (tokens - 1) / frames, torch.where(chance < 1, gain, 0.0))


def _line(centre: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Correlation and slope (B, H) of centre (B, U, H) over u, of the steps that count (B, U, H)."""
    number = counts.sum(1).clamp(min=1)
    u = torch.arange(centre.shape[1], device=centre.device, dtype=torch.float32)[None, :, None]

    def deviation(values: Tensor) -> Tensor:
        kept = torch.where(counts, values, 0.0)
        return torch.where(counts, values - kept.sum(1, keepdim=True) / number[:, None], 0.0)

    du, dc = deviation(u), deviation(centre)
    together, spread = (du * dc).sum(1), du.square().sum(1)
    moved = dc.square().sum(1)
    still = moved <= 1e-6 * number  # rounding, not movement
    correlation = together / (moved * spread).sqrt().clamp(min=1e-12)
    return torch.where(still, 0.0, correlation), together / spread.clamp(min=1e-12)
