"""Forced alignment against the best of all paths."""

from __future__ import annotations

import itertools

import pytest
from search_decoders import acoustics

from lasasr.errors import LasasrError
from lasasr.search.alignment import align
from lasasr.search.ctc_greedy import collapsed
from lasasr.text import special


@pytest.mark.parametrize("tokens", [(4,), (4, 4), (5, 4, 5), (6, 6, 7)])
def test_the_path_is_the_best_of_all_that_spell_the_tokens(tokens):
    (log_probs,) = acoustics(6, seed=len(tokens)).ctc_log_probs
    paths = itertools.product([special.BLANK, 4, 5, 6, 7], repeat=6)
    best = max(
        (path for path in paths if collapsed(path) == tokens),
        key=lambda path: sum(float(log_probs[t, c]) for t, c in enumerate(path)),
    )
    spans = align(log_probs, tokens)
    assert tuple(span.token for span in spans) == tokens
    drawn = [special.BLANK] * 6
    for span in spans:
        drawn[span.start : span.end] = [span.token] * (span.end - span.start)
        mean = sum(float(log_probs[t, span.token]) for t in range(span.start, span.end)) / (span.end - span.start)
        assert span.score == pytest.approx(mean, abs=1e-5)
    assert tuple(drawn) == best


def test_nothing_said_needs_no_frames_and_too_much_is_refused():
    (log_probs,) = acoustics(3).ctc_log_probs
    assert align(log_probs, ()) == []
    with pytest.raises(LasasrError, match="4 encoded frames"):
        align(log_probs, (4, 4, 5))
