"""The Conformer's own parts against formulas on each utterance without padding."""

from __future__ import annotations

import pytest
import torch
from listen_encoders import encoder
from torch import Tensor, nn
from torch.nn import functional

from lasasr.listen.conformer import ConformerLayer
from lasasr.listen.conformer_blstm import ConformerBLSTMEncoder
from lasasr.listen.convolution import ConvolutionModule
from lasasr.listen.positions import distances
from lasasr.listen.self_attention import RelativeSelfAttention
from lasasr.nn import lengths as length

D = 6
LENGTHS = torch.tensor([9, 1, 5])
REAL = length.mask(LENGTHS, 9)


def _random(module: nn.Module) -> None:
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)


def _by_hand(module: ConvolutionModule, utterance: Tensor) -> Tensor:
    """(T, D), frame by frame: gate, sum over the kernel, norm over channels, Swish, linear layer."""
    value, gate = module.gated(utterance).chunk(2, -1)
    gated = value / (1 + torch.exp(-gate))
    kernel, bias = module.depthwise.weight[:, 0], module.depthwise.bias
    half = kernel.shape[1] // 2
    rows = []
    for t in range(len(utterance)):
        seen = [s for s in range(-half, half + 1) if 0 <= t + s < len(utterance)]
        total = sum((kernel[:, half + s] * gated[t + s] for s in seen), bias)
        assert isinstance(total, Tensor)
        centred = total - total.mean()
        norm = centred / torch.sqrt(centred.square().mean() + 1e-5) * module.norm.weight + module.norm.bias
        rows.append(norm / (1 + torch.exp(-norm)))
    convolved: Tensor = module.outer(torch.stack(rows))
    return convolved


@pytest.mark.parametrize("kernel_size", [1, 3, 7, 21])
def test_the_convolution_of_a_padded_batch_is_that_of_each_utterance(kernel_size: int) -> None:
    torch.manual_seed(0)
    module = ConvolutionModule(D, kernel_size).double()
    _random(module)
    frames = torch.randn(3, 9, D, dtype=torch.double)
    frames[~REAL] = 1e3
    convolved = module(frames, REAL)
    for row, count in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(convolved[row, :count], _by_hand(module, frames[row, :count]))


def test_the_depthwise_convolution_is_one_of_each_channel() -> None:
    torch.manual_seed(0)
    module = ConvolutionModule(D, 5)
    inputs: list[Tensor] = []
    module.depthwise.register_forward_hook(lambda _, given, out: inputs.extend((given[0], out)))
    module(torch.randn(3, 9, D), REAL)
    masked, convolved = inputs
    for row, count in enumerate(LENGTHS.tolist()):
        alone = functional.conv1d(
            masked[row, :, :count], module.depthwise.weight, module.depthwise.bias, padding=2, groups=D
        )
        torch.testing.assert_close(convolved[row, :, :count], alone)


def test_a_layer_is_the_papers_equation() -> None:
    """Gulati et al. 2020, eq. 1: half a feed-forward step, attention, convolution, half a step, norm."""
    torch.manual_seed(0)
    layer = ConformerLayer(RelativeSelfAttention(D, 2), D, 9, 3, 0.0, 0.0).double()
    _random(layer)
    x = torch.randn(3, 9, D, dtype=torch.double)
    r = distances(x)

    def normed(norm: nn.Module, values: Tensor) -> Tensor:
        normalised: Tensor = norm(values)
        return normalised

    y = x + layer.first(normed(layer.first_norm, x)) / 2
    y = y + layer.attention(normed(layer.attention_norm, y), REAL, r)
    y = y + layer.convolution(normed(layer.convolution_norm, y), REAL)
    y = y + layer.last(normed(layer.last_norm, y)) / 2
    torch.testing.assert_close(layer(x, REAL, r), normed(layer.norm, y))
    inner = functional.linear(x, layer.first.inner.weight, layer.first.inner.bias)
    swish = inner * inner.sigmoid()
    torch.testing.assert_close(
        layer.first(x), functional.linear(swish, layer.first.outer.weight, layer.first.outer.bias)
    )


def test_blstm_layers_read_what_the_conformer_encodes() -> None:
    listen = encoder("conformer_blstm", blstm_layers=2, projection_dim=5)
    assert isinstance(listen, ConformerBLSTMEncoder)
    below = encoder("conformer")
    below.load_state_dict({name: v for name, v in listen.state_dict().items() if not name.startswith("blstm.")})
    features, lengths = torch.randn(3, 23, 10), torch.tensor([23, 1, 16])
    frames, encoded_lengths = below(features, lengths)
    for layer in listen.blstm:
        frames = layer(frames, encoded_lengths)
    torch.testing.assert_close(listen(features, lengths).encoded, frames)
    assert listen.output_dim == frames.shape[2] == 5


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(Exception, match="kernel_size must be odd and >= 1, got 4"):
        encoder("conformer", kernel_size=4)
    with pytest.raises(Exception, match="blstm_layers must be >= 1, got 0"):
        encoder("conformer_blstm", blstm_layers=0)
