"""Forced alignment against the best of all paths."""

from __future__ import annotations

import itertools

import pytest
import torch
from search_decoders import acoustics
from torchaudio_reference import torchaudio

from lasasr.errors import LasasrError
from lasasr.search.alignment import align, fits
from lasasr.search.ctc_greedy import collapsed
from lasasr.search.forced_path import forced_path
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


def test_path_and_scores_are_those_of_torchaudio():
    """To the bit: both add the same float32 numbers in the same order."""
    reference = torchaudio().functional.forced_align
    generator = torch.Generator().manual_seed(3)
    for frames, count in ((9, 4), (40, 1), (61, 25), (200, 60)):
        log_probs = torch.randn(frames, 12, generator=generator).mul(3.0).log_softmax(1)
        tokens = torch.randint(special.FIRST_TEXT, 12, (count,), generator=generator).tolist()
        assert fits(tokens, frames)
        path, scores = reference(log_probs[None], torch.tensor([tokens], dtype=torch.int32), blank=special.BLANK)
        assert forced_path(log_probs, tokens) == (path[0].tolist(), scores[0].tolist())
