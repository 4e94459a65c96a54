"""What every encoder of `configs/listen/` promises (lasasr/listen/base.py)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from listen_encoders import NAMES, RECURRENT, F, encoder

from lasasr.comparison.encoders import SELF_ATTENTIVE
from lasasr.nn import concurrent
from lasasr.nn import lengths as length

every_encoder = pytest.mark.parametrize("name", NAMES)
recurrent = pytest.mark.parametrize("name", RECURRENT)
every_implementation = pytest.mark.parametrize(
    ("name", "options"),
    [(name, {"lstm": lstm}) for name in RECURRENT for lstm in ("padded", "packed", "recomputed")]
    + [(name, {}) for name in NAMES if name not in RECURRENT],
)
LENGTHS = torch.tensor([23, 1, 16, 7, 22])


def test_there_are_encoders() -> None:
    assert {"blstm", "conv_blstm", "pyramid"} <= set(NAMES)


@every_implementation
@pytest.mark.parametrize("filling", [0.0, 1e3, float("nan")])
def test_an_utterance_is_the_same_alone_and_in_any_batch(name: str, options: dict[str, Any], filling: float) -> None:
    listen = encoder(name, **options)
    features = torch.randn(len(LENGTHS), 30, F)
    filled = features.masked_fill(~length.mask(LENGTHS, 30)[..., None], filling)
    together = listen(filled, LENGTHS)
    for row, frames in enumerate(LENGTHS.tolist()):
        alone = listen(features[row : row + 1, :frames], LENGTHS[row : row + 1])
        assert alone.lengths.tolist() == [together.lengths[row]]
        torch.testing.assert_close(alone.encoded[0], together.encoded[row, : alone.lengths[0]], rtol=0, atol=1e-5)


@every_encoder
def test_gradients_do_not_see_padding(name: str) -> None:
    listen = encoder(name)
    features = torch.randn(len(LENGTHS), 30, F)
    gradients = []
    for filling in (0.0, 1e3):
        filled = features.masked_fill(~length.mask(LENGTHS, 30)[..., None], filling).requires_grad_()
        inputs = [filled, *listen.parameters()]
        gradients.append(torch.autograd.grad(listen(filled, LENGTHS).encoded.square().sum(), inputs))
    assert gradients[1][0][~length.mask(LENGTHS, 30)].abs().max() == 0
    for first, second in zip(*gradients, strict=True):
        torch.testing.assert_close(first, second)


@every_encoder
def test_encoded_is_zero_on_padding_and_nowhere_else(name: str) -> None:
    listen = encoder(name)
    encoded, lengths = listen(torch.randn(len(LENGTHS), 30, F), LENGTHS)
    real = length.mask(lengths, encoded.shape[1])
    assert (encoded[~real] == 0).all()
    assert (encoded[real].abs().amax(-1) > 0).all()


@every_encoder
def test_output_lengths_are_the_frames_produced_for_every_length(name: str) -> None:
    listen = encoder(name)
    with torch.no_grad():
        for frames in range(1, 201):
            alone = torch.tensor([frames])
            encoded, lengths = listen(torch.ones(1, frames, F), alone)
            assert lengths.tolist() == listen.output_lengths(alone).tolist() == [encoded.shape[1]]
            assert encoded.shape[1] == -(-frames // listen.subsampling_factor) >= 1
    assert encoded.shape[2] == listen.output_dim


def assert_alike(name: str, lstms: tuple[str, str], autocast: bool = False) -> None:
    """Values and gradients of two implementations with the same weights."""
    first, second = (encoder(name, lstm=lstm) for lstm in lstms)
    second.load_state_dict(first.state_dict())
    features = torch.randn(len(LENGTHS), 23, F)
    results = []
    for listen in (first, second):
        inputs = features.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            encoded, _ = listen(inputs, LENGTHS)
        results.append((encoded, *torch.autograd.grad(encoded.float().sin().sum(), [inputs, *listen.parameters()])))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-2 if autocast else 1e-5, atol=1e-2 if autocast else 1e-6)


@recurrent
def test_padded_and_packed_agree_in_values_and_gradients(name: str) -> None:
    assert_alike(name, ("padded", "packed"))


@recurrent
@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize("autocast", [False, True])
def test_what_is_computed_again_has_the_same_values_and_gradients(
    name: str, cores: int, autocast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concurrent, "cores_per_process", lambda: cores)
    assert_alike(name, ("padded", "recomputed"), autocast)


@every_encoder
def test_gradients_are_those_of_the_function(name: str) -> None:
    listen = encoder(name, hidden_dim=2).double()
    features = torch.randn(2, 5, F, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda inputs: listen(inputs, torch.tensor([5, 2])).encoded, features)


@every_implementation
def test_bfloat16_autocast_gives_nearly_the_same(name: str, options: dict[str, Any]) -> None:
    listen = encoder(name, **options)
    features = torch.randn(len(LENGTHS), 23, F)
    exact = listen(features, LENGTHS).encoded
    with torch.autocast("cpu", torch.bfloat16):
        encoded = listen(features, LENGTHS).encoded
    # a CPU computes packed LSTMs in float32; layers that add to their input keep the sum in float32
    assert encoded.dtype == (torch.float32 if options.get("lstm", "packed") == "packed" else torch.bfloat16)
    assert all(parameter.dtype == torch.float32 for parameter in listen.parameters())
    torch.testing.assert_close(encoded.float(), exact, rtol=0, atol=0.02 * max(1.0, float(exact.detach().abs().max())))
    encoded.float().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in listen.parameters())


@every_encoder
def test_dropout_acts_in_training_only(name: str) -> None:
    listen = encoder(name, dropout=0.5)
    features = torch.randn(2, 9, F)
    outputs = [listen(features, torch.tensor([9, 4])).encoded for _ in range(2)]
    assert torch.equal(*outputs)
    listen.train()
    trained = listen(features, torch.tensor([9, 4])).encoded
    assert not torch.equal(trained, outputs[0])
    assert (trained[1, -(-4 // listen.subsampling_factor) :] == 0).all()


@every_encoder
@pytest.mark.parametrize("layers", [1, 2, 3, 5])
def test_layers_alone_can_be_overridden(name: str, layers: int) -> None:
    options: dict[str, Any] = {"layers": layers}
    if name == "blstm" and layers == 1:
        with pytest.raises(Exception, match=r"at most layers \(1\) factors"):
            encoder(name, **options)
        return
    listen = encoder(name, **options)
    assert listen.output_lengths(torch.tensor([9])).tolist() == [-(-9 // listen.subsampling_factor)]
    assert listen(torch.ones(1, 9, F), torch.tensor([9])).encoded.shape[1] == -(-9 // listen.subsampling_factor)


@pytest.mark.parametrize("name", NAMES)
def test_an_encoder_says_that_it_is_self_attentive_as_old_cards_are_known_by_its_class(name: str) -> None:
    made = encoder(name)
    assert made.self_attentive == (f"{type(made).__module__}.{type(made).__qualname__}" in SELF_ATTENTIVE)
