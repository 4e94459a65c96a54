"""The decoder as a scorer, and what all searches do with scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lasasr.errors import LasasrError
from lasasr.search.acoustics import Acoustics
from lasasr.search.base import Scored, Scorer, StepContext
from lasasr.spell.base import MASKED, Decoder, never_emitted_mask


class DecoderScorer(Scorer):
    """log p(token | tokens before, utterance) of the attention decoder."""

    name = "decoder"

    def __init__(self, decoder: Decoder, temperature: float = 1.0):
        """
        Args:
            decoder: in evaluation mode.
            temperature: divides the logits; > 1 flattens the distribution.
        """
        self.decoder = decoder
        self.temperature = temperature

    def start(self, acoustics: Acoustics, hypotheses: int) -> tuple[Any, Any]:
        memory = self.decoder.memory(acoustics.encoded, acoustics.mask)
        return memory, self.decoder.initial(memory, hypotheses)

    def score(self, tokens: Tensor, memory: Any, state: Any, context: StepContext) -> Scored:
        step = self.decoder.step(tokens, memory, state)
        return Scored(log_probs(step.logits, self.temperature), step.state, step.weights)


def log_probs(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """log softmax of logits (..., V) / temperature in float32; a logit of -inf counts as MASKED, so all stay finite."""
    scaled = logits.float() if temperature == 1.0 else logits.float() / temperature
    return scaled.clamp(min=MASKED).log_softmax(-1)


def weight_of(lm: Scorer | None, weight: float | None) -> float:
    """The weight of a language model, 0 where there is none.

    Raises:
        ValueError: it has no weight, so that it would do nothing, unnoticed.
    """
    if lm is not None and weight is None:
        raise ValueError("lm is given, but not its weight; set lm_weight=0.3, say (0 does without it)")
    return weight or 0.0


def never_emitted(vocabulary_size: int, device: torch.device) -> Tensor:
    """(V,) float64: -inf at blank, pad and sos, 0 elsewhere."""
    bias = torch.zeros(vocabulary_size, dtype=torch.float64, device=device)
    return bias.masked_fill(never_emitted_mask(vocabulary_size, device), -torch.inf)


def worth_leaving(finished: int, utterances: int) -> bool:
    """Whether `finished` of `utterances` should leave the batch now: copying what stays costs about a step."""
    return 4 * finished >= utterances


def name_of(utterance: int, ids: Sequence[str]) -> str:
    """How an error names an utterance."""
    return f"utterance {ids[utterance]}" if ids else f"utterance {utterance} of the batch"


def refuse_nan(bad: Tensor, utterances: Tensor, ids: Sequence[str], further: Sequence[tuple[str, Tensor]] = ()) -> None:
    """
    Args:
        bad: (B,) bool, True where a score is NaN.
        utterances: (B,) int64, the index of each row in the original batch.
        further: names of scorers that are no part of the model, and their scores, (B, ...).

    Raises:
        LasasrError: any is True; the message names the first such utterance, and the scorer if it is one of `further`.
    """
    if not bool(bad.any()):
        return
    first = name_of(int(utterances[bad][0]), ids)
    for name, scores in further:
        if bool((scores[bad].isnan() | scores[bad].isposinf()).any()):
            raise LasasrError(f"{first}: scorer {name} gave NaN or +inf; scores are finite or -inf")
    raise LasasrError(
        f"{first}: the model's scores are NaN; its weights or this audio are damaged, try an earlier checkpoint"
    )
