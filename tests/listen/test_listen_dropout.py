"""Dropout of whole features, and of single values with a byte for each."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from lasasr.listen.conformer import ConformerEncoder
from lasasr.listen.dropout import ByteDropout, SequenceDropout
from lasasr.listen.transformer import TransformerEncoder


def test_a_feature_is_dropped_in_all_frames_or_in_none() -> None:
    torch.manual_seed(0)
    dropped = SequenceDropout(0.3).train()(torch.ones(20, 7, 500))
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert not torch.equal(dropped[0], dropped[1])
    assert {round(value, 5) for value in dropped.unique().tolist()} == {0.0, round(1 / 0.7, 5)}
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.03)  # 10,000 draws: six standard deviations


@pytest.mark.parametrize("probability", [0.0, 0.5])
def test_evaluation_and_probability_zero_change_nothing(probability: float) -> None:
    frames = torch.randn(2, 3, 4)
    assert SequenceDropout(probability).train(probability == 0.0)(frames) is frames


def _dropped(dropout: nn.Module, values: Tensor, towards: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Values, gradients, and the number that is drawn next."""
    torch.manual_seed(5)
    values = values.detach().requires_grad_()
    result = dropout(values)
    result.backward(towards)
    assert values.grad is not None
    return result.detach(), values.grad, torch.rand(3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_a_byte_per_value_changes_no_bit(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    values, towards = torch.randn(2, 3, 5, 7, 11).to(dtype)
    values[0, 0, 0, :3] = torch.tensor([torch.nan, torch.inf, -torch.inf])
    for percent in range(101):  # torch rounds 1 / (1 - p) in the dtype
        expected = _dropped(nn.Dropout(percent / 100), values.transpose(0, 2), towards.transpose(0, 2))
        for ours, theirs in zip(
            _dropped(ByteDropout(percent / 100), values.transpose(0, 2), towards.transpose(0, 2)), expected, strict=True
        ):
            torch.testing.assert_close(ours, theirs, rtol=0.0, atol=0.0, equal_nan=True)


def test_a_byte_per_value_is_all_that_is_kept() -> None:
    bytes_kept: list[int] = []

    def counted(tensor: Tensor) -> Tensor:
        bytes_kept.append(tensor.untyped_storage().nbytes())
        return tensor

    values = torch.randn(4, 30, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(counted, lambda tensor: tensor):
        ByteDropout(0.1)(values)
    assert bytes_kept == [values.numel()]


def test_a_byte_per_value_is_differentiable_twice() -> None:
    def dropped(values: Tensor) -> Tensor:
        torch.manual_seed(3)
        result: Tensor = ByteDropout(0.4)(values)
        return result * values

    values = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(dropped, (values,))
    assert torch.autograd.gradgradcheck(dropped, (values,))


@pytest.mark.parametrize("kind", [ConformerEncoder, TransformerEncoder])
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("mixed", [False, True])
def test_encoders_train_as_with_the_dropout_of_torch(
    kind: type[ConformerEncoder] | type[TransformerEncoder],
    recompute: bool,
    mixed: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    encoder = kind(8, 12, layers=2, heads=2, feedforward_dim=20, channels=4, dropout=0.15, recompute=recompute).train()
    features, lengths = torch.randn(3, 24, 8), torch.tensor([24, 9, 17])

    def gradients() -> list[Tensor | None]:
        torch.manual_seed(1)
        encoder.zero_grad()
        with torch.autocast("cpu", torch.bfloat16) if mixed else nullcontext():
            frames, _ = encoder(features, lengths)
        frames.sin().sum().backward()
        return [frames.detach(), *(parameter.grad for parameter in encoder.parameters())]

    ours = gradients()
    monkeypatch.setattr(ByteDropout, "forward", nn.Dropout.forward)
    assert any(isinstance(part, ByteDropout) for part in encoder.modules())
    torch.testing.assert_close(ours, gradients(), rtol=0.0, atol=0.0)
