"""The frames of each token: the best CTC alignment of a token sequence."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from torch import Tensor

from lasasr.errors import LasasrError
from lasasr.search.forced_path import forced_path
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
    spans, begin = [], 0
    path, scores = forced_path(log_probs, tokens)
    for token, frames in groupby(path):
        end = begin + sum(1 for _ in frames)
        if token != special.BLANK:
            spans.append(Span(token, begin, end, sum(scores[begin:end]) / (end - begin)))
        begin = end
    return spans


def fits(tokens: Sequence[int], frames: int) -> bool:
    """Whether CTC has a path of so many frames that spells `tokens`."""
    return _needed(tokens) <= frames


def _needed(tokens: Sequence[int]) -> int:
    return len(tokens) + sum(a == b for a, b in pairwise(tokens))
