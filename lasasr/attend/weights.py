"""Energies → weights: the options that toolkits set differently in silence, each with a name here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import torch
from torch import Tensor
from torch.nn import functional

FUNCTIONS = ("softmax", "smoothing")
STARTS = ("uniform", "first", "zeros")


class WeightingOptions(TypedDict, total=False):
    """Keywords that every softmax variant passes on to `Weighting`."""

    scale: float
    weights: str
    top_k: int


@dataclass(frozen=True)
class Weighting:
    """Energies (B, K, H, T) → weights that are >= 0, exactly 0 outside the mask and sum to 1.

    Args:
        scale: inverse temperature, multiplied into the energies (ESPnet: 2.0).
        weights: "softmax", or "smoothing" σ(e) / Σσ(e) (Chorowski et al. 2015, §2.3).
        top_k: keep only the k largest weights and renormalise, *sharpening* (Chorowski et al. 2015, §2.3);
            0 keeps all, equal weights at the border are all kept.

    Raises:
        ValueError: an option has no meaning.
    """

    scale: float = 1.0
    weights: str = "softmax"
    top_k: int = 0

    def __post_init__(self) -> None:
        if self.weights not in FUNCTIONS:
            raise ValueError(f"weights must be one of {', '.join(FUNCTIONS)}, got {self.weights!r}")
        if self.top_k < 0:
            raise ValueError(f"top_k must be >= 0, got {self.top_k}")

    def __call__(self, energy: Tensor, mask: Tensor) -> Tensor:
        """Weights of energy (B, K, H, T) under mask (B, T) or (B, K, H, T); at least float32."""
        return self.scores(energy, mask).softmax(-1)

    def scores(self, energy: Tensor, mask: Tensor) -> Tensor:
        """What the softmax is taken of: log weights up to a constant, −∞ where the weight is 0."""
        if mask.dim() == 2:
            mask = mask[:, None, None]
        energy = at_least_float32(energy)
        if self.scale != 1.0:
            energy = energy * self.scale
        if self.weights == "smoothing":
            energy = functional.logsigmoid(energy)  # its softmax is σ/Σσ, without 0/0
        scores = torch.where(mask, energy, -torch.inf)
        if 0 < self.top_k < scores.shape[-1]:
            smallest = scores.detach().topk(self.top_k, dim=-1).values[..., -1:]
            scores = torch.where(scores >= smallest, scores, -torch.inf)
        return scores


@dataclass(frozen=True)
class PreviousWeights:
    """The last weights, for a variant that reads them: the first ones, their gradient, the window around them.

    Args:
        alpha_0: weights before the first step: "uniform" over real frames, "first" (all on frame 0) or "zeros".
        detach: no gradient through α_{t-1}.
        half_window: attend only to that many frames on either side of the median of α_{t-1}; 0: to all
            (Chorowski et al. 2015, §2.3).

    Raises:
        ValueError: an option has no meaning.
    """

    alpha_0: str = "uniform"
    detach: bool = False
    half_window: int = 0

    def __post_init__(self) -> None:
        if self.alpha_0 not in STARTS:
            raise ValueError(f"alpha_0 must be one of {', '.join(STARTS)}, got {self.alpha_0!r}")
        if self.half_window < 0:
            raise ValueError(f"half_window must be >= 0, got {self.half_window}")
        if self.half_window and self.alpha_0 != "first":
            raise ValueError(f"half_window needs alpha_0 'first', where the window begins, got {self.alpha_0!r}")

    def start(self, mask: Tensor, hypotheses: int, heads: int, dtype: torch.dtype) -> Tensor:
        """α_0 (B, K, H, T) for mask (B, T); at least float32."""
        real = at_least_float32(mask.to(dtype))
        if self.alpha_0 == "uniform":
            weights = real / real.sum(-1, keepdim=True)
        else:
            weights = torch.zeros_like(real)
            weights[:, 0] = 1.0 if self.alpha_0 == "first" else 0.0
        return weights[:, None, None].repeat(1, hypotheses, heads, 1)

    def differentiable(self, weights: Tensor) -> Tensor:
        """α_{t-1}, without a gradient into earlier steps if `detach`."""
        return weights.detach() if self.detach else weights

    def mask(self, weights: Tensor, mask: Tensor) -> Tensor:
        """Frames that may be attended to after weights (B, K, H, T), within mask (B, T)."""
        return window(weights, mask, self.half_window) if self.half_window else mask


def at_least_float32(values: Tensor) -> Tensor:
    """Half precision to float32; float32 and float64 as they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def window(weights: Tensor, mask: Tensor, half_width: int) -> Tensor:
    """Mask (B, K, H, T), True on real frames within `half_width` frames of the median of weights (B, K, H, T).

    The median is the first frame by which half of the weight is spent (Chorowski et al. 2015, §2.3).
    """
    frames = torch.arange(weights.shape[-1], device=weights.device)
    median = (weights.cumsum(-1) < 0.5).sum(-1, keepdim=True)
    return ((frames - median).abs() <= half_width) & mask[:, None, None]
