"""Sinusoidal encodings of positions and of distances between frames."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sinusoids(positions: Tensor, dim: int) -> Tensor:
    """Positions (P,), floating → (P, D): sin and cos in turn, at rates from 1 to 1/10,000 (Vaswani et al. 2017, §3.5).

    Negative positions are distances to frames that come later.
    """
    halves = torch.arange(0, dim, 2, device=positions.device, dtype=positions.dtype)
    angles = positions[:, None] * torch.exp(halves * (-math.log(10000.0) / dim))
    return torch.stack((angles.sin(), angles.cos()), -1).flatten(1)[:, :dim]


def absolute(frames: Tensor) -> Tensor:
    """The encodings (T, D) of the positions 0, 1, ... of frames (B, T, D), never below float32."""
    count, dim = frames.shape[1:]
    return sinusoids(torch.arange(count, device=frames.device, dtype=_precise(frames)), dim)


def distances(frames: Tensor) -> Tensor:
    """The encodings (2T, D) of the distances T − 1, T − 2, ..., −T between frames (B, T, D), never below float32.

    −T lies between no two frames: with it the table is as `by_distance` wants it.
    """
    count, dim = frames.shape[1:]
    apart = torch.arange(count - 1, -count - 1, -1, device=frames.device, dtype=_precise(frames))
    return sinusoids(apart, dim)


def by_distance(energies: Tensor) -> Tensor:
    """Energies (..., T, 2T) of frame i with the distances T − 1, ..., −T → (..., T, T), of frame i with i − j.

    Entry (i, j) lies at i · 2T + (T − 1 − i + j) = T − 1 + i · (2T − 1) + j of a flattened table, which from T − 1 on
    is a table of rows one shorter: views and no index (Dai et al. 2019, appendix B).
    """
    count = energies.shape[-2]
    rows = energies.flatten(-2)[..., count - 1 : count - 1 + count * (2 * count - 1)]
    return rows.view(*rows.shape[:-1], count, 2 * count - 1)[..., :count]


def _precise(frames: Tensor) -> torch.dtype:
    return torch.promote_types(frames.dtype, torch.float32)
