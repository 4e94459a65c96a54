"""A training step on a GPU: the same loss and gradients as on the CPU, and no wait that is not accounted for."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from shipped_parts import names, part
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from training_tiny import batch, training

from lasasr.data.batch import Batch
from lasasr.lm.lstm import LSTMLanguageModel
from lasasr.losses.joint import Losses
from lasasr.training.module import Training

pytestmark = [pytest.mark.cuda, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]


RECURRENT = {"lstm": "padded"}, {"lstm": "packed"}
ENCODERS = [
    pytest.param(listen, options, id=f"{listen}-{options.get('lstm', 'itself')}")
    for listen in names("listen")
    for options in ([{}] if listen in ("conformer", "transformer") else RECURRENT)
]
DRAWN = ("noise", "hard", "probability", "p")  # draws on a GPU are not those on a CPU


def made(listen: str, attend: str, ctc_weight: float, **options: Any) -> Training:
    torch.manual_seed(0)
    chosen: dict[str, Any] = {"listen": {**part("listen", listen), **options}, "attend": dict(part("attend", attend))}
    module = training(ctc_weight, **chosen)
    for drawing in module.modules():
        for name in DRAWN:
            if isinstance(getattr(drawing, name, None), float):
                setattr(drawing, name, 0.0)
    return module


def losses(module: Training, data: Batch, dtype: torch.dtype = torch.float32) -> Losses:
    device = next(module.recognizer.model.parameters()).device
    features, frames = module.recognizer.frontend(data.waveforms, data.waveform_lengths)
    targets = data.tokens.to(device), data.token_lengths.to(device)
    output = module.recognizer.model(features.to(device, dtype), frames.to(device), *targets)
    found: Losses = module.loss(output.logits, output.ctc_log_probs, output.encoded_lengths, *targets)
    return found


def gradients(module: Training, data: Batch) -> list[Tensor]:
    found = losses(module, data, torch.float64)
    found.total.backward()  # type: ignore[no-untyped-call]
    given = [torch.zeros_like(one) if one.grad is None else one.grad for one in module.parameters()]
    return [found.total.detach().cpu(), *(one.cpu() for one in given)]


@pytest.mark.parametrize(("listen", "options"), ENCODERS)
def test_encoders_learn_the_same(listen: str, options: dict[str, Any]) -> None:
    same(made(listen, "dot", 0.4, **options))


@pytest.mark.parametrize("attend", names("attend"))
def test_attentions_learn_the_same(attend: str) -> None:
    same(made("pyramid", attend, 0.4))


def same(here: Training) -> None:
    """In float64, where a difference is a mistake; features are float32, and so the same ones are given to both."""
    here.recognizer.model.double()
    here.recognizer.frontend.cpu()
    there = copy.deepcopy(here)
    there.recognizer.model.cuda()
    there.loss.cuda()
    data = batch(range(4))
    torch.testing.assert_close(gradients(there, data), gradients(here, data), rtol=1e-4, atol=1e-6)


class Dtypes(TorchDispatchMode):
    """Notes the precision of everything that is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[torch.dtype] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.seen |= {leaf.dtype for leaf in tree_leaves(result) if isinstance(leaf, Tensor)}
        return result


@pytest.mark.parametrize("attend", ["location", "dot", "gmm", "location_recurrent"])
@pytest.mark.parametrize(("listen", "options"), ENCODERS)
def test_bfloat16_is_never_float16(listen: str, options: dict[str, Any], attend: str) -> None:
    """On a GPU, autocast of torch's own LSTM computes float16 when bfloat16 was asked for."""
    module, data = made(listen, attend, 0.0, **options).cuda(), batch(range(4)).to("cuda")  # CTC is float32 always
    expected = float(losses(module, data).total.detach())
    with Dtypes() as dtypes, torch.autocast("cuda", torch.bfloat16):
        total = losses(module, data).total
    total.backward()  # type: ignore[no-untyped-call]
    assert torch.bfloat16 in dtypes.seen
    assert torch.float16 not in dtypes.seen
    assert float(total.detach()) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("layers", [1, 2])
def test_a_language_model_in_bfloat16_is_never_float16(layers: int) -> None:
    torch.manual_seed(0)
    model = LSTMLanguageModel(vocabulary_size=11, layers=layers, hidden_dim=16, embedding_dim=8).cuda()
    tokens = torch.randint(0, 11, (3, 7), device="cuda")
    expected = model.unroll(tokens).detach()
    with Dtypes() as dtypes, torch.autocast("cuda", torch.bfloat16):
        logits = model.unroll(tokens)
        model.step(tokens[:, :1], model.initial(3, 1))
    logits.float().square().sum().backward()  # type: ignore[no-untyped-call]
    assert torch.float16 not in dtypes.seen
    torch.testing.assert_close(logits.float(), expected, rtol=0.05, atol=0.02)


@pytest.mark.parametrize("attend", names("attend"))
@pytest.mark.parametrize("listen", names("listen"))
def test_nothing_waits(listen: str, attend: str) -> None:
    """torch's own watch: an operation that waits is an error. CTC's kernels, which do, are left out."""
    module, data = made(listen, attend, 0.0).cuda(), batch(range(4)).pin_memory()
    losses(module, data.to("cuda")).total.backward()  # type: ignore[no-untyped-call]
    torch.cuda.set_sync_debug_mode("error")
    try:
        losses(module, data.to("cuda")).total.backward()  # type: ignore[no-untyped-call]
    finally:
        torch.cuda.set_sync_debug_mode("default")
