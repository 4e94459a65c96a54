"""Figures without a display and without global state, written as PNG."""

from __future__ import annotations

import warnings
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lasasr.artifacts.files import replacing

DPI = 120


def blank(width_in: float, height_in: float) -> Figure:
    """An empty figure that pyplot does not register, so that nothing has to close it."""
    figure = Figure(figsize=(width_in, height_in), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write `figure` to `path` as PNG, atomically."""
    with replacing(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # they are drawn as boxes
        figure.savefig(temporary, format="png")
