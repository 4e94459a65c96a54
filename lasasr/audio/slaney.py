"""Mel filters as in Slaney's Auditory Toolbox (1998), which encoders that were trained elsewhere were trained with."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_BEND_HZ = 1000.0  # below it the scale is linear, above it logarithmic
_BEND_MEL = 15.0
_MEL_PER_LOG = 27.0 / math.log(6.4)


def slaney_filters(sample_rate_hz: int, fft_size: int, bins: int) -> Tensor:
    """Triangular filters (fft/2 + 1, F) between 0 Hz and half the sampling rate, each of area 1 (in Hz, times 2)."""
    spectrum_hz = torch.arange(fft_size // 2 + 1, dtype=torch.float64)[:, None] * (sample_rate_hz / fft_size)
    edges = _hz(torch.linspace(0.0, _mel(sample_rate_hz / 2), bins + 2, dtype=torch.float64))
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (spectrum_hz - low) / (middle - low), (high - spectrum_hz) / (high - middle)
    triangles = torch.minimum(rising, falling).clamp(min=0.0)
    return (triangles * 2.0 / (high - low)).float()


def _mel(hz: float) -> float:
    if hz < _BEND_HZ:
        return hz * _BEND_MEL / _BEND_HZ
    return _BEND_MEL + math.log(hz / _BEND_HZ) * _MEL_PER_LOG


def _hz(mel: Tensor) -> Tensor:
    above = _BEND_HZ * torch.exp((mel - _BEND_MEL) / _MEL_PER_LOG)
    return torch.where(mel < _BEND_MEL, mel * _BEND_HZ / _BEND_MEL, above)
