"""Attention maps of decoded utterances as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from torch import Tensor

from lasasr.artifacts.utterance_files import file_words, plot_name
from lasasr.evaluation.outcome import Outcome
from lasasr.models.recognizer import Recognizer
from lasasr.preparation.speech import Prepared
from lasasr.report import attention_map, figures
from lasasr.text import special


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
    spectrogram = recognizer.spectrogram(waveform)
    return attention_map.attention_map(
        weights=outcome.best.weights.float().cpu().numpy(),
        tokens=[recognizer.tokenizer.tokens[token] for token in (*outcome.best.tokens, special.EOS)],
        features=spectrogram.values.numpy(),
        encoded_frame_s=recognizer.encoded_frame_s,
        feature_frame_s=spectrogram.frame_s,
        title=outcome.id,
        reference=outcome.reference,
        hypothesis=outcome.best.text,
        boundaries=outcome.spoken,
        begin_s=recognizer.encoded_begin_s,
    )
