"""One layer against PyTorch's own bidirectional LSTM, one utterance at a time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.rnn import PackedSequence

from lasasr.listen import bilstm
from lasasr.listen.bilstm import BiLSTM
from lasasr.nn import concurrent
from lasasr.nn.conformance import float32_products

LENGTHS = torch.tensor([4, 9, 1, 6])
BY = pytest.mark.parametrize("lstm", ["auto", "padded", "packed", "recomputed"])


def _one_by_one(layer: BiLSTM, frames: Tensor) -> Tensor:
    """Each utterance alone through a plain `nn.LSTM` with the layer's weights."""
    plain = nn.LSTM(frames.shape[2], layer.lstm.hidden_size, batch_first=True, bidirectional=True).to(frames.dtype)
    plain.load_state_dict(layer.lstm.state_dict())
    output = frames.new_zeros(*frames.shape[:2], 2 * layer.lstm.hidden_size)
    for row, length in enumerate(LENGTHS.tolist()):
        output[row, :length] = plain(frames[row : row + 1, :length])[0][0]
    return output


@BY
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_a_bidirectional_lstm_within_each_length(lstm: bilstm.Lstm, dtype: torch.dtype) -> None:
    layer = BiLSTM(5, 7, lstm=lstm).to(dtype)
    frames = torch.randn(4, 9, 5, dtype=dtype)
    torch.testing.assert_close(layer(frames, LENGTHS), _one_by_one(layer, frames), rtol=0, atol=1e-6)


@BY
def test_a_projection_is_zero_on_padding_too(lstm: bilstm.Lstm) -> None:
    layer = BiLSTM(5, 7, projection_dim=3, lstm=lstm)
    frames = torch.randn(4, 9, 5)
    assert layer.projection is not None
    expected = torch.tanh(layer.projection(_one_by_one(layer, frames)))
    real = torch.arange(9)[None, :] < LENGTHS[:, None]
    torch.testing.assert_close(layer(frames, LENGTHS), expected * real[..., None], rtol=0, atol=1e-6)


@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize("autocast", [False, True])
def test_two_threads_change_nothing(cores: int, autocast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = BiLSTM(5, 7, lstm="padded")
    frames = torch.randn(4, 9, 5)
    results = []
    for available in (1, cores):
        monkeypatch.setattr(concurrent, "cores_per_process", lambda available=available: available)
        inputs = frames.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            output = layer(inputs, LENGTHS)
        results.append((output, *torch.autograd.grad(output.float().cos().sum(), [inputs, *layer.parameters()])))
    for ours, theirs in zip(*results, strict=True):
        assert torch.equal(ours, theirs)


def test_what_is_computed_again_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrent, "cores_per_process", lambda: 1)
    frames, lengths = torch.randn(4, 50, 32, requires_grad=True), torch.full((4,), 50)
    sizes: dict[bilstm.Lstm, int] = {}
    for lstm in ("padded", "recomputed"):
        saved: dict[int, int] = {}

        def note(tensor: Tensor, saved: dict[int, int] = saved) -> Tensor:
            saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        layer = BiLSTM(32, 32, lstm=lstm)
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            encoded = layer(frames, lengths)
        sizes[lstm] = sum(saved.values())
        encoded.sum().backward()
    of_both = 2 * frames.nbytes + sum(weight.nbytes for weight in BiLSTM(32, 32).parameters())
    assert sizes["recomputed"] <= of_both < sizes["padded"] / 2


def test_evaluation_mode_still_gives_gradients() -> None:
    layer = BiLSTM(5, 7).eval()
    frames = torch.randn(4, 9, 5, requires_grad=True)
    layer(frames, LENGTHS).sum().backward()
    assert frames.grad is not None
    assert frames.grad.abs().sum() > 0


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@BY
def test_on_cuda_it_is_the_same(lstm: bilstm.Lstm) -> None:
    layer = BiLSTM(5, 7, lstm=lstm)
    frames = torch.randn(4, 9, 5)
    expected = _one_by_one(layer, frames)
    with float32_products():
        encoded = layer.cuda()(frames.cuda(), LENGTHS.cuda())
    torch.testing.assert_close(encoded.cpu(), expected, rtol=0, atol=1e-5)


def test_wrong_options_are_named() -> None:
    with pytest.raises(ValueError, match="lstm must be one of auto, padded, packed, recomputed, got 'fast'"):
        BiLSTM(5, 7, lstm="fast")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="got 0 and 0"):
        BiLSTM(5, 0)


@BY
@pytest.mark.parametrize("width", [4, 6])
def test_frames_of_another_width_are_refused(lstm: bilstm.Lstm, width: int) -> None:
    """oneDNN would read beyond the end of the frames, or of the weights."""
    with pytest.raises((ValueError, RuntimeError), match=rf"{width}"):
        BiLSTM(5, 7, lstm=lstm)(torch.ones(2, 3, width), torch.tensor([3, 2]))


class _Halved(nn.Module):
    """A wrapper as one writes it around `nn.LSTM`: what it gets is handed on, what comes is changed."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, packed: PackedSequence) -> tuple[PackedSequence, object]:
        output, state = self.inner(packed)
        return output._replace(data=output.data / 2), state


@BY
def test_a_module_in_place_of_the_lstm_is_called_as_torchs_own(lstm: bilstm.Lstm) -> None:
    layer = BiLSTM(5, 7, lstm=lstm)
    frames = torch.randn(4, 9, 5)
    expected = _one_by_one(layer, frames)
    plain = nn.LSTM(5, 7, batch_first=True, bidirectional=True)
    plain.load_state_dict(layer.lstm.state_dict())
    ours = layer.lstm
    for module, factor in ((plain, 1.0), (_Halved(plain), 0.5), (_Halved(ours), 0.5)):
        layer.lstm = module  # type: ignore[assignment]
        torch.testing.assert_close(layer(frames, LENGTHS), factor * expected, rtol=0, atol=1e-6)


class _Twice(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return 2 * weight


@BY
@pytest.mark.parametrize("name", ["weight_hh_l0", "bias_ih_l0_reverse"])
def test_a_parametrised_weight_is_the_weight_it_computes(lstm: bilstm.Lstm, name: str) -> None:
    layer, doubled = BiLSTM(5, 7, lstm=lstm), BiLSTM(5, 7, lstm=lstm)
    doubled.load_state_dict(layer.state_dict())
    parametrize.register_parametrization(layer.lstm, name, _Twice())
    with torch.no_grad():
        doubled.lstm.get_parameter(name).mul_(2)
    frames = torch.randn(4, 9, 5)
    output, expected = layer(frames, LENGTHS), doubled(frames, LENGTHS)
    torch.testing.assert_close(output, expected)
    original = layer.lstm.get_parameter(f"parametrizations.{name}.original")
    (ours,) = torch.autograd.grad(output.square().sum(), original)
    (theirs,) = torch.autograd.grad(expected.square().sum(), doubled.lstm.get_parameter(name))
    torch.testing.assert_close(ours, 2 * theirs)


@BY
def test_hooks_of_the_lstm_run(lstm: bilstm.Lstm) -> None:
    layer, calls = BiLSTM(5, 7, lstm=lstm), []
    layer.lstm.register_forward_hook(lambda *_: calls.append(1))
    layer(torch.randn(4, 9, 5), LENGTHS)
    assert calls == [1]
