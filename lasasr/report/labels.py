"""Labels that do not overlap: which rows of a map get one, and how words fit above a time axis."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from lasasr.escaping import escaped
from lasasr.metrics.alignment_reference import WORD_MARK, TimedLabel, word_times
from lasasr.text import special

POINTS = 72.0  # per inch
_LEADING = 1.2  # height of a line of text, in font sizes
_SMALLEST_PT = 5.0


class Labels(NamedTuple):
    """Positions and texts of labels."""

    positions: list[float]
    texts: list[str]


def height_in(font_pt: float) -> float:
    """Height of one line of text."""
    return font_pt * _LEADING / POINTS


def width_in(text: str, font_pt: float) -> float:
    """Width of `text` in one line of the default font."""
    points, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=font_pt), ismath=False)
    return float(points) / POINTS


def row_labels(tokens: Sequence[str], row_in: float, font_pt: float) -> tuple[Labels, float]:
    """Labels of rows that are `row_in` high, and their font size.

    Every token has its label, in a smaller font where `font_pt` is too large; or, where even the smallest is, every
    word at its middle row; or as many words as fit. "▁" is shown as "␣", since at the foot of a line it looks like
    part of the next one.
    """
    fitting_pt = row_in * POINTS / _LEADING
    if fitting_pt >= _SMALLEST_PT:
        names = [escaped(token.replace(WORD_MARK, "␣")) for token in tokens]
        return Labels([i + 0.5 for i in range(len(tokens))], names), min(font_pt, fitting_pt)
    return _thinned(_words(tokens), height_in(font_pt) / row_in), font_pt


def _words(tokens: Sequence[str]) -> Labels:
    text = [TimedLabel(token, i, i + 1.0) for i, token in enumerate(tokens)]
    ends = [token for token in text if token.label in special.NAMES]
    words = [token for token in text if token.label not in special.NAMES]
    if any(token.startswith(WORD_MARK) for token in tokens):  # phones are not parts of words
        words = word_times(words)
    placed = sorted([*words, *ends], key=lambda label: label.start_s)
    return Labels([(label.start_s + label.end_s) / 2.0 for label in placed], [escaped(label.label) for label in placed])


def _thinned(labels: Labels, apart: float) -> Labels:
    """Without labels less than `apart` behind the last one kept."""
    kept = Labels([], [])
    for position, text in zip(*labels, strict=True):
        if not kept.positions or position - kept.positions[-1] >= apart:
            kept.positions.append(position)
            kept.texts.append(text)
    return kept


def above(words: Sequence[TimedLabel], second_in: float, font_pt: float) -> tuple[Labels, int]:
    """Labels at the middles of words, and their rotation in degrees, where a second is `second_in` wide.

    They are level if all fit so; otherwise upright, as many as fit.
    """
    middles = Labels([(word.start_s + word.end_s) / 2.0 for word in words], [escaped(word.label) for word in words])
    halves = [width_in(f" {text} ", font_pt) / second_in / 2.0 for text in middles.texts]
    spans = [(position - half, position + half) for position, half in zip(middles.positions, halves, strict=True)]
    if all(left[1] <= right[0] for left, right in itertools.pairwise(spans)):
        return middles, 0
    return _thinned(middles, height_in(font_pt) / second_in), 90
