"""Small pictures and sounds as data URLs, for a page in one file."""

from __future__ import annotations

import base64
import io
from typing import Final

import matplotlib
import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image

LEVELS: Final = 48  # of a colour map; more are hardly distinguishable and need more bytes
COLUMNS: Final = 900  # of a picture; a longer one is averaged

Array = NDArray[np.floating]


def picture(values: Array, colours: str, low: float, high: float) -> str:
    """`values` (rows, columns), the first row on top, as an indexed PNG of one pixel per value.

    Args:
        colours: name of a Matplotlib colour map.
        low, high: the values at its ends; values outside are clipped.
    """
    thin = _thinned(np.asarray(values, dtype=np.float64))
    shares = np.clip((thin - low) / ((high - low) or 1.0), 0.0, 1.0)
    image = Image.fromarray(np.rint(shares * (LEVELS - 1)).astype(np.uint8), mode="P")
    palette = matplotlib.colormaps[colours](np.linspace(0.0, 1.0, LEVELS))[:, :3]
    image.putpalette(np.rint(255.0 * palette).astype(np.uint8).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return _address("image/png", buffer.getvalue())


def _thinned(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most COLUMNS columns, each the mean of several."""
    step = -(-values.shape[1] // COLUMNS)
    starts = np.arange(0, values.shape[1], step)
    sums: NDArray[np.float64] = np.add.reduceat(values, starts, axis=1)
    return sums / np.diff(np.append(starts, values.shape[1]))


def sound(waveform: Array, sample_rate_hz: int) -> str:
    """A waveform (S,) as FLAC of 16 bits."""
    buffer = io.BytesIO()
    soundfile.write(buffer, waveform, sample_rate_hz, format="FLAC", subtype="PCM_16")
    return _address("audio/flac", buffer.getvalue())


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
