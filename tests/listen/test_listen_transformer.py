"""The Transformer encoder against torch's own layers, and what self-attentive encoders share."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from listen_encoders import encoder
from torch import Tensor, nn

from lasasr.listen.self_attention import SelfAttention
from lasasr.listen.stochastic_depth import StochasticDepth
from lasasr.listen.transformer import TransformerEncoder, TransformerLayer
from lasasr.nn import lengths as length

D, H, INNER = 12, 3, 20
LENGTHS = torch.tensor([23, 1, 16])
every = pytest.mark.parametrize("name", ["transformer", "conformer", "conformer_blstm"])


def _copied(layer: Any, theirs: nn.TransformerEncoderLayer) -> None:
    pairs = {
        layer.attention.project.weight: theirs.self_attn.in_proj_weight,
        layer.attention.project.bias: theirs.self_attn.in_proj_bias,
    }
    for ours, other in (
        (layer.attention.join, theirs.self_attn.out_proj),
        (layer.feedforward.inner, theirs.linear1),
        (layer.feedforward.outer, theirs.linear2),
        (layer.attention_norm, theirs.norm1),
        (layer.feedforward_norm, theirs.norm2),
    ):
        pairs |= {ours.weight: other.weight, ours.bias: other.bias}
    with torch.no_grad():
        for ours, other in pairs.items():
            ours.copy_(torch.randn_like(other))
            other.copy_(ours)


def test_a_layer_is_torchs_with_the_same_weights() -> None:
    torch.manual_seed(0)
    layer = TransformerLayer(SelfAttention(D, H), D, INNER, 0.0, 0.0).double()
    theirs = nn.TransformerEncoderLayer(D, H, INNER, dropout=0.0, batch_first=True, norm_first=True).double()
    _copied(layer, theirs)
    frames = torch.randn(3, 9, D, dtype=torch.double, requires_grad=True)
    real = length.mask(torch.tensor([9, 1, 5]), 9)
    results = []
    for passed in (layer(frames, real, None), theirs(frames, src_key_padding_mask=~real)):
        inside = passed[real]
        results.append((inside, torch.autograd.grad(inside.square().sum(), frames)[0]))
    torch.testing.assert_close(*results)


def test_the_encoder_is_its_parts_in_turn() -> None:
    """Linear layer on stacked frames, · √D, + positions, torch's encoder with a last norm."""
    torch.manual_seed(0)
    listen = TransformerEncoder(5, D, 2, H, INNER, 2, "stacking", dropout=0.0).double().eval()
    layer = nn.TransformerEncoderLayer(D, H, INNER, dropout=0.0, batch_first=True, norm_first=True)
    theirs = nn.TransformerEncoder(layer, 2, nn.LayerNorm(D), enable_nested_tensor=False).double().train()
    for ours, other in zip(listen.layers, theirs.layers, strict=True):
        _copied(ours, other)  # type: ignore[arg-type]
    features = torch.randn(2, 8, 5, dtype=torch.double)
    stacked = features.reshape(2, 4, 10) @ listen.subsampling.project.weight.T  # type: ignore[union-attr,operator]
    frames = (stacked + listen.subsampling.project.bias) * D**0.5  # type: ignore[union-attr,operator]
    pairs = torch.arange(4)[:, None] / 10000 ** (torch.arange(0, D, 2) / D)
    frames[..., 0::2] += pairs.sin()
    frames[..., 1::2] += pairs.cos()
    encoded = listen(features, torch.tensor([8, 8])).encoded
    torch.testing.assert_close(encoded, theirs(frames), rtol=1e-6, atol=1e-6)


def _gradients(listen: Any, features: Tensor) -> tuple[Tensor, ...]:
    torch.manual_seed(7)  # the same dropout
    encoded = listen(features, LENGTHS).encoded
    return encoded, *torch.autograd.grad(encoded.square().sum(), [features, *listen.parameters()])


@every
def test_recomputed_layers_have_the_same_values_and_gradients_dropout_included(name: str) -> None:
    features = torch.randn(3, 23, 10, requires_grad=True)
    options = {"dropout": 0.3, "stochastic_depth": 0.4}
    plain, again = (encoder(name, recompute=recompute, **options).train() for recompute in (False, True))
    saved: list[int] = []
    results = []
    for listen in (plain, again):
        count = 0

        def pack(tensor: Tensor) -> Tensor:
            nonlocal count
            count += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            results.append(_gradients(listen, features))
        saved.append(count)
    torch.testing.assert_close(*results)
    assert saved[1] < saved[0]


@every
@pytest.mark.parametrize("positions", ["sinusoidal", "relative"])
@pytest.mark.parametrize(("factor", "by"), [(6, "convolution"), (8, "convolution"), (3, "stacking")])
def test_every_choice_of_positions_and_subsampling_is_the_same_alone(
    name: str, positions: str, factor: int, by: str
) -> None:
    listen = encoder(name, positions=positions, subsampling_factor=factor, subsampling_by=by)
    features = torch.randn(3, 23, 10)
    together = listen(features, LENGTHS)
    for row, count in enumerate(LENGTHS.tolist()):
        alone = listen(features[row : row + 1, :count], LENGTHS[row : row + 1])
        assert alone.lengths.tolist() == [together.lengths[row]] == [-(-count // factor)]
        torch.testing.assert_close(alone.encoded[0], together.encoded[row, : alone.lengths[0]], rtol=0, atol=1e-5)


@pytest.mark.parametrize("positions", ["sinusoidal", "relative"])
def test_without_positions_order_would_not_matter(positions: str) -> None:
    listen = encoder("transformer", positions=positions, subsampling_by="stacking", subsampling_factor=1)
    features = torch.randn(1, 6, 10)
    there, back = (listen(given, torch.tensor([6])).encoded for given in (features, features.flip(1)))
    assert not torch.allclose(there, back.flip(1), atol=1e-3)


def test_an_utterance_passes_by_or_has_what_was_added_scaled() -> None:
    torch.manual_seed(0)
    depth = StochasticDepth(0.25).train()
    before, after = torch.zeros(4000, 2, 3), torch.ones(4000, 2, 3)
    passed = depth(before, after)
    assert torch.equal(passed, passed[:, :1, :1].expand_as(passed))  # one draw for an utterance
    assert {round(value, 5) for value in passed.unique().tolist()} == {0.0, round(1 / 0.75, 5)}
    assert passed.mean().item() == pytest.approx(1.0, abs=0.06)  # 4,000 draws: six standard deviations
    assert depth.eval()(before, after) is after


@every
def test_depth_rises_linearly_and_acts_in_training_alone(name: str) -> None:
    listen: Any = encoder(name, stochastic_depth=0.5, layers=5, dropout=0.0)
    assert [layer.depth.probability for layer in listen.layers] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    features = torch.randn(3, 23, 10)
    plain = listen(features, LENGTHS).encoded
    assert torch.equal(plain, listen(features, LENGTHS).encoded)
    drawn = []
    for _ in range(2):
        torch.manual_seed(5)
        drawn.append(listen.train()(features, LENGTHS).encoded)
    assert torch.equal(*drawn)
    assert not torch.equal(drawn[0], plain)


@every
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 4}, "hidden_dim must be a multiple of heads, got 6 and 4"),
        ({"layers": 0}, "layers must be >= 1, got 0"),
        ({"positions": "learnt"}, "positions must be one of sinusoidal, relative, got 'learnt'"),
        ({"stochastic_depth": 1.0}, r"stochastic_depth must be in \[0, 1\), got 1.0"),
    ],
)
def test_what_cannot_be_is_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(Exception, match=message):
        encoder(name, **options)
