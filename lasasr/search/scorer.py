"""The contract between search and whatever scores the next token.

As in *Attend*, state is a value in two parts: `memory`, which all hypotheses of an utterance share (leaves (B, ...)),
and `state`, which each hypothesis owns (leaves (B, K, ...)). Both are NamedTuples of tensors; search gathers and
selects them through `lasasr.tree` and never looks inside.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lasasr import tree
from lasasr.errors import LasasrError
from lasasr.search.acoustics import Acoustics
from lasasr.spell.base import MASKED, Decoder, never_emitted_mask


class Seen(NamedTuple):
    """What the scorers before this one found out at the same step."""

    weights: Tensor | None = None  # (B, K, H, T), the decoder's attention
    candidates: Tensor | None = None  # (B, K, P) int64, the tokens that a pre-beam kept; None: all


class Scored(NamedTuple):
    """One step for every hypothesis."""

    scores: Tensor  # log, broadcasts to (B, K, V); (B, K, P) from a partial scorer that was given candidates
    state: Any
    weights: Tensor | None = None  # (B, K, H, T), from a scorer that attends
    ending: Tensor | None = None  # (B, K), log, what eos scores on top


class Scorer(ABC):
    """Scores every next token of every hypothesis.

    The order of a step: `score` reads the last tokens, search picks, `reorder` follows what was picked. The total of a
    hypothesis is the sum of the scores of its tokens and of its eos.
    """

    name: str  # the key in `Hypothesis.scores`
    partial: bool = False  # True: scores only `Seen.candidates` where there are any

    @abstractmethod
    def start(self, acoustics: Acoustics, hypotheses: int) -> tuple[Any, Any]:
        """Memory (leaves (B, ...)) and the state of the empty hypothesis (leaves (B, hypotheses, ...))."""

    @abstractmethod
    def score(self, tokens: Tensor, memory: Any, state: Any, seen: Seen) -> Scored:
        """Score what may follow `tokens` (B, K) int64, the last token of each hypothesis (SOS at first)."""

    def reorder(self, memory: Any, state: Any, parents: Tensor, tokens: Tensor) -> Any:
        """The state in which hypothesis k continues parents[b, k] with tokens[b, k]; both (B, K') int64."""
        return tree.reorder(state, parents)


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

    def score(self, tokens: Tensor, memory: Any, state: Any, seen: Seen) -> Scored:
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


def refuse_nan(bad: Tensor, utterances: Tensor, ids: Sequence[str]) -> None:
    """
    Args:
        bad: (B,) bool, True where a score is NaN.
        utterances: (B,) int64, the place of each row in the batch that was given.

    Raises:
        LasasrError: any is True; the message names the first such utterance.
    """
    if bool(bad.any()):
        first = int(utterances[bad][0])
        raise LasasrError(
            f"{name_of(first, ids)}: the model's scores are NaN; its weights or this audio are damaged, "
            "try an earlier checkpoint"
        )
