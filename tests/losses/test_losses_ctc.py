"""CTC of an utterance's own labels against CTC of the whole vocabulary."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lasasr.losses.ctc import ctc, ctc_of_labels, infeasible, own_labels
from lasasr.text import special

V, T = 9, 8
# repeats, neighbours that are equal, no tokens at all, one that has no path; 99 on padding, which is no token
TOKENS = torch.tensor([[4, 5, 4, 5], [6, 6, 99, 99], [99, 99, 99, 99], [7, 7, 7, 7], [8, 99, 99, 99]])
TOKEN_LENGTHS = torch.tensor([4, 2, 0, 4, 1])
FRAMES = torch.tensor([8, 3, 5, 6, 1])  # the fourth needs 4 + 3


def differentiated(of_labels: bool, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Nats (B,), and the gradient of their weighted sum in the logits."""
    torch.manual_seed(0)
    logits = torch.randn(len(TOKENS), T, V, dtype=dtype, requires_grad=True)
    log_probs = logits.log_softmax(-1)
    labels = TOKENS.masked_fill(TOKENS == 99, special.PAD), TOKEN_LENGTHS
    unfit = infeasible(*labels, FRAMES)
    if of_labels:
        own = own_labels(TOKENS, TOKEN_LENGTHS)
        picked = log_probs.gather(-1, own[:, None].expand(-1, T, -1))
        nats = ctc_of_labels(picked, FRAMES, TOKENS, TOKEN_LENGTHS, unfit)
    else:
        nats = ctc(log_probs, FRAMES, *labels, unfit)
    (torch.arange(1.0, len(TOKENS) + 1) * nats).sum().backward()
    assert logits.grad is not None
    return nats.detach(), logits.grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_its_own_labels_are_all_that_an_utterances_ctc_needs(dtype: torch.dtype) -> None:
    (nats, gradient), (whole_nats, whole_gradient) = differentiated(True, dtype), differentiated(False, dtype)
    torch.testing.assert_close(nats, whole_nats)
    torch.testing.assert_close(gradient, whole_gradient)
    assert float(nats[3]) == 0.0
    assert not gradient[3].any()
    assert not gradient[1, 3:].any()  # padding
    assert gradient[2, :5].any()


def test_without_gradient_it_gives_the_same() -> None:
    with torch.no_grad():
        picked = torch.randn(len(TOKENS), T, 5, generator=torch.Generator().manual_seed(1)).log_softmax(-1)
        unfit = infeasible(TOKENS.masked_fill(TOKENS == 99, special.PAD), TOKEN_LENGTHS, FRAMES)
        arguments = FRAMES, TOKENS, TOKEN_LENGTHS, unfit
        nats = ctc_of_labels(picked, *arguments)
    torch.testing.assert_close(nats, ctc_of_labels(picked.requires_grad_(), *arguments).detach())
