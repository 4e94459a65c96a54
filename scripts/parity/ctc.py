"""CTC prefix scores of all next tokens, along random hypotheses that are reordered at every step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lasasr.search.acoustics import Acoustics
from lasasr.search.base import StepContext
from lasasr.search.ctc_prefix import CTCPrefixScorer
from lasasr.text import special
from parity.check import FLOAT32, Check, NotReproduced

LENGTHS, HYPOTHESES, STEPS, VOCABULARY = (24, 17, 13), 4, 5, 12
TEXT = slice(special.EOS, None)  # eos and the tokens of text; CTC emits none of the ids below but blank
Step = tuple[Tensor, Tensor]  # parents and tokens (B, K)
# Logits so far apart that lasasr multiplies in float64; below it, where nothing can underflow, in float32.
APART, NEAR = 20.0, 1.0


def checks() -> list[Check | NotReproduced]:
    """Three utterances with padding, four hypotheses of each, five tokens."""
    prefix: list[Check | NotReproduced] = []
    for peer, class_name, theirs in (
        ("ESPnet", "CTCPrefixScoreTH", espnet),
        ("SpeechBrain", "CTCPrefixScore", speechbrain),
    ):
        prefix += [
            Check(f"`{class_name}`, peaked posteriors", peer, partial(_scores, theirs, APART), "products in float64"),
            Check(
                f"`{class_name}`, flat posteriors",
                peer,
                partial(_scores, theirs, NEAR),
                "products in float32, where nothing in them can underflow",
                FLOAT32,
            ),
        ]
    total = "prefix scores, added up to eos = −`ctc_loss`"
    return [*prefix, Check(total, "torch", partial(_total, APART), "of 12 hypotheses")]


def _posteriors(spread: float) -> tuple[Tensor, Tensor]:
    """log_probs (B, T, V) and mask (B, T)."""
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    logits = spread * torch.randn(len(LENGTHS), max(LENGTHS), VOCABULARY, dtype=torch.double)
    logits[..., special.PAD : special.FIRST_TEXT] = -1e3  # CTC never emits them
    return logits.log_softmax(-1), mask


def _steps() -> list[Step]:
    shape = len(LENGTHS), HYPOTHESES
    return [
        (torch.randint(HYPOTHESES, shape), torch.randint(special.FIRST_TEXT, VOCABULARY, shape)) for _ in range(STEPS)
    ]


def ours(log_probs: Tensor, mask: Tensor, steps: list[Step]) -> list[Tensor]:
    """Scores (B, K, V) before the first step and after each."""
    scorer = CTCPrefixScorer()
    memory, state = scorer.start(Acoustics(log_probs, mask, log_probs), HYPOTHESES)
    tokens = torch.full((len(mask), HYPOTHESES), special.SOS)
    scored = scorer.score(tokens, memory, state, StepContext())
    scores = [scored.scores]
    for parents, tokens in steps:
        state = scorer.reorder(memory, scored.state, parents, tokens)
        scored = scorer.score(tokens, memory, state, StepContext())
        scores.append(scored.scores)
    return scores


def espnet(log_probs: Tensor, mask: Tensor, steps: list[Step]) -> list[Tensor]:
    """The same from `CTCPrefixScoreTH`."""
    from espnet.nets.ctc_prefix_score import CTCPrefixScoreTH

    scorer = CTCPrefixScoreTH(log_probs.clone(), mask.sum(1), special.BLANK, special.EOS)
    texts = [[[special.SOS]] * HYPOTHESES for _ in range(len(mask))]
    scores, state = scorer([text for row in texts for text in row], None)
    per_step = [scores.view(*mask.shape[:1], HYPOTHESES, -1)]
    for parents, tokens in steps:
        state = scorer.index_select_state(state, parents * VOCABULARY + tokens)
        texts = [
            [row[parent] + [token] for parent, token in zip(*pair, strict=True)]
            for row, pair in zip(texts, zip(parents.tolist(), tokens.tolist(), strict=True), strict=True)
        ]
        scores, state = scorer([text for row in texts for text in row], state)
        per_step.append(scores.view(*mask.shape[:1], HYPOTHESES, -1))
    return per_step


def speechbrain(log_probs: Tensor, mask: Tensor, steps: list[Step]) -> list[Tensor]:
    """The same from `CTCPrefixScore`."""
    from speechbrain.decoders.ctc import CTCPrefixScore

    with in_double():
        scorer = CTCPrefixScore(log_probs.clone(), mask.sum(1), special.BLANK, special.EOS)
        tokens = torch.full((len(mask), HYPOTHESES), special.SOS)
        scores, state = scorer.forward_step(tokens.flatten(), None)
        per_step = [scores.view(*tokens.shape, -1)]
        for parents, tokens in steps:
            state = scorer.permute_mem(state, parents * VOCABULARY + tokens)
            scores, state = scorer.forward_step(tokens.flatten(), state)
            per_step.append(scores.view(*tokens.shape, -1))
    return per_step


@contextmanager
def in_double() -> Iterator[None]:
    """SpeechBrain makes its tensors in the default precision, whatever that of its inputs."""
    torch.set_default_dtype(torch.double)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def _scores(theirs: Callable[..., list[Tensor]], spread: float) -> float:
    inputs: Any = (*_posteriors(spread), _steps())
    pairs = zip(ours(*inputs), theirs(*inputs), strict=True)
    return max(float((left - right)[..., TEXT].abs().max()) for left, right in pairs)


def _total(spread: float) -> float:
    log_probs, mask = _posteriors(spread)
    keep = torch.arange(HYPOTHESES).expand(len(mask), -1)
    steps = [(keep, tokens) for _, tokens in _steps()]
    scores = ours(log_probs, mask, steps)
    total = scores[-1][..., special.EOS]
    for before, (_, tokens) in zip(scores, steps, strict=False):
        total = total + before.gather(2, tokens[..., None])[..., 0]
    texts = torch.stack([tokens for _, tokens in steps], 2)  # (B, K, U)
    expected = torch.stack(
        [
            functional.ctc_loss(
                log_probs.transpose(0, 1), texts[:, k], mask.sum(1), torch.full((len(mask),), STEPS), 0, "none"
            )
            for k in range(HYPOTHESES)
        ],
        1,
    )
    return float((total + expected).abs().max())
