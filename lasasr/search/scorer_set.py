"""A set of scorers as one: their weighted sum, and the small scorers that exist only for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lasasr.errors import LasasrError
from lasasr.nn import tree
from lasasr.search.acoustics import Acoustics
from lasasr.search.base import Scored, Scorer, Stateless, StepContext
from lasasr.search.scorer import never_emitted
from lasasr.text import special

TIE = 1e-12  # log; of equal candidates the one of the better hypothesis wins, then the smaller id


class LengthBonus(Scorer):
    """1 for every token, eos included; weighted by `length_bonus` it favours longer hypotheses."""

    name = "length"

    def __init__(self, weight: float | None = None) -> None:
        self.weight = weight

    def start(self, acoustics: Acoustics, hypotheses: int) -> tuple[Any, Any]:
        return Stateless(), Stateless()

    def score(self, tokens: Tensor, memory: Any, state: Any, context: StepContext) -> Scored:
        return Scored(torch.ones((*tokens.shape, 1), device=tokens.device), state)

    def most_left(self, so_far: Tensor, left: Tensor, frames: Tensor) -> Tensor:
        return left


class CoverageMemory(NamedTuple):
    """What all hypotheses share."""

    mask: Tensor  # (B, T) bool


class CoverageState(NamedTuple):
    """The attention that each frame has got so far."""

    covered: Tensor  # (B, K, T) float32, weights summed over steps, heads averaged


class Coverage(Scorer):
    """Base of scorers that read the attention summed over steps."""

    name = "coverage"

    def start(self, acoustics: Acoustics, hypotheses: int) -> tuple[Any, Any]:
        B, T = acoustics.mask.shape
        return CoverageMemory(acoustics.mask), CoverageState(acoustics.encoded.new_zeros(B, hypotheses, T).float())

    def score(self, tokens: Tensor, memory: Any, state: Any, context: StepContext) -> Scored:
        if context.weights is None:
            raise ValueError(f"{type(self).__name__} needs the weights of a decoder, and none is scoring")
        covered = state.covered + context.weights.mean(2)
        return self.compare(state.covered, covered, memory.mask)._replace(state=CoverageState(covered))

    def compare(self, before: Tensor, now: Tensor, mask: Tensor) -> Scored:
        """Scores of the step that took the coverage from `before` to `now`, both (B, K, T); the state is not filled."""
        raise NotImplementedError


class ThresholdCoverage(Coverage):
    """1 for every frame that has now got more than `threshold` (Chorowski & Jaitly 2017, §3.2, equation 11)."""

    def __init__(self, threshold: float = 0.5, weight: float | None = None) -> None:
        self.threshold, self.weight = threshold, weight

    def compare(self, before: Tensor, now: Tensor, mask: Tensor) -> Scored:
        new = (now > self.threshold).sum(-1, keepdim=True) - (before > self.threshold).sum(-1, keepdim=True)
        return Scored(new, None)

    def most_left(self, so_far: Tensor, left: Tensor, frames: Tensor) -> Tensor:
        return frames - so_far  # every frame counts once


class GNMTCoverage(Coverage):
    """Σ over frames of log min(attention got, 1), when a hypothesis ends (Wu et al. 2016, §7, equation 14).

    Args:
        least: lower bound of the attention that a frame counts as having got; silence gets almost none.
    """

    def __init__(self, least: float = 0.01, weight: float | None = None) -> None:
        if not 0.0 < least <= 1.0:
            raise ValueError(f"least must be in (0, 1], got {least}")
        self.least, self.weight = least, weight

    def compare(self, before: Tensor, now: Tensor, mask: Tensor) -> Scored:
        penalty = now.clamp(self.least, 1.0).log().masked_fill(~mask[:, None], 0.0).sum(-1)
        return Scored(penalty.new_zeros((*penalty.shape, 1)), None, ending=penalty)


class Fused(NamedTuple):
    """One step of all scorers; S of them."""

    # (B, K, V) float64, the weighted sum, less TIE · id (of eos: 0) so that of equal tokens the smaller id wins; -inf
    # for what is never emitted and where a pre-beam left a token out
    total: Tensor
    parts: tuple[Tensor, ...]  # S times (B, K, V), log, not weighted
    endings: tuple[Tensor | None, ...]  # S times (B, K), what eos scored on top
    highest: tuple[Tensor | None, ...]  # S times (B, K), log, what the scorer's total can come to at most
    weights: Tensor | None  # (B, K, H, T)

    def of(self, parents: Tensor, tokens: Tensor) -> Tensor:
        """(B, K, S): the scores of tokens (B, K) after hypotheses `parents` (B, K) by each scorer."""
        index = parents * self.total.shape[-1] + tokens
        return torch.stack([part.flatten(1).gather(1, index).double() for part in self.parts], -1)

    def highest_of(self, parents: Tensor) -> list[Tensor | None]:
        """S times (B, K): `highest` of the hypotheses `parents` (B, K), and so of all that continue them."""
        return [None if highest is None else highest.gather(1, parents) for highest in self.highest]

    def of_eos(self) -> Tensor:
        """(B, K, S): the scores of eos by each scorer."""
        plain = [part[..., special.EOS].double() for part in self.parts]
        return torch.stack([p if e is None else p + e for p, e in zip(plain, self.endings, strict=True)], -1)


class ScorerSet:
    """The scorers of one search, with their memories and states.

    Args:
        scorers: each with its weight, the decoder (where there is one) first; those that are partial last.
        hypotheses: K.
        vocabulary_size: V.
        pre_beam: how many tokens of each hypothesis go on, eos not counted; None: all.
    """

    def __init__(
        self,
        scorers: Sequence[tuple[Scorer, float]],
        acoustics: Acoustics,
        hypotheses: int,
        vocabulary_size: int,
        pre_beam: int | None = None,
    ) -> None:
        self.scorers = sorted(scorers, key=lambda pair: pair[0].partial)
        self.started = [scorer.start(acoustics, hypotheses) for scorer, _ in self.scorers]
        bias = never_emitted(vocabulary_size, acoustics.encoded.device)
        bias -= TIE * torch.arange(vocabulary_size, device=bias.device)
        self.bias = bias.index_fill_(0, torch.tensor([special.EOS], device=bias.device), 0.0)
        self.pre_beam = None if pre_beam is None else min(pre_beam, vocabulary_size - special.FIRST_TEXT)

    @property
    def names(self) -> list[str]:
        """Of the scorers, in the order of `Fused.parts`."""
        return [scorer.name for scorer, _ in self.scorers]

    @property
    def weights(self) -> list[float]:
        """Of the scorers, in the order of `Fused.parts`."""
        return [weight for _, weight in self.scorers]

    def most_left(
        self, parts: Tensor, highest: Sequence[Tensor | None], left: Tensor, frames: Tensor
    ) -> Tensor | float:
        """An upper bound of the weighted sum that hypotheses can still add; broadcasts to (B, K).

        What is subtracted (weight below 0) is not in it: how improbable a token may still be has no bound.

        Args:
            parts: (B, K, S), what each scorer has given them so far.
            highest: S times (B, K), what that can come to at most, where a scorer says so.
            left: (B, 1), tokens still to be scored, eos included.
            frames: (B, 1), encoded frames.
        """
        total: Tensor | float = 0.0
        for i, (scorer, weight) in enumerate(self.scorers):
            if weight > 0:
                most, so_far = highest[i], parts[..., i]
                total = total + weight * (scorer.most_left(so_far, left, frames) if most is None else most - so_far)
        return total

    def score(self, tokens: Tensor) -> Fused:
        """Score what may follow `tokens` (B, K), the last token of each hypothesis."""
        total = self.bias.expand(*tokens.shape, -1)
        parts, endings, highest, context = [], [], [], StepContext()
        for i, (scorer, weight) in enumerate(self.scorers):
            if scorer.partial and context.candidates is None and self.pre_beam is not None:
                context = context._replace(candidates=self._best(total))
            memory, state = self.started[i]
            step = scorer.score(tokens, memory, state, context)
            self.started[i] = (memory, step.state)
            if context.weights is None:
                context = context._replace(weights=step.weights)
            part = _spread(scorer.name, step.scores, context.candidates if scorer.partial else None, total)
            total = torch.add(total, part, alpha=weight, out=total if i else None)
            if step.ending is not None:
                total[..., special.EOS].add_(step.ending, alpha=weight)
            parts.append(part)
            endings.append(step.ending)
            highest.append(step.highest)
        if self.pre_beam is not None:
            candidates = self._best(total) if context.candidates is None else context.candidates
            dropped = torch.ones_like(total, dtype=torch.bool).scatter_(2, candidates, False)
            total.masked_fill_(dropped, -torch.inf)
        return Fused(total, tuple(parts), tuple(endings), tuple(highest), context.weights)

    def follow(self, parents: Tensor, tokens: Tensor) -> None:
        """Hypothesis k continues parents[b, k] with tokens[b, k]; both (B, K)."""
        for i, (scorer, _) in enumerate(self.scorers):
            memory, state = self.started[i]
            self.started[i] = (memory, scorer.reorder(memory, state, parents, tokens))

    def keep(self, utterances: Tensor) -> None:
        """Go on with these rows (B',) of the batch only."""
        self.started = [
            (tree.select(memory, utterances), tree.select(state, utterances)) for memory, state in self.started
        ]

    def _best(self, total: Tensor) -> Tensor:
        """(B, K, P + 1): the best tokens so far, and eos."""
        assert self.pre_beam is not None
        text = total[..., special.FIRST_TEXT :].topk(self.pre_beam).indices + special.FIRST_TEXT
        return torch.cat([text, torch.full_like(text[..., :1], special.EOS)], -1)


def _spread(name: str, scores: Tensor, candidates: Tensor | None, like: Tensor) -> Tensor:
    """Scores as (B, K, V): broadcast, or put where the candidates (B, K, P) are and 0 elsewhere."""
    if candidates is None:
        try:
            return scores.expand_as(like)
        except RuntimeError:
            sizes = " and ".join(str(tuple(tensor.shape)) for tensor in (scores, like))
            raise LasasrError(f"scorer {name}: its scores must broadcast to (B, K, V); sizes are {sizes}") from None
    return torch.zeros_like(like).scatter_(2, candidates, scores.to(like.dtype))
