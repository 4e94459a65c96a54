"""Outputs of layers below the last, for intermediate CTC."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from listen_encoders import F, encoder
from tiny_recognizer import parts

from lasasr.errors import UsageError
from lasasr.losses.base import Heads
from lasasr.models import factory
from lasasr.models.network import CTCHead, Model

NAMES = ["transformer", "conformer"]


def model(name: str, **options: object) -> Model:
    """With a CTC head alone."""
    listen = encoder(name, **options)
    return Model(encoder=listen, decoder=None, ctc=CTCHead(encoded_dim=listen.output_dim, vocabulary_size=7)).eval()


@pytest.mark.parametrize("name", NAMES)
def test_an_intermediate_output_is_that_of_an_encoder_that_ends_there(name: str) -> None:
    whole = model(name, layers=4, intermediate_layers=[1, 3])
    features, lengths = torch.randn(2, 30, F), torch.tensor([30, 30])
    encoded, outputs = whole.encode_with_intermediate(features, lengths)
    torch.testing.assert_close(encoded.encoded, whole.encode(features, lengths).encoded, rtol=0, atol=0)
    for number, output in zip([1, 3], outputs, strict=True):
        ends_there = encoder(name, layers=number)
        ends_there.load_state_dict(whole.encoder.state_dict(), strict=False)
        if name == "transformer":
            ends_there.norm = torch.nn.Identity()  # after the last layer only
        torch.testing.assert_close(output, ends_there(features, lengths).encoded, rtol=0, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_an_intermediate_output_is_the_same_alone_and_in_a_batch(name: str) -> None:
    whole = model(name, layers=3, intermediate_layers=[2])
    features = torch.randn(2, 30, F)
    features[1, 17:] = 1e3
    (output,) = whole.encode_with_intermediate(features, torch.tensor([30, 17]))[1]
    (alone,) = whole.encode_with_intermediate(features[1:, :17], torch.tensor([17]))[1]
    torch.testing.assert_close(output[1:, : alone.shape[1]], alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_recomputed_layers_have_the_same_gradients(name: str) -> None:
    features, lengths = torch.randn(2, 30, F), torch.tensor([30, 17])
    gradients = []
    for recompute in (False, True):
        torch.manual_seed(0)
        whole = model(name, layers=3, intermediate_layers=[1], recompute=recompute)
        (output,) = whole.encode_with_intermediate(features, lengths)[1]
        whole.ctc_log_probs(output)[..., 4].sum().backward()
        gradients.append([None if p.grad is None else p.grad.clone() for p in whole.parameters()])
    reached = [one is not None for one in gradients[0]]
    assert any(reached)
    assert not all(reached)  # nothing above layer 1
    for plain, recomputed in zip(*gradients, strict=True):
        assert (plain is None) == (recomputed is None)
        if plain is not None:
            torch.testing.assert_close(plain, recomputed, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layers", [[0], [3], [1, 1], [-1]])
def test_layers_that_are_none_below_the_last_are_refused(layers: list[int]) -> None:
    with pytest.raises(ValueError, match="from 1 to layers - 1 = 2"):
        encoder("conformer", layers=3, intermediate_layers=layers)


def test_a_blstm_on_top_has_no_intermediate_layers() -> None:
    with pytest.raises(ValueError, match="BLSTM's width"):
        encoder("conformer_blstm", intermediate_layers=[1])


def test_a_weight_without_a_layer_and_a_layer_without_a_weight_are_refused() -> None:
    plain = parts(0.4)
    with pytest.raises(UsageError, match=r"set listen\.intermediate_layers"):
        factory.model(replace(plain, heads=Heads(True, True, intermediate_ctc=True)), 10, 7)
    listen = {"_target_": "lasasr.listen.transformer.TransformerEncoder", "_partial_": True, "hidden_dim": 8}
    listen |= {"layers": 2, "heads": 2, "intermediate_layers": [1]}
    with pytest.raises(UsageError, match=r"no loss reads it: set loss\.intermediate_ctc_weight"):
        factory.model(replace(plain, listen=listen), 10, 7)
