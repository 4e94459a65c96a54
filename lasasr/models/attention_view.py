"""What a recognizer attends to in a recording, drawn below its spectrogram."""

from __future__ import annotations

import io
from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lasasr.errors import LasasrError
from lasasr.metrics.alignment_reference import TimedLabel
from lasasr.models.recognizer import Recognizer
from lasasr.report import attention_map
from lasasr.search.rescoring import teacher_forced
from lasasr.text import special


def attention_figure(
    recognizer: Recognizer,
    waveform: Tensor,
    tokens: Sequence[int],
    weights: Tensor | None = None,
    title: str = "",
    reference: str = "",
    hypothesis: str = "",
    boundaries: Sequence[TimedLabel] = (),
) -> Figure:
    """The attention map of some tokens over the spectrogram of waveform (S,).

    Args:
        recognizer: in evaluation mode.
        waveform: float32, at `recognizer.frontend.sample_rate_hz`.
        tokens: U of them, as of a `Hypothesis`: without sos and eos.
        weights: (U + 1, H, T'), of the tokens and eos; None: those that the decoder has when it is given the tokens.
        title: the utterance id.
        reference: shown aligned with `hypothesis` unless both are empty.
        hypothesis: the recognized text.
        boundaries: times of words or phones, s, drawn as thin lines.

    Raises:
        LasasrError: the recognizer has no attention.
    """
    if weights is None:
        weights = attended(recognizer, waveform, tokens)
    spectrogram = recognizer.spectrogram(waveform)
    return attention_map.attention_map(
        weights=weights.float().cpu().numpy(),
        tokens=[recognizer.tokenizer.tokens[token] for token in (*tokens, special.EOS)],
        features=spectrogram.values.numpy(),
        encoded_frame_s=recognizer.encoded_frame_s,
        feature_frame_s=spectrogram.frame_s,
        title=title,
        reference=reference,
        hypothesis=hypothesis,
        boundaries=boundaries,
        begin_s=recognizer.encoded_begin_s,
    )


@torch.inference_mode()
def attended(recognizer: Recognizer, waveform: Tensor, tokens: Sequence[int]) -> Tensor:
    """The weights (U + 1, H, T') of a decoder that is given U tokens of waveform (S,), and of eos behind them.

    Raises:
        LasasrError: the recognizer has no attention.
    """
    decoder = recognizer.model.decoder
    if decoder is None:
        raise LasasrError("this recognizer has a CTC head alone, and no attention to draw")
    acoustics = recognizer.encode_waveforms(waveform[None], torch.tensor([len(waveform)]))
    return teacher_forced(decoder, acoustics, [tokens])[1][0]


def png(figure: Figure) -> bytes:
    """A figure as a picture in memory."""
    held = io.BytesIO()
    figure.savefig(held, format="png")
    return held.getvalue()
