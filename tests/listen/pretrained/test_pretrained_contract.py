"""Every model type keeps the contract of encoders, and gives what transformers gives of an utterance alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from pretrained_folders import CASES, folder_of, model_of, shelf
from torch import Tensor

from lasasr.listen.base import StagedEncoder
from lasasr.listen.conformance import check
from lasasr.listen.pretrained import types
from lasasr.listen.pretrained.encoder import PretrainedEncoder
from lasasr.listen.pyramid import PyramidEncoder
from lasasr.models import encoder_parts, factory

assert shelf  # a fixture

TOP = partial(PyramidEncoder, hidden_dim=5, layers=1, subsampling_factor=2, stack=2)
ALL_TRAINED = {"layers": "weighted", "freeze": "none", "projection_dim": 7, "top": TOP}
every_case = pytest.mark.parametrize("case", CASES)


def part_of(case: str, path: Path, **options: Any) -> dict[str, Any]:
    weights = str(folder_of(case, path))
    return {"_target_": f"{PretrainedEncoder.__module__}.PretrainedEncoder", "weights": weights, **options}


def encoder_of(case: str, path: Path, **options: Any) -> PretrainedEncoder:
    part = part_of(case, path)
    made = PretrainedEncoder(input_dim=factory.required_input_dim(part) or 0, weights=part["weights"], **options)
    return made.eval()


def features_of(case: str, path: Path, samples: int = 8000) -> tuple[Tensor, Tensor]:
    """Features of noise, alone."""
    part = part_of(case, path)
    frontend = factory.frontend(encoder_parts.resolved_parts({"_target_": encoder_parts.OF_ENCODER}, part)[0], 1)
    torch.manual_seed(4)
    waveform = 0.1 * torch.randn(1, samples)
    features, frames = frontend(waveform, torch.tensor([samples]))
    return features, frames


def test_every_type_is_tried() -> None:
    assert {case.partition("+")[0] for case in CASES} == set(types.TYPES)


@pytest.mark.parametrize(
    ("case", "options"),
    [(case, {}) for case in CASES] + [(case, ALL_TRAINED) for case in ("whisper", "wav2vec2", "wavlm")],
)
def test_every_promise_is_kept(case: str, options: dict[str, Any], shelf: Path) -> None:
    part = part_of(case, shelf)
    make = partial(PretrainedEncoder, weights=part["weights"], **options)
    findings = list(check(make, input_dim=factory.required_input_dim(part) or 0))
    assert not [finding for finding in findings if not finding.kept]


@every_case
def test_an_utterance_alone_is_as_transformers_encodes_it(case: str, shelf: Path) -> None:
    """Also the frames between layers, which `layers=weighted` sums."""
    encoder, (features, frames) = encoder_of(case, shelf), features_of(case, shelf)
    if case == "whisper":
        pytest.skip("its frames are those of a window: see below")
    model = model_of(case)
    base = model.encoder if case == "parakeet_ctc" else getattr(model, model.base_model_prefix, model)
    with torch.no_grad():
        expected = base(features[..., 0] if features.shape[2] == 1 else features, output_hidden_states=True)
        states = encoder.body.run(list(encoder.body.begin(features, frames))[:1], frames * 0 + 10**6, 0, 3)
        torch.testing.assert_close(encoder(features, frames).encoded, expected.last_hidden_state, rtol=0, atol=1e-4)
    assert len(states) == 4
    for state, own in zip(expected.hidden_states[:-1], states, strict=False):
        torch.testing.assert_close(own, state, rtol=0, atol=1e-4)


def test_whisper_in_its_window_keeps_every_promise(shelf: Path) -> None:
    make = partial(PretrainedEncoder, weights=part_of("whisper", shelf)["weights"], window="full")
    assert not [finding for finding in check(make) if not finding.kept]


def test_whisper_in_its_window_is_that_of_transformers(shelf: Path) -> None:
    encoder, (features, frames) = encoder_of("whisper", shelf, window="full"), features_of("whisper", shelf)
    loudest = features.max()
    window = (loudest - 2.0).clamp(min=-1.5).expand(1, 300, 80).clone()
    window[:, : features.shape[1]] = features
    with torch.no_grad():
        expected = model_of("whisper").model.encoder(window.transpose(1, 2)).last_hidden_state
        encoded, lengths = encoder(features, frames)
    torch.testing.assert_close(encoded, expected[:, : int(lengths)], rtol=0, atol=1e-4)


def test_real_frames_that_fill_the_window_are_as_in_it(shelf: Path) -> None:
    features, frames = features_of("whisper", shelf, 48_000)
    assert frames.tolist() == [300]
    with torch.no_grad():
        real, full = (encoder_of("whisper", shelf, window=window)(features, frames) for window in ("real", "full"))
    torch.testing.assert_close(real.encoded, full.encoded, rtol=0, atol=1e-5)


def test_longer_than_the_positions_is_refused(shelf: Path) -> None:
    features, frames = features_of("whisper", shelf, 48_160)
    with pytest.raises(Exception, match=r"3\.0 s is too long: the positions of these weights end at 3 s"):
        encoder_of("whisper", shelf)(features, frames)


def test_sinusoids_go_on_beyond_the_end_of_the_positions(shelf: Path) -> None:
    from transformers.models.whisper.modeling_whisper import sinusoids

    features, frames = features_of("whisper", shelf, 64_000)
    short, long = (encoder_of("whisper", shelf) for _ in range(2))
    with torch.no_grad():
        table = sinusoids(200, short.body.net.embed_positions.weight.shape[1])
        short.body.net.embed_positions.weight.copy_(table[:150])
        long.body.net.embed_positions = torch.nn.Embedding(200, table.shape[1], _weight=table)
        long.body.reach = 400
        torch.testing.assert_close(short(features, frames), long(features, frames), rtol=0, atol=1e-5)
    assert short.body.longest is None
    short.body.widens = True
    assert short.body.longest == 300


@every_case
@pytest.mark.parametrize(
    ("layers", "options"),
    [("last", {}), ("weighted", {}), ("last", {"thaw_after": 5}), ("weighted", {"thaw_after": 5, "thaw_layers": 1})],
)
def test_the_two_stages_are_the_whole(case: str, layers: str, options: dict[str, Any], shelf: Path) -> None:
    encoder: StagedEncoder = encoder_of(case, shelf, layers=layers, top=TOP, **options)
    features, frames = features_of(case, shelf)
    with torch.no_grad():
        fixed, whole = encoder.fixed(features, frames), encoder(features, frames)
        assert encoder.keeps
        assert fixed.encoded.shape == (1, int(encoder.fixed_lengths(frames)), encoder.fixed_dim)
        torch.testing.assert_close(encoder.learnt(fixed).encoded, whole.encoded)


def test_weights_of_layers_choose(shelf: Path) -> None:
    """All weight on the last layer is `layers=last`."""
    weighted, last = (encoder_of("whisper", shelf, layers=layers) for layers in ("weighted", "last"))
    assert weighted.mix is not None
    features, frames = features_of("whisper", shelf)
    with torch.no_grad():
        weighted.mix.weights[-1] = 100.0
        torch.testing.assert_close(weighted(features, frames).encoded, last(features, frames).encoded)
