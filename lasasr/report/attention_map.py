"""Attention maps: the weights of each token over time, below the spectrogram, on one time axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from lasasr.escaping import escaped
from lasasr.metrics.alignment_reference import TimedLabel
from lasasr.report import figures, labels
from lasasr.report.aligned_text import aligned_text

Array = NDArray[np.floating]

_COLUMNS = 4  # heads side by side
_WIDTHS_IN = (10.0, 6.5, 5.0, 4.5)  # of one head, by the number of heads side by side
_ROW_IN = 0.13
_MAP_IN = (1.5, 8.0)  # least and largest height of a map
_SPECTROGRAM_IN = 1.3
_GAP_IN = 0.5  # around each layer: ticks, axis labels, words
_MARGIN_IN = 1.0  # beside each column: labels of rows, colour bar
_BAR_IN = 0.12  # width of the colour bar
_FONT_PT = 7.0
_HEADING_WIDTH = 150  # characters


def attention_map(
    weights: Array,
    tokens: Sequence[str],
    features: Array,
    encoded_frame_s: float,
    feature_frame_s: float,
    title: str = "",
    reference: str = "",
    hypothesis: str = "",
    boundaries: Sequence[TimedLabel] = (),
    begin_s: float = 0.0,
) -> Figure:
    """Draw one utterance; pyplot does not hold the figure (`figures.save` writes it as PNG).

    Rows are labelled with tokens, or with words where tokens are too many to be read. Heads are side by side, each
    column below its own copy of the spectrogram.

    Args:
        weights: (U, H, T') attention weights of the tokens, without padding.
        tokens: U printed names, that of eos included if its row is.
        features: (T, F) log-mel features, without padding.
        encoded_frame_s: seconds from one encoded frame to the next.
        feature_frame_s: seconds from one feature frame to the next.
        title: the utterance id.
        reference: shown aligned with `hypothesis` unless both are empty.
        boundaries: true times of words or phones, drawn as thin lines, their names above the spectrogram.
        begin_s: when the first frame of either kind begins.

    Raises:
        ValueError: shapes do not fit each other, or there is nothing to draw.
    """
    _check(weights, tokens, features)
    width_in = _WIDTHS_IN[min(weights.shape[1], _COLUMNS) - 1]
    map_in = float(np.clip(len(tokens) * _ROW_IN, *_MAP_IN))
    figure, spectrograms, maps = _axes(weights.shape[1], width_in, map_in, _heading(title, reference, hypothesis))
    duration_s = begin_s + max(weights.shape[2] * encoded_frame_s, len(features) * feature_frame_s)
    for axis in spectrograms:
        _draw_spectrogram(axis, features, begin_s, feature_frame_s)
        _write_words(axis, boundaries, (width_in - _MARGIN_IN) / duration_s)
    for head, axis in enumerate(maps):
        image = _draw_map(axis, weights[:, head], begin_s, encoded_frame_s, float(weights.max()))
        axis.set_title(f"head {head + 1}" if len(maps) > 1 else "", size=_FONT_PT)
        _label_rows(axis, tokens if head % _COLUMNS == 0 else (), map_in / len(tokens))
    bar = figure.colorbar(image, ax=maps, pad=0.01, aspect=map_in * -(-len(maps) // _COLUMNS) / _BAR_IN)
    bar.ax.tick_params(labelsize=_FONT_PT)
    for axis in (*spectrograms, *maps):
        axis.set_xlim(0.0, duration_s)
        _draw_boundaries(axis, boundaries, "white" if axis in spectrograms else "tab:orange")
    return figure


def _check(weights: Array, tokens: Sequence[str], features: Array) -> None:
    if weights.ndim != 3 or 0 in weights.shape or len(tokens) != len(weights):
        raise ValueError(f"weights must be (U, H, T') with U = {len(tokens)} tokens, got {weights.shape}")
    if features.ndim != 2 or 0 in features.shape:
        raise ValueError(f"features must be (T, F) and not empty, got {features.shape}")


def _heading(title: str, reference: str, hypothesis: str) -> str:
    spoken = aligned_text(reference, hypothesis, width=_HEADING_WIDTH) if reference or hypothesis else ""
    return "\n".join(part for part in (escaped(title), spoken) if part)


def _axes(heads: int, width_in: float, map_in: float, heading: str) -> tuple[Figure, list[Axes], list[Axes]]:
    """A figure with a spectrogram's axis for each column and a map's axis for each head, time shared."""
    columns = min(heads, _COLUMNS)
    layers = -(-heads // columns)
    heights_in = [_SPECTROGRAM_IN, *[map_in] * layers]
    heading_in = labels.height_in(_FONT_PT) * (2 + heading.count("\n"))
    figure = figures.blank(width_in * columns, sum(heights_in) + _GAP_IN * len(heights_in) + heading_in)
    figure.suptitle(heading, x=0.01, ha="left", size=_FONT_PT, family="monospace", parse_math=False)
    axes = figure.subplots(1 + layers, columns, squeeze=False, sharex=True, height_ratios=heights_in)
    for unused in axes.flat[columns + heads :]:
        unused.remove()
    for lowest in axes.flat[heads : columns + heads]:
        lowest.tick_params(labelbottom=True)
        lowest.set_xlabel("time [s]", size=_FONT_PT)
    for axis in axes.flat:
        axis.tick_params(labelsize=_FONT_PT)
    return figure, list(axes[0]), list(axes.flat[columns : columns + heads])


def _draw_spectrogram(axis: Axes, features: Array, begin_s: float, frame_s: float) -> None:
    extent = (begin_s, begin_s + len(features) * frame_s, 0.0, features.shape[1])
    low, high = np.percentile(features, [2.0, 99.5])  # a single silent frame must not take all the contrast
    axis.imshow(features.T, extent=extent, origin="lower", aspect="auto", cmap="magma", vmin=low, vmax=high)
    axis.set_yticks([])
    axis.set_ylabel("log-mel", size=_FONT_PT)


def _write_words(axis: Axes, words: Sequence[TimedLabel], second_in: float) -> None:
    """Write words above the spectrogram, level or, where that is too wide, upright."""
    chosen, rotation = labels.above(words, second_in, _FONT_PT)
    for position, text in zip(*chosen, strict=True):
        axis.annotate(
            text,
            (position, 1.0),
            (0.0, 2.0),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            va="bottom",
            size=_FONT_PT,
            rotation=rotation,
            parse_math=False,
        )


def _draw_map(axis: Axes, weights: Array, begin_s: float, frame_s: float, largest: float) -> AxesImage:
    steps, frames = weights.shape
    extent = (begin_s, begin_s + frames * frame_s, steps, 0.0)
    return axis.imshow(
        weights, extent=extent, aspect="auto", interpolation="nearest", cmap="Blues", vmin=0.0, vmax=largest or 1.0
    )


def _label_rows(axis: Axes, tokens: Sequence[str], row_in: float) -> None:
    chosen, font_pt = labels.row_labels(tokens, row_in, _FONT_PT)
    axis.set_yticks(chosen.positions, chosen.texts, size=font_pt)
    for label in axis.get_yticklabels():
        label.set_parse_math(False)


def _draw_boundaries(axis: Axes, boundaries: Sequence[TimedLabel], color: str) -> None:
    for moment in sorted({edge for label in boundaries for edge in (label.start_s, label.end_s)}):
        axis.axvline(moment, color=color, linewidth=0.5, alpha=0.7)
