"""Greedy and joint beam search in numpy, one utterance at a time: what `lasasr.search` does with a batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lasasr.onnx.ctc import EOS, FIRST_TEXT, SOS, PrefixScores

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Leaves = list[NDArray[Any]]
Step = Callable[[Ints, Leaves], tuple[Floats, Leaves]]  # tokens (K,), state → logits (K, V), state
MASKED = -1e4
TIE = 1e-12  # log; of equal candidates the one of the better hypothesis wins, then the smaller id


class Found(NamedTuple):
    """The best hypothesis."""

    tokens: list[int]
    score: float


def log_softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """Over the last axis."""
    scaled = np.maximum(logits.astype(np.float64) / temperature, MASKED)
    shifted = scaled - scaled.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))


def bounds(limits: Mapping[str, Any], frames: int) -> tuple[int, int]:
    """Fewest and most tokens of an utterance of so many encoded frames."""
    longest = max(1, math.ceil(limits["max_ratio"] * frames))
    if limits["max_length"] is not None:
        longest = min(longest, limits["max_length"])
    return min(max(math.ceil(limits["min_ratio"] * frames), limits["min_length"]), longest), longest


def greedy(step: Step, state: Leaves, frames: int, options: Mapping[str, Any]) -> Found:
    """The likeliest token at each step."""
    shortest, longest = bounds(options["limits"], frames)
    token, tokens, score = np.array([SOS]), list[int](), 0.0
    for u in range(longest + 1):
        logits, state = step(token, state)
        log_probs = log_softmax(logits)[0]
        allowed = log_probs.copy()
        allowed[:EOS] = -np.inf
        if u < shortest:
            allowed[EOS] = -np.inf
        best = EOS if u >= longest else int(allowed.argmax())
        score += float(log_probs[best])
        if best == EOS:
            break
        tokens.append(best)
        token = np.array([best])
    return Found(tokens, score)


def beam(
    step: Step | None, state: Leaves, ctc_log_probs: Floats | None, frames: int, options: Mapping[str, Any]
) -> Found:
    """The best by (1 − ctc_weight) · decoder + ctc_weight · CTC + length_bonus · (U + 1)."""
    size, weight, bonus = options["beam"], options["ctc_weight"], options["length_bonus"]
    shortest, longest = bounds(options["limits"], frames)
    ctc = PrefixScores(ctc_log_probs) if weight and ctc_log_probs is not None else None
    prefixes = None if ctc is None else ctc.start()
    totals, tokens, histories = np.zeros(1), np.array([SOS]), [list[int]()]
    best: Found | None = None
    for u in range(longest + 1):
        fused = np.full((len(tokens), 1), bonus)
        if step is not None and weight < 1.0:
            logits, state = step(tokens, state)
            fused = fused + (1.0 - weight) * log_softmax(logits, options["temperature"])
        if ctc is not None and prefixes is not None:
            ctc_scores = ctc.score(prefixes)
            fused = fused + weight * ctc_scores
        fused[:, :EOS] = -np.inf
        ending = totals + fused[:, EOS] if u >= shortest else np.full(len(totals), -np.inf)
        candidates = fused + totals[:, None]
        candidates[:, :FIRST_TEXT] = -np.inf
        if u >= longest:
            candidates[:] = -np.inf
        ties = TIE * np.arange(candidates.size).reshape(candidates.shape)
        picked = np.argsort(-(candidates - ties).ravel(), kind="stable")[:size]
        values = candidates.ravel()[picked]
        worst = values[-1] if len(values) == size else -np.inf
        for k in np.argsort(-ending, kind="stable"):
            if ending[k] >= worst and np.isfinite(ending[k]) and (best is None or ending[k] > best.score):
                best = Found(histories[k], float(ending[k]))
        parents, tokens = picked // candidates.shape[1], picked % candidates.shape[1]
        alive = np.isfinite(values)
        parents, tokens, totals = parents[alive], tokens[alive], values[alive]
        left = longest - u  # tokens still to come, eos included
        if not len(totals) or (best is not None and totals.max() + max(bonus, 0.0) * left <= best.score):
            break
        histories = [[*histories[parent], int(token)] for parent, token in zip(parents, tokens, strict=True)]
        state = [leaf[:, parents] for leaf in state]
        if ctc is not None and prefixes is not None:
            prefixes = ctc.extend(prefixes, ctc_scores, parents, tokens)
    return best or Found([], -math.inf)
