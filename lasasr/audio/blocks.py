"""Audio files too long for memory: the same waveform as `read`, some seconds at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lasasr.audio import containers
from lasasr.audio.read import AudioFile, check_whole, length, mono, opened, parts
from lasasr.audio.resampling import resample

BLOCK_S = 10  # read at once
CONTEXT_S = 1  # around what is resampled: far more than the resampler's kernel reaches


def duration_s(path: str | Path) -> float:
    """Seconds of audio that a file says it holds; counted, where it does not say.

    Raises:
        LasasrError: the file is missing, is no audio file, is cut off, or holds several recordings.
    """
    with opened(path) as file:
        containers.check(Path(path), str(path))
        return float(length(file) / file.samplerate)


def blocks(path: str | Path, sample_rate_hz: int, block_s: int = BLOCK_S) -> Iterator[Tensor]:
    """Waveforms (S,) float32 that, one after another, are `read(path, sample_rate_hz)`.

    They begin at whole seconds, where both sampling rates have a sample, and are resampled with what surrounds them.

    Args:
        block_s: whole seconds, more than CONTEXT_S.

    Raises:
        LasasrError: see `read`; a damaged place is found when it is reached.
    """
    if block_s <= CONTEXT_S:
        raise ValueError(f"block_s must be > {CONTEXT_S}, got {block_s}")
    with opened(path) as file:
        from_hz = file.samplerate
        pending, begin_s, yielded_s = (
            torch.zeros(0),
            0,
            0,
        )  # pending begins at begin_s, with context that was yielded before
        for block in _decoded(file, block_s, str(path)):
            pending = torch.cat([pending, block])
            new = resample(pending, from_hz, sample_rate_hz)[(yielded_s - begin_s) * sample_rate_hz :]
            if len(block) < block_s * from_hz:
                yield new
            else:
                end_s = begin_s + len(pending) // from_hz
                yield new[: (end_s - CONTEXT_S - yielded_s) * sample_rate_hz]
                yielded_s, begin_s = end_s - CONTEXT_S, max(0, end_s - 2 * CONTEXT_S)
                pending = pending[-2 * CONTEXT_S * from_hz :]


def _decoded(file: AudioFile, block_s: int, name: str) -> Iterator[Tensor]:
    """All samples of a file, averaged over channels: full blocks, and a last one that is not full, perhaps empty."""
    at_once, done = block_s * file.samplerate, 0
    while True:
        waveforms, left = [], at_once
        for part in parts(file, at_once):
            waveforms.append(mono(part.T, file.samplerate, name, (done + at_once - left) / file.samplerate))
            left -= len(part)
        done += at_once - left
        if done == 0:
            mono(np.zeros((1, 0)), file.samplerate, name)  # which says that there is nothing
        if left:
            check_whole(file, done)
        yield torch.cat([torch.zeros(0), *waveforms])
        if left:
            return
