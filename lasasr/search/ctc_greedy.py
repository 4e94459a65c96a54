"""CTC alone, without a beam: the best path, collapsed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lasasr.errors import UsageError
from lasasr.metrics.triage import EMPTY, NEAR_TIE, TOLERANCE
from lasasr.search.acoustics import Acoustics
from lasasr.search.alignment import fits
from lasasr.search.base import Search
from lasasr.search.forced_path import forced_path
from lasasr.search.hypothesis import Hypothesis
from lasasr.search.scorer import refuse_nan
from lasasr.spell.base import Decoder
from lasasr.text import special


class CTCGreedySearch(Search):
    """Best-path decoding (Graves et al. 2006, §3.2): the likeliest id of each frame, repeats merged, blanks dropped.

    The score is the log probability of that one path, not of all paths that spell the tokens. A decoder is ignored.
    """

    @torch.inference_mode()
    def __call__(
        self, decoder: Decoder | None, acoustics: Acoustics, ids: Sequence[str] = ()
    ) -> list[list[Hypothesis]]:
        """One hypothesis per utterance, flagged "empty" where all is blank.

        Args:
            ids: the utterances' names, for error messages.

        Raises:
            UsageError: the model has no CTC head.
            LasasrError: a score is NaN.
        """
        log_probs = required(acoustics)
        never = [special.PAD, special.SOS, special.EOS]
        possible = log_probs.index_fill(2, log_probs.new_tensor(never, dtype=torch.int64), -torch.inf)
        scores, path = possible.max(2)
        tied = (tied_best(possible) & acoustics.mask).any(1)
        totals = scores.double().masked_fill(~acoustics.mask, 0.0).sum(1)
        refuse_nan(totals.isnan(), torch.arange(len(totals), device=totals.device), ids)
        path = path.masked_fill(~acoustics.mask, special.BLANK)
        rows = zip(path.tolist(), totals.tolist(), tied.tolist(), strict=True)
        return [[_hypothesis(*row)] for row in rows]

    @torch.inference_mode()
    def score(self, decoder: Decoder | None, acoustics: Acoustics, tokens: Sequence[Sequence[int]]) -> list[Hypothesis]:
        """The tokens, one sequence per utterance, with the score of the best path that spells them (-inf: none).

        Raises:
            UsageError: the model has no CTC head.
        """
        log_probs, frames = required(acoustics), acoustics.lengths.tolist()
        scores = [best_path(log_probs[b, : frames[b]], text) for b, text in enumerate(tokens)]
        return [Hypothesis(tuple(text), score, {"ctc": score}) for text, score in zip(tokens, scores, strict=True)]


def required(acoustics: Acoustics) -> Tensor:
    """The CTC log probabilities (B, T, V).

    Raises:
        UsageError: the model has no CTC head.
    """
    if acoustics.ctc_log_probs is None:
        raise UsageError("this model has no CTC head, because its loss needs none; use search=greedy or search=beam")
    return acoustics.ctc_log_probs


def best_path(log_probs: Tensor, tokens: Sequence[int]) -> float:
    """Log probability of the likeliest path that spells `tokens`, of log_probs (T, V); -inf where there is none."""
    if not fits(tokens, len(log_probs)):
        return -math.inf
    if not tokens:
        return float(log_probs[:, special.BLANK].double().sum())
    return math.fsum(forced_path(log_probs, tokens)[1])


def collapsed(path: Sequence[int]) -> tuple[int, ...]:
    """Tokens of a path: neighbours that are equal become one, then blanks go."""
    kept = (token for t, token in enumerate(path) if t == 0 or token != path[t - 1])
    return tuple(token for token in kept if token != special.BLANK)


def tied_best(scores: Tensor) -> Tensor:
    """Where the best of scores (..., V) is nearly equalled by the second: (...) bool."""
    best = scores.topk(2).values
    return best[..., 0] - best[..., 1] < TOLERANCE


def _hypothesis(path: Sequence[int], score: float, tied: bool) -> Hypothesis:
    tokens = collapsed(path)
    flags = (*([] if tokens else [EMPTY]), *([NEAR_TIE] if tied else []))
    return Hypothesis(tokens, score, {"ctc": score}, flags=flags)
