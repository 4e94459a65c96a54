"""A scorer on trial: what it hears, which tokens follow, how it is run, how results are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lasasr.nn import tree
from lasasr.nn.conformance import largest
from lasasr.search.acoustics import Acoustics
from lasasr.search.base import Scored, Scorer, StepContext
from lasasr.text import special

TOLERANCE = 1e-4  # of log scores, relative above 1
LENGTHS = (14, 9, 12)  # encoded frames of the utterances tried
B, K, H, E = len(LENGTHS), 3, 2, 6
STEPS = 3
V = 24  # where the scorer does not say how many tokens there are


class Path(NamedTuple):
    """What a search does with every step: B utterances, K hypotheses."""

    parents: Tensor  # (STEPS, B, K) int64
    tokens: Tensor  # (STEPS, B, K) int64
    weights: Tensor  # (STEPS, B, K, H, T), the decoder's attention at each step

    def of_utterance(self, b: int) -> Path:
        """The part of one utterance, without padding."""
        return Path(
            self.parents[:, b : b + 1], self.tokens[:, b : b + 1], self.weights[:, b : b + 1, ..., : LENGTHS[b]]
        )

    def of_hypothesis(self, k: int) -> Path:
        """What hypothesis k of the last step did, alone from the first step on."""
        place = torch.full_like(self.parents[0, :, :1], k)
        parents, tokens, weights = [], [], []
        for u in reversed(range(STEPS)):
            tokens.append(self.tokens[u].gather(1, place))
            place = self.parents[u].gather(1, place)
            rows = torch.arange(len(place), device=place.device)
            weights.append(self.weights[u][rows, place[:, 0]][:, None])
            parents.append(torch.zeros_like(place))
        return Path(*(torch.stack(part[::-1]) for part in (parents, tokens, weights)))


@dataclass(frozen=True)
class Trial:
    """A scorer to try and what to try it on; everything is drawn from fixed seeds.

    Args:
        make: builds the scorer from the keyword `weight`.
        device: where to try it.
    """

    make: Callable[..., Scorer]
    device: str = "cpu"

    def scorer(self, weight: float = 0.5) -> Scorer:
        """A new one."""
        torch.manual_seed(5)
        return self.make(weight=weight)

    @cached_property
    def vocabulary_size(self) -> int:
        """V: as many tokens as it scores; where all are scored alike, a number of our own."""
        scorer = self.scorer()
        heard = self._acoustics(V)
        tokens, context = self.begin(B), StepContext(self._weights()[0])
        width = scorer.score(tokens, *scorer.start(heard, K), context).scores.shape[-1]
        return V if width == 1 else int(width)

    def acoustics(self) -> Acoustics:
        """What was heard; 0 on padding."""
        return self._acoustics(self.vocabulary_size)

    def _acoustics(self, vocabulary_size: int) -> Acoustics:
        generator = torch.Generator().manual_seed(2)
        mask = torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]
        encoded = torch.randn(B, max(LENGTHS), E, generator=generator) * mask[..., None]
        logits = torch.randn(B, max(LENGTHS), vocabulary_size, generator=generator)
        logits[..., [special.PAD, special.SOS, special.EOS]] = -1e4
        ctc = logits.log_softmax(-1) * mask[..., None]
        return Acoustics(encoded.to(self.device), mask.to(self.device), ctc.to(self.device))

    def path(self, seed: int = 3) -> Path:
        """Tokens and parents drawn by chance."""
        generator = torch.Generator().manual_seed(seed)
        tokens = torch.randint(special.FIRST_TEXT, self.vocabulary_size, (STEPS, B, K), generator=generator)
        parents = torch.randint(0, K, (STEPS, B, K), generator=generator)
        parents[0] = 0  # all hypotheses begin alike
        weights = self._weights(seed)
        weights[0] = weights[0, :, :1]
        return Path(parents.to(self.device), tokens.to(self.device), weights)

    def _weights(self, seed: int = 3) -> Tensor:
        generator = torch.Generator().manual_seed(seed + 100)
        energy = 3 * torch.randn(STEPS, B, K, H, max(LENGTHS), generator=generator).to(self.device)
        mask = torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]
        return energy.masked_fill(~mask[:, None, None].to(self.device), -torch.inf).softmax(-1)

    def begin(self, utterances: int, hypotheses: int = K) -> Tensor:
        """(B, K) the token before the first."""
        return torch.full((utterances, hypotheses), special.SOS, device=self.device)


def full(scored: Scored, vocabulary_size: int, rows: tuple[int, int]) -> Tensor:
    """(B, K, V) what every next token scores, eos with what it scores on top."""
    scores = scored.scores.double().expand(*rows, vocabulary_size).clone()
    if scored.ending is not None:
        scores[..., special.EOS] += scored.ending
    return scores


class Walk:
    """One search by one scorer, step by step; `scores` holds what it gave."""

    def __init__(self, trial: Trial, scorer: Scorer, acoustics: Acoustics, path: Path) -> None:
        self.trial, self.scorer, self.path = trial, scorer, path
        self.rows = (path.tokens.shape[1], path.tokens.shape[2])
        self.memory, self.state = scorer.start(acoustics, self.rows[1])
        self.tokens = trial.begin(*self.rows)
        self.scores: list[Tensor] = []

    def score(self, candidates: Tensor | None = None) -> Scored:
        """The scores of what comes next; nothing is picked yet."""
        context = StepContext(self.path.weights[len(self.scores)], candidates)
        return self.scorer.score(self.tokens, self.memory, self.state, context)

    def step(self) -> None:
        """Score, and go on as the path says."""
        u = len(self.scores)
        scored = self.score()
        self.scores.append(full(scored, self.trial.vocabulary_size, self.rows))
        self.tokens = self.path.tokens[u]
        self.state = self.scorer.reorder(self.memory, scored.state, self.path.parents[u], self.tokens)

    def run(self) -> list[Tensor]:
        """All steps; their scores."""
        for _ in range(len(self.scores), STEPS):
            self.step()
        return self.scores

    def leave(self, kept: Sequence[int]) -> None:
        """Go on with these utterances only, as a search does when others are done."""
        places = torch.tensor(kept, device=self.trial.device)
        self.memory, self.state = tree.select(self.memory, places), tree.select(self.state, places)
        self.tokens = self.tokens[places]
        self.path = Path(*(part[:, places] for part in self.path))
        self.rows = (len(kept), self.rows[1])


def difference(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> float:
    """The largest of two rows of scores, relative above 1; equal infinities do not differ."""
    gaps = []
    for left, right in zip(ours, theirs, strict=True):
        gap = (left - right) / left.abs().clamp(min=1.0)
        gaps.append(torch.where(left == right, torch.zeros_like(gap), gap))
    return largest(gaps)


def forms(part: Any) -> list[Any]:
    """Type, and of tensors shape and dtype, of every node of a tree."""
    if isinstance(part, Tensor):
        return [tuple(part.shape), part.dtype]
    return [type(part).__name__, *(form for field in part for form in forms(field))]
