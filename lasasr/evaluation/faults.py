"""What kind of mistake each hypothesis makes, and whose it is: the search's or the model's."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lasasr.errors import LasasrError
from lasasr.metrics import triage
from lasasr.models.recognizer import Recognizer
from lasasr.search.acoustics import Acoustics


@torch.inference_mode()
def reference_scores(
    recognizer: Recognizer, acoustics: Acoustics, texts: Sequence[str], wanted: Sequence[bool]
) -> list[float | None]:
    """What the recognizer's own search gives the references, all in one batch.

    Args:
        acoustics: of B utterances.
        texts: their references after the transcript rule.
        wanted: which of them to score: those whose hypothesis is wrong.

    Returns:
        None where it is not wanted, where the tokenizer cannot write the reference, where the score is not finite, and
        everywhere if the search cannot score given tokens.
    """
    scores: list[float | None] = [None] * len(texts)
    score = getattr(recognizer.search, "score", None)
    tokens = {b: _encoded(recognizer, texts[b]) for b, wrong in enumerate(wanted) if wrong}
    encodable = {b: encoded for b, encoded in tokens.items() if encoded is not None}
    if score is None or not encodable:
        return scores
    for b, scored in zip(
        encodable,
        score(recognizer.model.decoder, acoustics.rows(list(encodable)), list(encodable.values())),
        strict=True,
    ):
        scores[b] = scored.score if math.isfinite(scored.score) else None
    return scores


def _encoded(recognizer: Recognizer, text: str) -> list[int] | None:
    try:
        return recognizer.tokenizer.encode(text)
    except LasasrError:  # a character that training never saw
        return None


def gap_s(weights: Tensor | None, frame_s: float) -> float | None:
    """Seconds of the longest stretch that attention weights (U + 1, H, T') passed over; None without attention."""
    if weights is None:
        return None
    return triage.longest_gap(weights.float().mean(1).sum(0).tolist()) * frame_s
