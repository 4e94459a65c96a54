"""The likeliest CTC path that spells a text: Viterbi, one frame at a time, over all places of the text at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lasasr.text import special


def forced_path(log_probs: Tensor, tokens: Sequence[int]) -> tuple[list[int], list[float]]:
    """The id of each frame on that path, and its log probability (Graves et al. 2006, §3.2).

    A path goes through the places blank, token, blank, token, ..., blank. From one frame to the next it stays, goes on
    by one place, or by two from a token to another one. Of ways that are equally likely, the shorter step is taken.

    Args:
        log_probs: (T, V), of one utterance, on any device.
        tokens: ids of text, at least one, for which T frames are enough (`alignment.fits`).
    """
    places = np.full(2 * len(tokens) + 1, special.BLANK)
    places[1::2] = tokens
    emitted = log_probs.detach().to("cpu", torch.float32).numpy()[:, places]
    path = _places(emitted, _skips(places))
    return places[path].tolist(), emitted[np.arange(len(emitted)), path].tolist()


def _skips(places: NDArray[Any]) -> NDArray[np.bool_]:
    """Which places can be entered from two before."""
    skips = np.zeros(len(places), dtype=bool)
    skips[3::2] = places[3::2] != places[1:-2:2]
    return skips


def _places(emitted: NDArray[np.float32], skips: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The place of each frame on the best path, from the log probabilities (T, S) of what each place emits."""
    frames, count = emitted.shape
    # two places before the first, from which nothing comes
    scores = np.full(count + 2, -np.inf, dtype=np.float32)
    scores[2:4] = emitted[0, :2]
    never = np.where(skips, np.float32(0.0), np.float32(-np.inf))
    steps = np.zeros((frames, count), dtype=np.int8)
    for t in range(1, frames):
        stay, one, two = scores[2:], scores[1:-1], scores[:-2] + never
        best = np.maximum(stay, one)
        step = steps[t]
        np.greater(one, stay, out=step, casting="unsafe")
        step[two > best] = 2
        np.maximum(best, two, out=best)
        scores[2:] = best + emitted[t]
    place = count - 1 if scores[-1] > scores[-2] else count - 2
    path = np.empty(frames, dtype=np.int64)
    for t in range(frames - 1, -1, -1):
        path[t] = place
        place -= int(steps[t, place])
    return path
