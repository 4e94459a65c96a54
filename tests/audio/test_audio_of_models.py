"""The features of Whisper, Parakeet and w2v-BERT against transformers' own."""

from __future__ import annotations

import pytest
import torch

from lasasr.audio.parakeet_log_mel import ParakeetLogMelFrontend
from lasasr.audio.stacked_fbank import StackedFbankFrontend
from lasasr.audio.whisper_log_mel import WhisperLogMelFrontend

transformers = pytest.importorskip("transformers", reason="no transformers: pip install 'lasasr[pretrained]'")


@pytest.mark.parametrize("samples", [16_000, 16_001, 399, 1])
@pytest.mark.parametrize("bins", [80, 128])
def test_they_are_those_of_transformers_up_to_the_end(samples: int, bins: int) -> None:
    torch.manual_seed(0)
    waveform = 0.1 * torch.randn(samples) * torch.linspace(0, 1, samples)
    extractor = transformers.WhisperFeatureExtractor(feature_size=bins)
    expected = extractor(waveform.numpy(), sampling_rate=16_000, return_tensors="pt")["input_features"][0].T
    features, frames = WhisperLogMelFrontend(bins)(waveform[None], torch.tensor([samples]))
    assert frames.tolist() == [-(-samples // 160)]
    torch.testing.assert_close(features[0], expected[: int(frames)], rtol=0, atol=2e-5)


@pytest.mark.parametrize("samples", [16_000, 8123, 1040])
def test_those_of_parakeet_are_those_of_transformers(samples: int) -> None:
    torch.manual_seed(0)
    waveform = 0.1 * torch.randn(samples)
    expected = transformers.ParakeetFeatureExtractor()(waveform.numpy(), sampling_rate=16_000, return_tensors="pt")
    features, frames = ParakeetLogMelFrontend()(waveform[None], torch.tensor([samples]))
    assert frames.tolist() == expected["attention_mask"].sum(1).tolist()
    torch.testing.assert_close(features[0], expected["input_features"][0, : int(frames)], rtol=0, atol=2e-3)


@pytest.mark.parametrize("samples", [16_000, 8123, 1040])
def test_those_of_w2v_bert_are_those_of_transformers(samples: int) -> None:
    torch.manual_seed(0)
    waveform = 0.1 * torch.randn(samples)
    expected = transformers.SeamlessM4TFeatureExtractor()(waveform.numpy(), sampling_rate=16_000, return_tensors="pt")
    features, frames = StackedFbankFrontend()(waveform[None], torch.tensor([samples]))
    assert frames.tolist() == expected["attention_mask"].sum(1).tolist()
    torch.testing.assert_close(features[0], expected["input_features"][0, : int(frames)].float(), rtol=0, atol=2e-3)
