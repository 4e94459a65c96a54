"""Nearly digital silence at the ends of a waveform, left out as `lasasr.audio.silence` does."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL_DB = -85.0  # of full scale
FRAME_S, END_S = 0.01, 0.2


def without_silent_ends(waveform: NDArray[Any], sample_rate_hz: int) -> NDArray[Any]:
    """A waveform (S,) without silence of END_S or more at its ends; one that is silent throughout stays as it is."""
    frame = max(1, int(FRAME_S * sample_rate_hz))
    squares = np.pad(waveform.astype(np.float32), (0, -len(waveform) % frame)).reshape(-1, frame) ** 2
    (loud,) = np.nonzero(squares.mean(1) > 10.0 ** (LEVEL_DB / 10.0))
    if not len(loud):
        return waveform
    first, last = int(loud[0]) * frame, min(int(loud[-1]) * frame + frame, len(waveform))
    least = END_S * sample_rate_hz
    return waveform[first if first >= least else 0 : last if len(waveform) - last >= least else len(waveform)]
