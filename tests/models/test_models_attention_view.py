"""The picture of attention: of a hypothesis that brings its weights, and of one that does not."""

from __future__ import annotations

import io

import pytest
import torch
from PIL import Image
from tiny_recognizer import greedy, parts

from lasasr.errors import LasasrError
from lasasr.models.attention_view import attended, attention_figure, png
from lasasr.models.recognizer import Recognizer
from lasasr.text.character import CharacterTokenizer

SWELL = 1.3 + torch.cos(torch.arange(16_000) * (2 * torch.pi * 3.0 / 16_000))  # what is steady is not decoded
NOISE = torch.randn(16_000, generator=torch.Generator().manual_seed(1)) * 0.1 * SWELL


def build(ctc_weight: float) -> Recognizer:
    torch.manual_seed(0)
    return Recognizer.build(
        parts(ctc_weight, search=greedy(5, 9)), CharacterTokenizer.train(["ab c", "ba"]), "none/1"
    ).eval()


def test_a_decoder_that_is_given_what_it_said_looks_where_it_looked() -> None:
    recognizer = build(0.3)
    (best,) = recognizer.transcribe(NOISE)
    assert best.weights is not None
    weights = attended(recognizer, NOISE, best.tokens)
    assert weights.shape == best.weights.shape
    torch.testing.assert_close(weights, best.weights, atol=1e-5, rtol=0.0)
    assert min(Image.open(io.BytesIO(png(attention_figure(recognizer, NOISE, best.tokens)))).size) > 300


def test_what_has_no_attention_says_so() -> None:
    with pytest.raises(LasasrError, match="no attention to draw"):
        attention_figure(build(1.0), NOISE, [4, 5])
