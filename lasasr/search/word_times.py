"""The times of the words of a hypothesis: by its attention, by CTC, and by both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lasasr.metrics.alignment_reference import combined_times, token_intervals, token_times, word_times
from lasasr.search.alignment import align, fits
from lasasr.search.hypothesis import KINDS, Kind, Word


class Clock(NamedTuple):
    """The times of an utterance's encoded frames; frame t covers begin_s + t·frame_s to begin_s + (t + 1)·frame_s."""

    frame_s: float
    begin_s: float
    duration_s: float  # of the audio


def timed_words(
    tokens: Sequence[int],
    names: Sequence[str],
    weights: Tensor | None,
    ctc_log_probs: Tensor | None,
    clock: Clock,
    phones: bool = False,
) -> dict[Kind, tuple[Word, ...]]:
    """The words by each kind that there is, to a millisecond (docs/alignment.md).

    "attention" is missing where there are no weights, or no weight at all; "ctc" where there is no CTC head, or fewer
    frames than CTC needs to spell the tokens; "combined" where either is.

    Args:
        tokens: U ids of text.
        names: printed name of every id; "▁" begins a word.
        weights: (U + 1, H, T), the last row is eos's.
        ctc_log_probs: (T, V).
        phones: every token is a word of its own.
    """
    moments: dict[Kind, NDArray[np.float64]] = {}
    if weights is not None:
        # eos belongs to no word, but its row helps to choose the head
        attended = token_times(weights.float().cpu().numpy(), clock.frame_s, begin_s=clock.begin_s)[:-1]
        if not np.isnan(attended).all():
            moments["attention"] = attended
    if ctc_log_probs is not None and fits(tokens, len(ctc_log_probs)):
        middles = [(span.start + span.end) / 2.0 for span in align(ctc_log_probs, tokens)]
        moments["ctc"] = clock.begin_s + clock.frame_s * np.array(middles)
    if len(moments) == 2:
        moments["combined"] = combined_times(moments["attention"], moments["ctc"], clock.duration_s)
    labels = [names[token] for token in tokens]
    return {kind: _words(labels, moments[kind], clock.duration_s, phones) for kind in KINDS if kind in moments}


def _words(labels: Sequence[str], moments: NDArray[np.float64], duration_s: float, phones: bool) -> tuple[Word, ...]:
    intervals = token_intervals(labels, moments, duration_s)
    labelled = intervals if phones else word_times(intervals)
    return tuple(Word(interval.label, round(interval.start_s, 3), round(interval.end_s, 3)) for interval in labelled)
