"""The frontend as one module."""

import pytest
import torch

from lasasr.audio.cmvn import UtteranceCMVN
from lasasr.audio.fbank import Fbank
from lasasr.audio.fbank_frontend import FbankFrontend
from lasasr.errors import LasasrError, UsageError

WAVEFORMS = torch.randn(2, 4000, generator=torch.Generator().manual_seed(0)) * 0.1
LENGTHS = torch.tensor([4000, 2500])


def test_utterance_is_fbank_then_cmvn() -> None:
    features, lengths = FbankFrontend()(WAVEFORMS, LENGTHS)
    raw, produced = Fbank()(WAVEFORMS, LENGTHS)
    assert torch.equal(lengths, produced)
    assert torch.equal(features, UtteranceCMVN()(raw, produced))
    assert not FbankFrontend().state_dict()


def test_none_is_fbank() -> None:
    assert torch.equal(FbankFrontend(cmvn="none")(WAVEFORMS, LENGTHS)[0], Fbank()(WAVEFORMS, LENGTHS)[0])


def test_global_asks_for_its_statistics_once_and_then_normalises() -> None:
    frontend = FbankFrontend(cmvn="global")
    assert not frontend.ready
    with pytest.raises(LasasrError, match="no statistics"):
        frontend(WAVEFORMS, LENGTHS)
    frontend.fit([(WAVEFORMS[:1], LENGTHS[:1]), (WAVEFORMS[1:], LENGTHS[1:])])
    features, lengths = frontend(WAVEFORMS, LENGTHS)
    frames = torch.cat([row[:length] for row, length in zip(features, lengths, strict=True)])
    torch.testing.assert_close(frames.mean(0), torch.zeros(80), atol=1e-4, rtol=0)
    torch.testing.assert_close(frames.std(0, correction=0), torch.ones(80), atol=1e-4, rtol=0)


def test_global_statistics_travel() -> None:
    fitted = FbankFrontend(cmvn="global")
    fitted.fit([(WAVEFORMS, LENGTHS)])
    other = FbankFrontend(cmvn="global")
    other.load_state_dict(fitted.state_dict())
    assert other.ready
    assert torch.equal(other(WAVEFORMS, LENGTHS)[0], fitted(WAVEFORMS, LENGTHS)[0])


def test_wrong_requests() -> None:
    with pytest.raises(UsageError, match="speaker"):
        FbankFrontend(cmvn="speaker")
    with pytest.raises(ValueError, match="global"):
        FbankFrontend().fit([(WAVEFORMS, LENGTHS)])


def test_describes_itself() -> None:
    frontend = FbankFrontend(bins=40, frame_shift_ms=12.5)
    assert (frontend.sample_rate_hz, frontend.frame_shift_ms, frontend.output_dim) == (16_000, 12.5, 40)
    features, lengths = frontend(WAVEFORMS, LENGTHS)
    assert features.shape == (2, int(lengths[0]), 40)
    assert torch.equal(lengths, frontend.output_lengths(LENGTHS))
