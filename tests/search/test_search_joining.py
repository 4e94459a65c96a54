"""Texts of overlapping pieces against the text that was drawn first."""

from __future__ import annotations

import random

import pytest

from lasasr.search.hypothesis import Hypothesis, Word
from lasasr.search.joining import Part, joined, seam


def part(begin_s: float, end_s: float, words: list[Word], overlaps: bool, timed: bool = True) -> Part:
    own = tuple(Word(word.word, word.start_s - begin_s, word.end_s - begin_s) for word in words)
    text = " ".join(word.word for word in words)
    flags = () if words else ("empty",)
    hypothesis = Hypothesis(
        (1,) * len(words), -1.0, {"decoder": -2.0}, None, flags, text, {"ctc": own} if timed else {}
    )
    return Part(begin_s, end_s - begin_s, overlaps, hypothesis)


def spoken_words(seed: int, seconds: float) -> list[Word]:
    """Words of a small vocabulary, so that neighbours are often the same."""
    generator, now, words = random.Random(seed), 0.1, []
    while now < seconds - 0.7:
        length_s = generator.uniform(0.2, 0.6)
        words.append(Word(generator.choice(["a", "b", "c", "d"]), now, now + length_s))
        now += length_s + generator.choice([0.0, 0.0, 0.1])
    return words


def recognized(words: list[Word], begin_s: float, end_s: float, generator: random.Random) -> list[Word]:
    """What a recognizer reads: times are a little off, and a word that is cut through becomes another."""
    shifted = [
        (word, generator.uniform(-0.04, 0.04)) for word in words if word.end_s > begin_s and word.start_s < end_s
    ]
    return [
        Word(word.word if begin_s <= word.start_s and word.end_s <= end_s else "x", word.start_s + by, word.end_s + by)
        for word, by in shifted
    ]


@pytest.mark.parametrize("seed", range(60))
def test_no_word_of_an_overlap_is_lost_or_doubled(seed: int) -> None:
    generator, words = random.Random(seed), spoken_words(seed, 20.0)
    parts, begin_s = [], 0.0
    while begin_s < 20.0:
        end_s = begin_s + generator.uniform(5.0, 7.0)
        parts.append(part(begin_s, end_s, recognized(words, begin_s, end_s, generator), overlaps=begin_s > 0))
        begin_s = end_s - 2.0
    whole = joined(parts)
    assert whole.text.split() == [word.word for word in words]
    assert [word.word for word in whole.words] == whole.text.split()
    assert all(abs(word.start_s - other.start_s) < 0.05 for word, other in zip(whole.words, words, strict=True))
    assert " ".join(piece.text for piece in whole.pieces if piece.text) == whole.text


def test_where_readings_disagree_the_middle_decides() -> None:
    left = [Word("a", 0.0, 0.4), Word("b", 0.5, 0.9), Word("c", 1.2, 1.6)]
    right = [Word("p", 0.6, 0.8), Word("q", 1.1, 1.7), Word("r", 2.0, 2.4)]
    assert seam(left, right, 1.0) == (2, 1)
    assert seam(left, [], 1.0) == (2, 0)
    assert seam([], right, 1.0) == (0, 1)


def test_pieces_that_meet_in_a_pause_are_put_one_after_another() -> None:
    words = spoken_words(1, 9.0)
    pieces = [part(0.0, 3.0, words[:4], False), part(3.0, 4.0, [], False), part(4.0, 9.0, words[4:], False)]
    whole = joined(pieces)
    assert whole.text == " ".join(word.word for word in words)
    assert (whole.score, whole.scores) == (-3.0, {"decoder": -6.0})
    assert whole.flags == ()
    assert len(whole.tokens) == len(words)
    assert [(piece.start_s, piece.end_s) for piece in whole.pieces] == [(0.0, 3.0), (3.0, 4.0), (4.0, 9.0)]
    assert joined([]).flags == joined([pieces[1]]).flags == ("empty",)


def test_pieces_without_times_join_too_and_then_there_are_none() -> None:
    left = part(0.0, 4.0, [Word(letter, i, i + 1) for i, letter in enumerate("abcd")], False, timed=False)
    right = part(2.0, 6.0, [Word(letter, 2 + i, 3 + i) for i, letter in enumerate("cdef")], True)
    whole = joined([left, right])
    assert whole.text == "a b c d e f"
    assert whole.words == ()
    assert joined([right, right]).times_from == "ctc"
