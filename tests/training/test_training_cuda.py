"""A training step on a GPU: the same loss and gradients as on the CPU, and no wait that is not accounted for."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from shipped_parts import names, part
from torch import Tensor
from training_tiny import batch, training

from lasasr.data.batch import Batch
from lasasr.losses.joint import Losses
from lasasr.training.module import Training

pytestmark = [pytest.mark.cuda, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]


def made(listen: str, attend: str, ctc_weight: float, **options: Any) -> Training:
    torch.manual_seed(0)
    chosen: dict[str, Any] = {"listen": {**part("listen", listen), **options}, "attend": dict(part("attend", attend))}
    module = training(ctc_weight, **chosen)
    for attention in module.modules():  # what is drawn on a GPU is not what is drawn on a CPU
        for name in ("noise", "hard"):
            if hasattr(attention, name):
                setattr(attention, name, 0.0)
    return module


def losses(module: Training, data: Batch) -> Losses:
    features, frames = module.recognizer.frontend(data.waveforms, data.waveform_lengths)
    targets = data.tokens, data.token_lengths
    output = module.recognizer.model(features, frames, *targets)
    found: Losses = module.loss(output.logits, output.ctc_log_probs, output.encoded_lengths, *targets)
    return found


def gradients(module: Training, data: Batch) -> list[Tensor]:
    found = losses(module, data)
    found.total.backward()  # type: ignore[no-untyped-call]
    given = [torch.zeros_like(one) if one.grad is None else one.grad for one in module.parameters()]
    return [found.total.detach().cpu(), *(one.cpu() for one in given)]


@pytest.mark.parametrize("lstm", ["padded", "packed"])
@pytest.mark.parametrize("listen", names("listen"))
def test_encoders_learn_the_same(listen: str, lstm: str) -> None:
    same(made(listen, "dot", 0.4, lstm=lstm))


@pytest.mark.parametrize("attend", names("attend"))
def test_attentions_learn_the_same(attend: str) -> None:
    same(made("pyramid", attend, 0.4))


def same(here: Training) -> None:
    there = copy.deepcopy(here).cuda()
    data = batch(range(4))
    allowed = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        torch.testing.assert_close(gradients(there, data.to("cuda")), gradients(here, data), rtol=2e-3, atol=2e-4)
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = allowed


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
