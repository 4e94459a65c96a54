"""The likeliest token at each step, for many utterances at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lasasr.metrics.triage import EMPTY, MAX_LENGTH, NEAR_TIE
from lasasr.nn import shared_steps, tree
from lasasr.search.acoustics import Acoustics
from lasasr.search.base import Search, StepContext
from lasasr.search.ctc_greedy import CTCGreedySearch, tied_best
from lasasr.search.hypothesis import Hypothesis
from lasasr.search.limits import Limits
from lasasr.search.rescoring import teacher_forced
from lasasr.search.scorer import DecoderScorer, never_emitted, refuse_nan, worth_leaving
from lasasr.spell.base import Decoder
from lasasr.text import special


class GreedySearch(Search):
    """One hypothesis per utterance, never reconsidered; finished utterances leave the batch.

    A model without a decoder is read by its CTC head (`CTCGreedySearch`). Of equal scores the smallest id wins.

    Args:
        limits: of the length; at the upper one eos is forced.
        keep_weights: whether hypotheses carry their attention weights (U + 1, H, T').
    """

    def __init__(self, limits: Limits | None = None, keep_weights: bool = True) -> None:
        self.limits = limits or Limits()
        self.keep_weights = keep_weights

    @torch.inference_mode()
    def __call__(
        self, decoder: Decoder | None, acoustics: Acoustics, ids: Sequence[str] = ()
    ) -> list[list[Hypothesis]]:
        """A list of one hypothesis per utterance, flagged "max_length" or "empty" where that is so.

        Args:
            decoder: in evaluation mode.
            ids: the utterances' names, for error messages.

        Raises:
            LasasrError: a score is NaN; the message names the utterance.
        """
        if decoder is None:
            return CTCGreedySearch()(decoder, acoustics, ids)
        with shared_steps.loop():
            emitted = self._emit(DecoderScorer(decoder), acoustics, decoder.vocabulary_size)
        rows = torch.arange(len(emitted.scores), device=emitted.scores.device)
        refuse_nan(emitted.scores.isnan(), rows, ids)
        return [[hypothesis] for hypothesis in emitted.hypotheses(acoustics.lengths.tolist())]

    @torch.inference_mode()
    def score(self, decoder: Decoder | None, acoustics: Acoustics, tokens: Sequence[Sequence[int]]) -> list[Hypothesis]:
        """Score tokens (of the reference, for example), one sequence per utterance, as this search would."""
        if decoder is None:
            return CTCGreedySearch().score(decoder, acoustics, tokens)
        scores, _ = teacher_forced(decoder, acoustics, tokens)
        return [
            Hypothesis(tuple(text), score, {"decoder": score})
            for text, score in zip(tokens, scores.tolist(), strict=True)
        ]

    def _emit(self, scorer: DecoderScorer, acoustics: Acoustics, vocabulary_size: int) -> _Emitted:
        device = acoustics.encoded.device
        shortest, longest = (torch.tensor(bound, device=device) for bound in self.limits.bounds(acoustics.lengths))
        memory, state = scorer.start(acoustics, 1)
        rows = torch.arange(len(shortest), device=device)  # the utterances still in the batch
        running = torch.ones_like(rows, dtype=torch.bool)
        tokens = torch.full_like(rows, special.SOS)
        never = never_emitted(vocabulary_size, device).float()
        emitted = _Emitted(torch.zeros(len(rows), dtype=torch.float64, device=device))
        for u in range(int(longest.max()) + 1):
            step = scorer.score(tokens[:, None], memory, state, StepContext())
            log_probs, state = step.scores[:, 0], step.state
            possible = _without_eos(log_probs + never, u < shortest[rows])
            preferred = possible.argmax(1)
            at_limit = u >= longest[rows]
            tokens = torch.where(at_limit, special.EOS, preferred)
            score = log_probs.gather(1, tokens[:, None])[:, 0]
            weights = step.weights[:, 0] if self.keep_weights and step.weights is not None else None
            forced, tied = at_limit & (preferred != special.EOS), ~at_limit & tied_best(possible)
            emitted.add(rows, running, tokens, score, forced, tied, weights)
            running = running & (tokens != special.EOS)
            left = int(running.sum())
            if left == 0:
                break
            if worth_leaving(len(rows) - left, len(rows)):
                keep = running.nonzero()[:, 0]
                rows, running, tokens = rows[keep], running[keep], tokens[keep]
                memory, state = tree.select(memory, keep), tree.select(state, keep)
                shared_steps.forget()
        return emitted


def _without_eos(scores: Tensor, where: Tensor) -> Tensor:
    """`scores` (B, V) with eos at -inf where `where` (B,)."""
    eos = scores[:, special.EOS].masked_fill(where, -torch.inf)
    return scores.index_copy(1, torch.tensor([special.EOS], device=scores.device), eos[:, None])


@dataclass
class _Emitted:
    """The emitted tokens, step by step; utterances that finished earlier hold pad."""

    scores: Tensor  # (B,) float64
    rows: list[Tensor] = field(default_factory=list)  # per step: the utterances (B',) that were in the batch
    tokens: list[Tensor] = field(default_factory=list)
    forced: list[Tensor] = field(default_factory=list)
    tied: list[Tensor] = field(default_factory=list)
    weights: list[Tensor] = field(default_factory=list)  # (B', H, T)

    def add(
        self,
        rows: Tensor,
        running: Tensor,
        tokens: Tensor,
        score: Tensor,
        forced: Tensor,
        tied: Tensor,
        weights: Tensor | None,
    ) -> None:
        self.scores.index_add_(0, rows, score.double().masked_fill(~running, 0.0))
        self.rows.append(rows)
        self.tokens.append(tokens.masked_fill(~running, special.PAD))
        self.forced.append(forced & running)
        self.tied.append(tied & running)
        if weights is not None:
            self.weights.append(weights)

    def hypotheses(self, frames: Sequence[int]) -> list[Hypothesis]:
        tokens = self._dense(self.tokens, special.PAD).tolist()
        forced = self._dense(self.forced, False).any(1).tolist()
        tied = self._dense(self.tied, False).any(1).tolist()
        weights = self._dense(self.weights, 0.0) if self.weights else None
        hypotheses = []
        for b, score in enumerate(self.scores.tolist()):
            text = tuple(tokens[b][: tokens[b].index(special.EOS)])
            attention = None if weights is None else weights[b, : len(text) + 1, :, : frames[b]].clone()
            hypotheses.append(Hypothesis(text, score, {"decoder": score}, attention, flags(text, forced[b], tied[b])))
        return hypotheses

    def _dense(self, steps: Sequence[Tensor], fill: float) -> Tensor:
        """(B, steps, ...) from what each step holds for the utterances that were left."""
        dense = steps[0].new_full((len(self.scores), len(steps), *steps[0].shape[1:]), fill)
        for u, (rows, values) in enumerate(zip(self.rows, steps, strict=True)):
            dense[rows, u] = values
        return dense


def flags(tokens: Sequence[int], forced: bool, tied: bool = False) -> tuple[str, ...]:
    """Remarks on a hypothesis: "empty", "max_length" where eos was `forced` upon it, "near_tie" where it is `tied`."""
    remarks = {MAX_LENGTH: forced, EMPTY: not tokens, NEAR_TIE: tied}
    return tuple(flag for flag, applies in remarks.items() if applies)
