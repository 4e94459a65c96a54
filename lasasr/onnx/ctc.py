"""CTC in numpy: the best path, and prefix scores (Watanabe et al. 2017, algorithm 2)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
BLANK, PAD, SOS, EOS, FIRST_TEXT = range(5)  # the ids of lasasr.text.special
NEVER = -1e30  # log of zero
LEAST = -690.0  # a log probability below it is taken for it, as in lasasr.search.ctc_prefix


def best_path(log_probs: Floats) -> tuple[list[int], float]:
    """The likeliest path (T, V), collapsed, and its log probability."""
    path = log_probs.argmax(1)
    kept = [int(token) for t, token in enumerate(path) if token != BLANK and (t == 0 or token != path[t - 1])]
    return kept, float(log_probs.max(1).sum())


class Prefixes(NamedTuple):
    """K prefixes g; index t of the last axis refers to the first t frames."""

    ending_token: Floats  # (K, T + 1), log probability that the frames spell g and end in its last token
    ending_blank: Floats  # (K, T + 1), and end in a blank
    prefix: Floats  # (K,), log probability of everything that begins with g
    last: Ints  # (K,)


class PrefixScores:
    """Prefix scores of one utterance.

    Args:
        log_probs: (T, V).
    """

    def __init__(self, log_probs: Floats) -> None:
        self.log_probs = np.maximum(log_probs.astype(np.float64), LEAST)
        self.log_probs[:, [PAD, SOS, EOS]] = NEVER

    def start(self) -> Prefixes:
        """The empty prefix."""
        blank = np.concatenate([[0.0], np.cumsum(self.log_probs[:, BLANK])])[None]
        return Prefixes(np.full_like(blank, NEVER), blank, np.zeros(1), np.array([SOS]))

    def score(self, prefixes: Prefixes) -> Floats:
        """(K, V): log ψ(g·c) − log ψ(g) of every token, and of eos log p(g) − log ψ(g)."""
        whole = np.logaddexp(prefixes.ending_token, prefixes.ending_blank)
        totals = _entered(whole, self.log_probs)
        rows = np.arange(len(totals))
        repeated = prefixes.ending_blank[:, :-1] + self.log_probs[:, prefixes.last].T
        totals[rows, prefixes.last] = np.logaddexp.reduce(repeated, 1)
        scores: Floats = totals - prefixes.prefix[:, None]
        scores[:, EOS] = whole[:, -1] - prefixes.prefix
        return scores

    def extend(self, prefixes: Prefixes, scores: Floats, parents: Ints, tokens: Ints) -> Prefixes:
        """The prefixes that continue `parents` (K',) with `tokens` (K',); `scores` are those of `score`."""
        token, blank = prefixes.ending_token[parents], prefixes.ending_blank[parents]
        repeats = (tokens == prefixes.last[parents])[:, None]
        entering = np.where(repeats, blank, np.logaddexp(token, blank))
        now_token, now_blank = np.full_like(token, NEVER), np.full_like(blank, NEVER)
        emitted = self.log_probs[:, tokens].T
        for t in range(len(self.log_probs)):
            now_token[:, t + 1] = np.logaddexp(now_token[:, t], entering[:, t]) + emitted[:, t]
            now_blank[:, t + 1] = np.logaddexp(now_blank[:, t], now_token[:, t]) + self.log_probs[t, BLANK]
        return Prefixes(now_token, now_blank, prefixes.prefix[parents] + scores[parents, tokens], tokens)


def _entered(before: Floats, log_probs: Floats) -> Floats:
    """(K, V): log Σ_t exp(before[k, t] + log_probs[t, v]), as one product of matrices."""
    highest = before[:, :-1].max(1, keepdims=True)
    with np.errstate(divide="ignore"):
        sums = np.log(np.exp(before[:, :-1] - highest) @ np.exp(log_probs))
    return np.asarray(np.maximum(sums + highest, NEVER))
