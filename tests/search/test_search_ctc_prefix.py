"""CTC prefix scores against the sum over all alignments, and against torch's CTC loss."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from search_decoders import acoustics
from torch.nn import functional

from lasasr.search.acoustics import Acoustics
from lasasr.search.base import StepContext
from lasasr.search.ctc_greedy import collapsed
from lasasr.search.ctc_prefix import LEAST_SCORE, CTCPrefixScorer, ctc_log_likelihood
from lasasr.text import special

V = 8  # four special ids and four tokens of text


def follow(scorer, utterances, tokens, weights=None):
    """Scores (V,) of what may follow each beginning of `tokens`, and the sum of the scores on the way there."""
    memory, state = scorer.start(utterances, 1)
    total, last = 0.0, special.SOS
    for u in range(len(tokens) + 1):
        step = scorer.score(torch.tensor([[last]]), memory, state, StepContext(weights))
        yield tuple(tokens[:u]), total, step.scores[0, 0]
        if u < len(tokens):
            last = tokens[u]
            total += float(step.scores[0, 0, last])
            state = scorer.reorder(memory, step.state, torch.tensor([[0]]), torch.tensor([[last]]))


def label_probabilities(log_probs):
    """p(y) of every label sequence y, by listing all alignments."""
    totals: dict[tuple[int, ...], float] = {}
    usable = [special.BLANK, *range(special.FIRST_TEXT, V)]
    for path in itertools.product(usable, repeat=len(log_probs)):
        y = collapsed(path)
        totals[y] = totals.get(y, 0.0) + math.exp(sum(float(log_probs[t, c]) for t, c in enumerate(path)))
    return totals


@pytest.mark.parametrize(("frames", "seed"), [(1, 0), (2, 1), (4, 2), (5, 3), (6, 4)])
def test_scores_equal_the_sum_over_all_alignments(frames, seed):
    utterances = acoustics(frames, seed=seed)
    utterances = utterances._replace(
        ctc_log_probs=utterances.ctc_log_probs.double().log_softmax(-1)
    )  # sums to 1 beyond float32
    p = label_probabilities(utterances.ctc_log_probs[0])
    text = range(special.FIRST_TEXT, V)
    for tokens in [(4,), (4, 4), (4, 5, 4), (6, 6, 6), (5, 7), (7, 7, 4, 4)]:
        for prefix, total, scores in follow(CTCPrefixScorer(), utterances, tokens):
            if p.get(prefix, 0.0) == 0.0:
                continue
            assert total + float(scores[special.EOS]) == pytest.approx(math.log(p[prefix]), abs=1e-6)
            for token in text:
                extended = (*prefix, token)
                expected = sum(value for y, value in p.items() if y[: len(extended)] == extended)
                if expected > 0.0:
                    assert total + float(scores[token]) == pytest.approx(math.log(expected), abs=1e-6)
                else:
                    assert LEAST_SCORE <= float(scores[token]) < -600.0


@pytest.mark.parametrize("U", [20, 400])
@pytest.mark.parametrize("spread", [1.0, 10.0, 40.0])  # the last underflows in float32
def test_two_thousand_frames_are_exact(spread, U):
    generator = torch.Generator().manual_seed(0)
    logits = spread * torch.randn(1, 2000, V, generator=generator)
    logits[..., 1:4] = -torch.inf
    log_probs = logits.log_softmax(-1)
    utterances = Acoustics(torch.zeros(1, 2000, 1), torch.ones(1, 2000, dtype=torch.bool), log_probs)
    tokens = torch.randint(4, V, (U,), generator=generator).tolist()
    for _, total, scores in follow(CTCPrefixScorer(), utterances, tokens):  # noqa: B007
        assert float(scores[[special.EOS, *range(special.FIRST_TEXT, V)]].logsumexp(0)) == pytest.approx(0.0, abs=1e-3)
    loss = functional.ctc_loss(
        log_probs.double().clamp(min=-1e9).transpose(0, 1),
        torch.tensor([tokens]),
        torch.tensor([2000]),
        torch.tensor([U]),
        reduction="none",
    )
    assert total + float(scores[special.EOS]) == pytest.approx(-float(loss), abs=1e-3)
    assert float(ctc_log_likelihood(utterances, [tokens])) == pytest.approx(-float(loss), abs=1e-6)


def test_hypotheses_and_batch_positions_do_not_disturb_each_other():
    utterances = acoustics(5, 9, 7)
    scorer = CTCPrefixScorer()
    memory, state = scorer.start(utterances, 2)
    chosen = torch.tensor([[[4, 5], [4, 6], [5, 6]], [[4, 4], [7, 5], [6, 6]], [[5, 5], [5, 4], [7, 7]]])  # (B, U, K)
    parents = torch.tensor([[[0, 1], [1, 0], [0, 0]], [[0, 0], [1, 1], [0, 1]], [[1, 0], [1, 1], [1, 0]]])
    read = torch.full((3, 2), special.SOS)
    histories = [[[], []] for _ in range(3)]
    totals = torch.zeros(3, 2, dtype=torch.float64)
    for u in range(3):
        step = scorer.score(read, memory, state, StepContext())
        rows = torch.arange(3)[:, None]
        totals = totals.gather(1, parents[:, u]) + step.scores[rows, parents[:, u], chosen[:, u]]
        histories = [[[*histories[b][int(parents[b, u, k])], int(chosen[b, u, k])] for k in range(2)] for b in range(3)]
        state, read = scorer.reorder(memory, step.state, parents[:, u], chosen[:, u]), chosen[:, u]
    finished = totals + scorer.score(read, memory, state, StepContext()).scores[..., special.EOS]
    for k in range(2):
        expected = ctc_log_likelihood(utterances, [histories[b][k] for b in range(3)])
        torch.testing.assert_close(finished[:, k], expected, atol=1e-6, rtol=0)


def test_a_window_as_wide_as_the_utterance_changes_nothing_and_a_narrow_one_only_the_ranking():
    utterances = acoustics(9)
    weights = torch.zeros(1, 1, 1, 9)
    weights[..., 4] = 1.0
    all_frames = CTCPrefixScorer()
    memory, state = all_frames.start(utterances, 1)
    sos = torch.tensor([[special.SOS]])
    free = all_frames.score(sos, memory, state, StepContext()).scores
    torch.testing.assert_close(CTCPrefixScorer(8).score(sos, memory, state, StepContext(weights)).scores, free)
    narrow = CTCPrefixScorer(1).score(sos, memory, state, StepContext(weights)).scores
    frames = utterances.ctc_log_probs[0].double()
    before = frames[:, special.BLANK].cumsum(0)
    expected = torch.logsumexp(torch.stack([before[t - 1] + frames[t, 6] for t in (3, 4, 5)]), 0)
    torch.testing.assert_close(narrow[0, 0, 6], expected)
    assert narrow[0, 0, special.EOS] == free[0, 0, special.EOS]


def test_a_window_that_misses_the_words_still_ends_in_the_exact_score():
    utterances = acoustics(9)
    weights = torch.zeros(1, 1, 1, 9)
    weights[..., 0] = 1.0  # stays at the first frame, where the later tokens cannot be
    for tokens in [(4, 5, 6), (4, 4, 4, 4)]:
        *_, (_, total, scores) = follow(CTCPrefixScorer(1), utterances, tokens, weights)
        assert total + float(scores[special.EOS]) == pytest.approx(
            float(ctc_log_likelihood(utterances, [tokens])), abs=1e-6
        )
