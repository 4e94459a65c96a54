"""Faults of the samples themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lasasr.audio.read import cancelled

CLIPPED = 1e-3  # of the samples lie on a flat top
FLAT = 1 / 32768  # a top is flat when its samples differ by no more than one step of 16 bits
QUIET = 0.1  # below this peak a slow wave's own tops are flat
DROPPED = 0.5  # of the samples are exact zeros in long rows
ROW_S = 0.1  # how long such a row is at least


def faults(channels: NDArray[np.float32], rate_hz: int) -> list[tuple[str, str]]:
    """(kind, detail) of everything wrong with channels (C, S), S ≥ 1."""
    finite = np.isfinite(channels)
    if not finite.all():
        first = int(np.nonzero(~finite.all(0))[0][0]) / rate_hz
        return [("NaN or infinite samples", f"{int((~finite).sum())} samples, the first at {first:.3f} s")]
    if not np.ptp(channels):
        return [("digital silence", f"all samples are {float(channels.flat[0]):g}")]
    if cancelled(channels, rate_hz):
        return [("opposite phase", "one channel is the other upside down")]
    faults = []
    clipped = max(_clipped(channel) for channel in channels)
    if clipped > CLIPPED:
        faults.append(("clipping", f"{100 * clipped:.1f} % of the samples lie on a flat top"))
    silent: NDArray[np.bool_] = np.all(channels == 0, axis=0)
    zeros = _in_long_rows(silent, round(ROW_S * rate_hz)) / channels.shape[1]
    if zeros > DROPPED:
        faults.append(
            ("dropouts", f"{100 * zeros:.0f} % of the samples are exact zeros in rows of {ROW_S:g} s or more")
        )
    return faults


def _clipped(samples: NDArray[np.float32]) -> float:
    """Share of samples (S,) that lie, three or more in a row, at the highest or lowest value."""
    share = 0.0
    for top in (samples.max(), samples.min()):
        if abs(top) >= QUIET:
            share += _in_long_rows(np.abs(samples - top) <= FLAT, 3) / len(samples)
    return share


def _in_long_rows(flags: NDArray[Any], shortest: int) -> int:
    """How many True lie in rows of at least `shortest`."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    rows = edges[1::2] - edges[::2]
    return int(rows[rows >= shortest].sum())
