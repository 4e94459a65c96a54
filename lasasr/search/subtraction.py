"""Subtracts the language model that the decoder has learnt, where a better one is fused.

    score = log p(y|x) + λ · log p_lm(y) − μ · log p_learnt(y)

p_learnt is either the decoder's internal language model or a language model of the text it was trained on.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lasasr.errors import UsageError
from lasasr.search.acoustics import Acoustics
from lasasr.search.base import Scored, Scorer, ScorerAlias, StepContext
from lasasr.search.scorer import DecoderScorer, weight_of
from lasasr.spell.base import Decoder


class InternalLMScorer(DecoderScorer):
    """log p(token | tokens before) of the decoder without acoustic input: its internal language model.

    The context is zero at every step (Meng et al. 2021, internal LM estimation of attention models; Variani et al. 2020
    do so for a transducer). Any attention gives that when it reads one frame of zeros: its contexts are weighted sums
    of frames, without biases.
    """

    name = "internal_lm"

    def start(self, acoustics: Acoustics, hypotheses: int) -> tuple[Any, Any]:
        nothing = torch.zeros_like(acoustics.encoded[:, :1])
        return super().start(Acoustics(nothing, torch.ones_like(acoustics.mask[:, :1])), hypotheses)

    def score(self, tokens: Tensor, memory: Any, state: Any, context: StepContext) -> Scored:
        return super().score(tokens, memory, state, context)._replace(weights=None)


class Subtraction:
    """Scorers with weights below zero.

    Args:
        internal_weight: μ of the internal language model (Meng et al. 2021).
        lm: of the text that the recognizer was trained on.
        lm_weight: μ of `lm`: the density ratio (McDermott et al. 2019).

    Raises:
        ValueError: a weight is below 0, or one of `lm` and `lm_weight` is set without the other.
    """

    def __init__(self, internal_weight: float = 0.0, lm: Scorer | None = None, lm_weight: float | None = None) -> None:
        lm_weight = weight_of(lm, lm_weight)
        if internal_weight < 0.0 or lm_weight < 0.0:
            raise ValueError(f"what is subtracted has a weight >= 0, got {internal_weight} and {lm_weight}")
        if lm_weight and lm is None:
            raise ValueError(f"lm_weight is {lm_weight}, but no lm is named")
        self.internal_weight, self.lm, self.lm_weight = internal_weight, lm, lm_weight

    def scorers(self, decoder: Decoder | None) -> list[tuple[Scorer, float]]:
        """Each with its weight, below zero.

        Raises:
            UsageError: the internal language model has a weight, but there is no decoder.
        """
        scorers: list[tuple[Scorer, float]] = []
        if self.internal_weight:
            if decoder is None:
                raise UsageError("search.subtract.internal_weight needs a decoder; this model has none")
            scorers.append((InternalLMScorer(decoder), -self.internal_weight))
        if self.lm is not None and self.lm_weight:
            scorers.append((ScorerAlias(self.lm, "source_lm"), -self.lm_weight))
        return scorers
