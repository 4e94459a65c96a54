"""Subtitles keep to the limits, and no other cut that does costs less."""

from __future__ import annotations

import itertools

import pytest
from transcript_examples import words

from lasasr.search.hypothesis import Word
from lasasr.transcription import subtitles


@pytest.mark.parametrize("seed", range(12))
def test_no_other_cut_costs_less(seed: int) -> None:
    """All 2^(n-1) of them are tried."""
    drawn = words(seed, 11)
    costs = []
    for cuts in itertools.product([False, True], repeat=len(drawn) - 1):
        bounds = [0, *(i + 1 for i, is_cut in enumerate(cuts) if is_cut), len(drawn)]
        costs.append(sum(subtitles.cost(drawn, first, last) for first, last in itertools.pairwise(bounds)))
    found = subtitles.segments(drawn)
    assert sum(subtitles.cost(drawn, first, last) for first, last in found) == pytest.approx(min(costs))


@pytest.mark.parametrize("seed", range(40))
def test_every_word_stands_in_one_within_the_limits(seed: int) -> None:
    drawn = words(seed, 60)
    found = subtitles.cues(drawn)
    assert " ".join(line for cue in found for line in cue.lines) == " ".join(word.word for word in drawn)
    for cue in found:
        assert 1 <= len(cue.lines) <= 2
        assert max(map(len, cue.lines)) <= 42
        assert 0 < cue.end_s - cue.start_s <= 7.0 + 1e-9
    for before, after in itertools.pairwise(found):
        assert before.end_s <= after.start_s
        assert before.end_s - before.start_s >= 1.0 - 1e-9 or before.end_s == pytest.approx(after.start_s)
    assert found[-1].end_s - found[-1].start_s >= 1.0 - 1e-9


def test_cuts_fall_into_pauses_and_behind_sentences() -> None:
    said = [Word(text, 0.4 * i, 0.4 * i + 0.4) for i, text in enumerate(["so", "it", "is.", "and", "then", "we", "go"])]
    later = [Word(text, 8.0 + 0.4 * i, 8.4 + 0.4 * i) for i, text in enumerate(["home", "again"])]
    texts = [" ".join(cue.lines) for cue in subtitles.cues([*said, *later])]
    assert texts == ["so it is. and then we go", "home again"]
    many = [Word("seven77" + ("." if i == 5 else ""), 0.5 * i, 0.5 * i + 0.5) for i in range(13)]
    assert subtitles.segments(many)[0] == (0, 6)


def test_two_lines_are_as_long_as_each_other_and_a_long_word_is_one() -> None:
    above, below = subtitles.wrapped("the quick brown fox jumps over the lazy dog and runs away") or ("", "")
    assert abs(len(above) - len(below)) <= 4
    assert subtitles.wrapped("word " * 20) is None
    (cue,) = subtitles.cues([Word("x" * 60, 0.0, 9.0)])
    assert (cue.lines, cue.start_s, cue.end_s) == (("x" * 60,), 0.0, 7.0)
    assert subtitles.cues([]) == []
