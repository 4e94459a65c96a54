import numpy as np
import pytest

from lasasr.metrics.alignment_reference import TimedLabel
from lasasr.report import figures
from lasasr.report.labels import above, height_in, row_labels, width_in

FONT_PT = 7.0


def drawn_in(text: str) -> tuple[float, float]:
    """Width and height of a text as it is drawn, in inches."""
    figure = figures.blank(9.0, 1.0)
    extent = figure.text(0.0, 0.5, text, size=FONT_PT).get_window_extent()
    return extent.width / figure.dpi, extent.height / figure.dpi


@pytest.mark.parametrize("text", ["mmm", "illicit", "doesn't", "Wow", "éß", "▁the"])
def test_sizes_are_those_of_drawn_text(text: str) -> None:
    wide, high = drawn_in(text)
    assert width_in(text, FONT_PT) == pytest.approx(wide, abs=0.02)
    assert high <= height_in(FONT_PT) * 1.05


@pytest.mark.parametrize("seconds", [3, 8, 10, 12, 15, 30, 90])
def test_words_never_overlap(seconds: float) -> None:
    texts = ["mum", "wins", "the", "www", "illicit", "a", "I", "of", "more", "mammoths", "than", "million"] * 2
    edges = np.linspace(0, seconds, len(texts) + 1)
    words = [TimedLabel(*fields) for fields in zip(texts, edges[:-1], edges[1:], strict=True)]
    second_in = 9.0 / seconds
    chosen, rotation = above(words, second_in, FONT_PT)
    extents = [drawn_in(text)[rotation == 90] for text in chosen.texts]
    middles = np.array(chosen.positions) * second_in
    for i in range(len(middles) - 1):
        assert middles[i + 1] - middles[i] >= (extents[i] + extents[i + 1]) / 2 * 0.95
    if rotation == 0:
        assert chosen.texts == texts


def test_few_words_are_level_many_upright() -> None:
    words = [TimedLabel("word", float(i), i + 1.0) for i in range(20)]
    assert above(words[:5], 1.0, FONT_PT)[1] == 0
    assert above(words, 0.2, FONT_PT)[1] == 90
    assert above((), 1.0, FONT_PT) == (([], []), 0)


def test_rows_name_tokens_then_words_then_what_fits() -> None:
    tokens = ["▁the", "▁c", "at", "▁s", "at", "<eos>"]
    shown = ["␣the", "␣c", "at", "␣s", "at", "<eos>"]
    assert row_labels(tokens, 1.0, FONT_PT) == (([0.5, 1.5, 2.5, 3.5, 4.5, 5.5], shown), FONT_PT)
    smaller, font_pt = row_labels(tokens, height_in(FONT_PT) / 1.2, FONT_PT)
    assert smaller.texts == shown
    assert height_in(font_pt) == pytest.approx(height_in(FONT_PT) / 1.2)
    words, font_pt = row_labels(tokens, height_in(FONT_PT) / 1.45, FONT_PT)
    assert words == ([0.5, 2.0, 4.0, 5.5], ["the", "cat", "sat", "<eos>"])
    assert font_pt == FONT_PT
    assert row_labels(tokens, height_in(FONT_PT) / 3, FONT_PT)[0].texts == ["the", "sat"]


def test_the_character_between_words_is_seen() -> None:
    assert row_labels(["a", "▁", "b"], 1.0, FONT_PT)[0].texts == ["a", "␣", "b"]


def test_too_many_phones_are_thinned_and_not_joined() -> None:
    phones = ["h#", "sh", "ix", "hv"] * 10
    assert row_labels(phones, height_in(FONT_PT) / 1.9, FONT_PT)[0].texts == ["h#", "ix"] * 10
