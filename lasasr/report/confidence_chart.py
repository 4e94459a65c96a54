"""A picture of how far confidence can be believed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from lasasr.metrics.confidence import BINS
from lasasr.report import figures


def confidence_chart(confidences: Sequence[float], right: Sequence[bool], title: str) -> Figure:
    """Left: the share of words that are right by their confidence; right: what is wrong by the share that is kept."""
    values, good = np.array(confidences), np.array(right, dtype=bool)
    figure = figures.blank(9.0, 4.0)
    figure.suptitle(title)
    reliability, error = figure.subplots(1, 2)
    bins = [part for part in np.array_split(np.argsort(values, kind="stable"), BINS) if len(part)]
    reliability.plot([0, 1], [0, 1], color="0.7", linestyle="--")
    reliability.plot([values[part].mean() for part in bins], [good[part].mean() for part in bins], marker="o")
    reliability.set(xlabel="confidence", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1))
    wrong = ~good[np.argsort(-values, kind="stable")]
    counts = np.arange(1, len(wrong) + 1)
    error.plot(100.0 * counts / len(wrong), 100.0 * np.cumsum(wrong) / counts)
    error.set(xlabel="words kept, the surest first (%)", ylabel="of them wrong (%)", xlim=(0, 100), ylim=(0, None))
    return figure
