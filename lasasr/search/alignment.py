"""The frames of each token: the best CTC alignment of a token sequence."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor
from torchaudio.functional import forced_align, merge_tokens

from lasasr.errors import LasasrError
from lasasr.text import special


class Span(NamedTuple):
    """The frames of one token, start <= t < end."""

    token: int
    start: int
    end: int
    score: float  # log, mean over its frames


def align(log_probs: Tensor, tokens: Sequence[int]) -> list[Span]:
    """Spans of `tokens` on the likeliest CTC path that spells them (Graves et al. 2006, §3.2; Viterbi).

    Args:
        log_probs: (T, V), the CTC head's, of one utterance without padding.
        tokens: ids of text.

    Raises:
        LasasrError: T is less than the tokens and the blanks between equal neighbours need.
    """
    if not tokens:
        return []
    if not fits(tokens, len(log_probs)):
        raise LasasrError(
            f"{len(tokens)} tokens need {_needed(tokens)} encoded frames to be aligned, the audio has {len(log_probs)}"
        )
    targets = torch.tensor([list(tokens)], dtype=torch.int32, device=log_probs.device)
    path, scores = forced_align(log_probs[None].float(), targets, blank=special.BLANK)
    return [Span(span.token, span.start, span.end, span.score) for span in merge_tokens(path[0], scores[0])]


def fits(tokens: Sequence[int], frames: int) -> bool:
    """Whether CTC has a path of so many frames that spells `tokens`."""
    return _needed(tokens) <= frames


def _needed(tokens: Sequence[int]) -> int:
    return len(tokens) + sum(a == b for a, b in pairwise(tokens))
