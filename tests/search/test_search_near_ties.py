"""Hypotheses between which rounding decides are listed, and no others."""

from __future__ import annotations

import pytest
import torch
from search_decoders import ScriptedDecoder, TinyDecoder
from torch import Tensor

from lasasr.search.acoustics import Acoustics
from lasasr.search.beam import BeamSearch
from lasasr.search.ctc_greedy import CTCGreedySearch
from lasasr.search.greedy import GreedySearch
from lasasr.search.hypothesis import Hypothesis, near_tied
from lasasr.text import special

V = special.FIRST_TEXT + 3
A, B, C = range(special.FIRST_TEXT, V)


def random_acoustics(utterances: int = 1, ctc_log_probs: Tensor | None = None) -> Acoustics:
    T = 4 if ctc_log_probs is None else ctc_log_probs.shape[1]
    generator = torch.Generator().manual_seed(0)
    return Acoustics(
        torch.randn(utterances, T, 6, generator=generator), torch.ones(utterances, T).bool(), ctc_log_probs
    )


def saying_a_or_b(apart: float) -> ScriptedDecoder:
    """One token, A or B, then eos; `apart` in log."""
    logits = torch.full((2, V), -20.0)
    logits[0, A], logits[0, B] = 3.0, 3.0 - apart
    logits[1, special.EOS] = 3.0
    return ScriptedDecoder(logits)


@pytest.mark.parametrize(
    "search", [GreedySearch(), BeamSearch(beam=2), BeamSearch(beam=4), BeamSearch(beam=4, nbest=3)]
)
@pytest.mark.parametrize(("apart", "tied"), [(0.0, True), (5e-5, True), (1e-3, False), (1.0, False)])
def test_what_is_nearly_equal_is_flagged(search: GreedySearch | BeamSearch, apart: float, tied: bool) -> None:
    (nbest,) = search(saying_a_or_b(apart), random_acoustics())
    assert nbest[0].tokens == (A,)
    assert nbest[0].flags == (("near_tie",) if tied else ())
    assert not any("near_tie" in hypothesis.flags for hypothesis in nbest[1:])


@pytest.mark.parametrize("nbest", [1, 2, 5])
def test_the_flag_is_that_of_the_two_best_of_all(nbest: int) -> None:
    for seed in range(4):
        decoder = TinyDecoder(V, seed=seed).eval()
        nbests = BeamSearch(beam=6, nbest=nbest)(decoder, random_acoustics(3))
        for few, many in zip(nbests, BeamSearch(beam=6, nbest=6)(decoder, random_acoustics(3)), strict=True):
            assert [hypothesis.tokens for hypothesis in few] == [hypothesis.tokens for hypothesis in many][:nbest]
            gap = many[0].score - many[1].score
            assert ("near_tie" in few[0].flags) == (gap < 1e-4)


def test_the_best_path_of_ctc_is_flagged_where_a_frame_is_undecided() -> None:
    log_probs = torch.full((2, 3, V), -9.0)
    log_probs[:, :, A] = 0.0
    log_probs[1, 2, special.BLANK] = -5e-5
    sure, unsure = CTCGreedySearch()(None, random_acoustics(2, log_probs))
    assert (sure[0].flags, unsure[0].flags) == ((), ("near_tie",))
    padded = Acoustics(torch.zeros(2, 3, 6), torch.tensor([[True] * 3, [True, True, False]]), log_probs)
    assert CTCGreedySearch()(None, padded)[1][0].flags == ()


def test_the_flag_follows_a_new_order() -> None:
    ranked = [Hypothesis((A,), -1.0, flags=("max_length", "near_tie")), Hypothesis((B,), -2.0, flags=("near_tie",))]
    assert [hypothesis.flags for hypothesis in near_tied(ranked)] == [("max_length",), ()]
    assert near_tied([]) == []
