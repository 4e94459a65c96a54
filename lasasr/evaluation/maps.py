"""Attention maps of decoded utterances as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure
from torch import Tensor

from lasasr.artifacts.utterance_files import file_words, plot_name
from lasasr.evaluation.outcome import Outcome
from lasasr.models import attention_view
from lasasr.models.recognizer import Recognizer
from lasasr.preparation.speech import Prepared
from lasasr.report import figures

WHOSE_TIMES: Final = {"corpus": "  (lines: times of the corpus)", "ctc": "  (lines: this model's CTC)"}


def draw(recognizer: Recognizer, prepared: Prepared, split: str, shown: Sequence[Outcome], folder: Path) -> None:
    """Save the attention maps of some outcomes as pictures."""
    dataset = prepared.dataset(split, recognizer.frontend.sample_rate_hz)
    indices = {utterance_id: index for index, utterance_id in enumerate(dataset.utterances.ids)}
    words = file_words(outcome.id for outcome in shown)
    for outcome in shown:
        if outcome.best.weights is not None:
            figure = attention_figure(recognizer, dataset.waveform(indices[outcome.id]), outcome)
            figures.save(figure, folder / plot_name(split, words[outcome.id]))


def attention_figure(recognizer: Recognizer, waveform: Tensor, outcome: Outcome) -> Figure:
    """The attention map of the best hypothesis over the spectrogram of waveform (S,).

    Raises:
        ValueError: the hypothesis carries no attention weights.
    """
    if outcome.best.weights is None:
        raise ValueError(f"the hypothesis of {outcome.id} carries no attention weights")
    best = outcome.best
    return attention_view.attention_figure(
        recognizer,
        waveform,
        best.tokens,
        best.weights,
        title=f"{outcome.id}{WHOSE_TIMES.get(outcome.spoken_by, '') if outcome.spoken else ''}",
        reference=outcome.reference,
        hypothesis=best.text,
        boundaries=outcome.spoken,
    )
