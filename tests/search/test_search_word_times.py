"""Words of hypotheses in time, on weights and CTC outputs whose truth is drawn first."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lasasr.search.hypothesis import KINDS, Hypothesis
from lasasr.search.word_times import Clock, timed_words
from lasasr.text import special

FRAME_S, BEGIN_S = 0.04, 0.0075
CHARACTERS = (*special.NAMES, *"▁abcd")
PIECES = (*special.NAMES, "▁ab", "c", "▁d", "▁", "a")


def clock(frames: int) -> Clock:
    return Clock(FRAME_S, BEGIN_S, frames * FRAME_S + 0.015)


def ids(text: str) -> list[int]:
    return [CHARACTERS.index("▁" if sign == " " else sign) for sign in text]


def attended(frames: list[int], total: int, heads: int = 1) -> Tensor:
    """One-hot weights (U + 1, H, T) on `frames`, eos on the last; in every head."""
    weights = torch.zeros(len(frames) + 1, heads, total)
    for u, t in enumerate([*frames, total - 1]):
        weights[u, :, t] = 1.0
    return weights


def peaks(tokens: list[int], frames: list[int], total: int, vocabulary: int = len(CHARACTERS)) -> Tensor:
    """CTC log-probabilities (T, V) that are blank but for one frame of each token."""
    logits = torch.zeros(total, vocabulary)
    logits[:, special.BLANK] = 6.0
    for token, t in zip(tokens, frames, strict=True):
        logits[t, token], logits[t, special.BLANK] = 6.0, 0.0
    return logits.log_softmax(-1)


def middle(frame: float) -> float:
    return BEGIN_S + FRAME_S * (frame + 0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_words_of_characters_meet_at_their_space_in_the_clock_of_the_audio(kind: str) -> None:
    tokens, at = ids("ab cd"), [2, 4, 6, 8, 10]
    words = timed_words(tokens, CHARACTERS, attended(at, 14), peaks(tokens, at, 14), clock(14))[kind]
    assert [word.word for word in words] == ["ab", "cd"]
    assert (words[0].end_s, words[1].start_s) == pytest.approx((middle(6), middle(6)), abs=6e-4)
    assert (words[0].start_s, words[1].end_s) == pytest.approx((middle(1), middle(11)), abs=6e-4)


def test_what_there_is_is_read_and_the_best_of_it_is_taken() -> None:
    tokens, at = ids("a b"), [1, 3, 5]
    weights, log_probs = attended(at, 8), peaks(tokens, [2, 4, 6], 8)
    both = timed_words(tokens, CHARACTERS, weights, log_probs, clock(8))
    assert set(both) == set(KINDS)
    assert both["attention"] != both["combined"] != both["ctc"]
    alone = timed_words(tokens, CHARACTERS, weights, None, clock(8))
    assert alone == {"attention": both["attention"]}
    ctc = timed_words(tokens, CHARACTERS, None, log_probs, clock(8))
    assert ctc == {"ctc": both["ctc"]}
    for timed, kind in ((both, "combined"), (alone, "attention"), (ctc, "ctc"), ({}, None)):
        hypothesis = Hypothesis(tuple(tokens), 0.0, timed=timed)
        assert hypothesis.times_from == kind
        assert hypothesis.words == (timed[kind] if kind else ())


def test_of_several_heads_the_one_that_reads_along_tells_the_time() -> None:
    tokens, at = ids("ab cd"), [2, 4, 6, 8, 10]
    heads = torch.rand(6, 4, 14, generator=torch.Generator().manual_seed(0)).softmax(-1)
    heads[:, 2:3] = attended(at, 14)
    alone = timed_words(tokens, CHARACTERS, attended(at, 14), None, clock(14))
    assert timed_words(tokens, CHARACTERS, heads, None, clock(14)) == alone


def test_words_of_pieces() -> None:
    at = [1, 4, 8, 11, 12]
    tokens = [PIECES.index(piece) for piece in ("▁ab", "c", "▁d", "▁", "a")]
    words = timed_words(tokens, PIECES, attended(at, 15), None, clock(15))["attention"]
    assert [word.word for word in words] == ["abc", "d", "a"]
    assert words[0].end_s == words[1].start_s == pytest.approx(middle(6), abs=6e-4)
    assert words[1].end_s == words[2].start_s == pytest.approx(middle(11), abs=6e-4)


def test_a_phone_is_a_word_of_its_own() -> None:
    names = (*special.NAMES, "aa", "sil")
    words = timed_words([4, 5, 4], names, attended([2, 5, 9], 12), None, clock(12), phones=True)["attention"]
    assert [word.word for word in words] == ["aa", "sil", "aa"]
    assert [word.start_s for word in words[1:]] == pytest.approx([middle(3.5), middle(7)], abs=6e-4)


def test_too_few_frames_for_ctc_and_no_weight_at_all() -> None:
    tokens = ids("aab")
    assert set(timed_words(tokens, CHARACTERS, attended([0, 1, 2], 3), torch.zeros(3, 9), clock(3))) == {"attention"}
    assert set(timed_words(tokens, CHARACTERS, torch.zeros(4, 1, 5), torch.zeros(5, 9), clock(5))) == {"ctc"}
    assert timed_words(tokens, CHARACTERS, torch.zeros(4, 1, 3), None, clock(3)) == {}


def test_weights_that_end_early_leave_the_rest_to_ctc() -> None:
    """A hard monotonic attention that has run out of frames attends to nothing."""
    tokens, at = ids("ab cd"), [2, 4, 6, 8, 10]
    weights = attended(at, 14)
    weights[3:] = 0.0
    whole = timed_words(tokens, CHARACTERS, attended(at, 14), peaks(tokens, at, 14), clock(14))
    assert timed_words(tokens, CHARACTERS, weights, peaks(tokens, at, 14), clock(14))["combined"] == whole["combined"]


@pytest.mark.parametrize("text", ["", " ", "a"])
def test_nothing_a_space_and_a_single_token(text: str) -> None:
    tokens = ids(text)
    at = list(range(len(tokens)))
    by_kind = timed_words(tokens, CHARACTERS, attended(at, 4), peaks(tokens, at, 4), clock(4))
    assert all([word.word for word in words] == text.split() for words in by_kind.values())
    assert all(0 <= word.start_s <= word.end_s <= 0.175 for words in by_kind.values() for word in words)
