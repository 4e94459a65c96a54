"""Low-rank factors, against plain weights that were multiplied out by hand, and against gradients of whole matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from tiny_recognizer import parts
from torch import Tensor
from torch.nn.utils import parametrize

from lasasr.adapt.lora import Lora, LowRank, fold
from lasasr.adapt.names import named_parameters
from lasasr.configuration import gate
from lasasr.errors import UsageError
from lasasr.losses.joint import JointLoss
from lasasr.models.recognizer import Recognizer
from lasasr.text import special
from lasasr.text.character import CharacterTokenizer

PYRAMID = {"_target_": "lasasr.listen.pyramid.PyramidEncoder", "_partial_": True, "hidden_dim": 6, "layers": 2}
ENCODERS: Mapping[str, Mapping[str, Any]] = {
    "padded": {**PYRAMID, "subsampling_factor": 2},
    "packed": {**PYRAMID, "subsampling_factor": 2, "lstm": "packed"},
    "recomputed": {**PYRAMID, "subsampling_factor": 2, "lstm": "recomputed"},
    "transformer": {
        "_target_": "lasasr.listen.transformer.TransformerEncoder",
        "_partial_": True,
        "hidden_dim": 8,
        "heads": 2,
        "layers": 1,
        "feedforward_dim": 12,
        "dropout": 0.0,
    },
}


def made(listen: str = "padded", **changes: Any) -> Recognizer:
    torch.manual_seed(7)
    changed = parts(0.3, listen=ENCODERS[listen], **changes)
    return Recognizer.build(changed, CharacterTokenizer.train(["abcd"]), "none/1")


def adapted(listen: str = "padded", **options: Any) -> Recognizer:
    """With factors that are not 0."""
    recognizer, lora = made(listen), Lora(**{"rank": 2, **options})
    lora.add(recognizer, seed=1)
    lora.choose(recognizer)
    generator = torch.Generator().manual_seed(3)
    for part in recognizer.modules():
        if isinstance(part, LowRank):
            part.b.data.normal_(generator=generator)
    return recognizer


def low_ranks(recognizer: Recognizer) -> dict[str, LowRank]:
    """Short name of a weight → its factors."""
    places = Lora._adapted(recognizer)
    return {place.name: place.module.parametrizations[place.attribute][0] for place in places}  # type: ignore


def multiplied_out(recognizer: Recognizer, listen: str) -> Recognizer:
    """The plain recognizer whose weights are W + (α / r) B A, by a product in float64."""
    plain, originals = made(listen), named_parameters(recognizer)
    for name, parameter in named_parameters(plain).items():
        value = originals[name].detach().double()
        if (factors := low_ranks(recognizer).get(name)) is not None:
            product = (factors.b.double() @ factors.a.double()).detach()
            value = value + factors.scale * product.view(value.shape)
        parameter.data.copy_(value.float())
    return plain


def loss_of(recognizer: Recognizer) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    features = torch.randn(3, 24, 8, generator=generator)
    frames = torch.tensor([24, 20, 17])
    tokens = torch.randint(special.FIRST_TEXT, 8, (3, 4), generator=generator)
    sizes = torch.tensor([4, 3, 2])
    output = recognizer.model(features, frames, tokens, sizes)
    loss = JointLoss(ctc_weight=0.3)
    total: Tensor = loss(output.logits, output.ctc_log_probs, output.encoded_lengths, tokens, sizes).total
    return total


@pytest.mark.parametrize("listen", ENCODERS)
def test_factors_compute_what_the_multiplied_out_weights_compute(listen: str) -> None:
    recognizer = adapted(listen)
    assert len(low_ranks(recognizer)) >= 8
    expected = loss_of(multiplied_out(recognizer, listen))
    torch.testing.assert_close(loss_of(recognizer), expected, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(expected, loss_of(made(listen)))


@pytest.mark.parametrize("listen", ENCODERS)
def test_gradients_of_the_factors_follow_from_those_of_whole_matrices(listen: str) -> None:
    """d/dB = (α / r) G Aᵀ and d/dA = (α / r) Bᵀ G, with G of the plain weights; nothing else has a gradient."""
    recognizer = adapted(listen)
    loss_of(recognizer).backward()  # type: ignore[no-untyped-call]
    plain = multiplied_out(recognizer, listen)
    loss_of(plain).backward()  # type: ignore[no-untyped-call]
    whole = named_parameters(plain)
    for name, factors in low_ranks(recognizer).items():
        gradient = whole[name].grad
        assert gradient is not None, name
        expected = gradient.flatten(1)
        torch.testing.assert_close(factors.b.grad, factors.scale * expected @ factors.a.T, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(factors.a.grad, factors.scale * factors.b.T @ expected, rtol=1e-4, atol=1e-5)
    of_factors = {id(p) for factors in low_ranks(recognizer).values() for p in factors.parameters()}
    others = [p for p in recognizer.parameters() if id(p) not in of_factors]
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in others)


@pytest.mark.parametrize("listen", ENCODERS)
def test_before_the_first_update_nothing_is_changed(listen: str) -> None:
    recognizer = made(listen)
    before = loss_of(recognizer.eval())
    Lora(rank=2).add(recognizer, seed=1)
    assert torch.equal(loss_of(recognizer.eval()), before)


def test_folding_leaves_plain_modules_that_compute_the_same() -> None:
    recognizer = adapted()
    before = loss_of(recognizer.eval())
    fold(recognizer)
    assert not any(parametrize.is_parametrized(part) for part in recognizer.modules())
    assert set(recognizer.state_dict()) == set(made().state_dict())
    torch.testing.assert_close(loss_of(recognizer), before, rtol=1e-6, atol=1e-6)


def test_the_seed_and_the_name_draw_the_factors() -> None:
    first, second, other = made(), made(), made()
    Lora(rank=2).add(first, seed=1)
    Lora(rank=2, matrices=["decoder"]).add(second, seed=1)
    Lora(rank=2).add(other, seed=2)
    one, two, three = low_ranks(first), low_ranks(second), low_ranks(other)
    assert set(two) < set(one) == set(three)
    for name, factors in two.items():
        assert torch.equal(factors.a, one[name].a)
        assert not torch.equal(factors.a, three[name].a)
        assert not factors.b.any()


def test_dropout_leaves_inputs_out_in_training_alone() -> None:
    weight = torch.randn(6, 9)
    factors = LowRank(weight, rank=2, alpha=2.0, dropout=0.5)
    factors.b.data.normal_()
    torch.manual_seed(0)
    update = (factors.train()(weight) - weight).detach()
    whole = (factors.eval()(weight) - weight).detach()
    left_out = (update == 0).all(0)
    assert 0 < int(left_out.sum()) < 9
    torch.testing.assert_close(update[:, ~left_out], 2 * whole[:, ~left_out])  # 1 / (1 - p)
    recognizer = adapted(dropout=0.5)
    decoder = recognizer.train().model.decoder
    assert decoder is not None
    assert decoder.draws
    assert not decoder.eval().draws


def test_what_gets_factors_and_what_is_trained_beside_them() -> None:
    recognizer = adapted(matrices=["encoder", "decoder.output.weight"], also=["*.bias"])
    assert all(name.startswith("encoder.") or name == "decoder.output.weight" for name in low_ranks(recognizer))
    trained = {name for name, p in named_parameters(recognizer).items() if p.requires_grad}
    factors = {name for name in trained if name.endswith((".0.a", ".0.b"))}
    assert len(factors) == 2 * len(low_ranks(recognizer))
    assert trained - factors == {name for name in named_parameters(recognizer) if name.endswith(".bias")}
    assert "decoder.embedding.weight" not in low_ranks(adapted())  # but by its full name
    assert "decoder.embedding.weight" in low_ranks(adapted(matrices=["decoder.embedding.weight"]))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"matrices": ["decodr"]}, "adapt.lora.matrices: decodr matches no matrices .*; nearest: decoder"),
        ({"matrices": ["*.bias"]}, r"\*\.bias matches no matrices"),
        ({"also": ["nothing"]}, "adapt.lora.also: nothing matches no weights"),
        ({"rank": 100}, "means no matrix that factors of rank 100 are smaller than"),
        ({"rank": 9, "matrices": ["decoder.output.weight"]}, r"rank=9 is more than decoder\.output\.weight \(8, \d+\)"),
    ],
)
def test_what_cannot_be_is_one_line(options: dict[str, Any], said: str) -> None:
    def apply(recognizer: Recognizer, lora: Lora) -> None:
        lora.add(recognizer, 1)
        lora.choose(recognizer)

    with pytest.raises(UsageError, match=said):
        apply(made(), Lora(**{"rank": 2, **options}))


def test_tied_weights_and_frozen_ones_are_named() -> None:
    tied = {
        "_target_": "lasasr.spell.recurrent.RecurrentDecoder",
        "_partial_": True,
        "hidden_dim": 7,
        "embedding_dim": 13,
        "readout_dim": 13,
        "tied_embeddings": True,
    }
    with pytest.raises(UsageError, match=r"decoder\.\w+\.weight, which is tied to another weight"):
        Lora(rank=2, matrices=["decoder.output.weight", "decoder.embedding.weight"]).add(made(spell=tied), 1)
    recognizer, lora = made(), Lora(rank=2)
    recognizer.model.encoder.requires_grad_(False)
    lora.add(recognizer, 1)
    with pytest.raises(UsageError, match=r"means encoder\.\S+, which listen\.freeze keeps as it is"):
        lora.choose(recognizer)


@pytest.mark.parametrize(
    "options", [{"rank": 0}, {"alpha": 0.0}, {"alpha": float("inf")}, {"dropout": 1.0}, {"matrices": []}]
)
def test_options_outside_their_range(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Lora(**options)


def test_the_gate_lets_it_stand_where_methods_stand() -> None:
    assert gate.resolve("lasasr.adapt.lora.Lora", "adapt.lora") is Lora
    with pytest.raises(UsageError, match=r"adapt\.mine takes a subclass of lasasr\.adapt\.base\.Method"):
        gate.resolve("lasasr.attend.content.DotAttention", "adapt.mine")
