"""CTC (Graves et al. 2006) of a batch: from the log-probabilities of all tokens, or of an utterance's own alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lasasr.nn import host_mirror, lengths
from lasasr.text import special


@host_mirror.mirrored
def infeasible(tokens: Tensor, token_lengths: Tensor, encoded_lengths: Tensor) -> Tensor:
    """(B,) bool, True where tokens (B, U) do not fit the encoded frames: CTC has no path."""
    return encoded_lengths < lengths.ctc_frames_needed(tokens, token_lengths)


def ctc(log_probs: Tensor, frames: Tensor, tokens: Tensor, token_lengths: Tensor, unfit: Tensor) -> Tensor:
    """Nats (B,), never below float32; an utterance without a path gives 0 and no gradient.

    Args:
        log_probs: (B, T', V).
        frames: (B,) int64.
        tokens: (B, U) int64; padding may hold anything.
        token_lengths: (B,) int64.
        unfit: (B,) bool, `infeasible`.
    """
    precise = log_probs.to(torch.promote_types(log_probs.dtype, torch.float32))
    return torch.where(unfit, 0.0, _nats(precise, frames, tokens, token_lengths, unfit))


def own_labels(tokens: Tensor, token_lengths: Tensor) -> Tensor:
    """(B, 1 + U), blank and the tokens of each utterance: all that its CTC reads of a frame; blank on padding."""
    inside = lengths.mask(token_lengths, tokens.shape[1])
    return functional.pad(tokens.masked_fill(~inside, special.BLANK), (1, 0), value=special.BLANK)


def ctc_of_labels(picked: Tensor, frames: Tensor, tokens: Tensor, token_lengths: Tensor, unfit: Tensor) -> Tensor:
    """`ctc` from the log-probabilities of `own_labels` alone, with the same gradient: all others play no part in it.

    Args:
        picked: (B, T', 1 + U) float32, of each frame's distribution over all tokens.
        frames, tokens, token_lengths, unfit: as of `ctc`.
    """
    same = tokens[:, :, None] == tokens[:, None, :]
    places = torch.arange(tokens.shape[1], device=tokens.device)
    # equal tokens are one label, that of the first: between equal neighbours CTC wants a blank
    columns = 1 + torch.where(same, places, tokens.shape[1]).amin(-1) if tokens.shape[1] else tokens
    nats: Tensor = _OfLabels.apply(picked, frames, columns, token_lengths, unfit)
    return torch.where(unfit, 0.0, nats)


def _nats(log_probs: Tensor, frames: Tensor, tokens: Tensor, token_lengths: Tensor, unfit: Tensor) -> Tensor:
    """(B,); an utterance without a path is scored without labels.

    So its loss is finite before it is dropped: the gradient of 0 · ∞ is NaN. Lengths are given on the host, for torch
    wants them on the CPU; its CUDA kernels copy them back themselves.
    """
    return functional.ctc_loss(
        log_probs.transpose(0, 1),
        tokens,
        host_mirror.on_host(frames),
        host_mirror.on_host(token_lengths).masked_fill(host_mirror.on_host(unfit), 0),
        blank=special.BLANK,
        reduction="none",
    )


class _OfLabels(torch.autograd.Function):
    """torch's gradient of CTC, p − γ with the occupancy γ of a label, takes it that the p of a frame sum to 1.

    Over all tokens they do, and `log_softmax` then adds nothing; over some they do not, so p is taken away again: −γ.
    """

    @staticmethod
    def forward(
        ctx: Any, picked: Tensor, frames: Tensor, columns: Tensor, token_lengths: Tensor, unfit: Tensor
    ) -> Tensor:
        if not ctx.needs_input_grad[0]:
            return _nats(picked, frames, columns, token_lengths, unfit)
        with torch.enable_grad():
            log_probs = picked.detach().requires_grad_()
            nats = _nats(log_probs, frames, columns, token_lengths, unfit)
            (gradient,) = torch.autograd.grad(nats.sum(), log_probs)
        inside = lengths.mask(frames, picked.shape[1])[..., None]
        ctx.save_for_backward(torch.where(inside, gradient - picked.exp(), 0.0))
        return nats.detach()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        (of_log_probs,) = ctx.saved_tensors
        return gradient[:, None, None] * of_log_probs, None, None, None, None
