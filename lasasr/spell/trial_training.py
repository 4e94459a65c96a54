"""Promises about the training loop and gradients, each tried by a function of a `Trial`."""

from __future__ import annotations

import torch
from torch import Tensor

from lasasr.nn.conformance import Measured, largest, within
from lasasr.spell.base import Decoder, Unrolled
from lasasr.spell.trial import STEPS, TOLERANCE, B, Trial, V, run, unroll
from lasasr.text import special


def _objective(logits: Tensor, weights: Tensor) -> Tensor:
    """A number that every logit that can be emitted, and every weight, bears on differently."""
    generator = torch.Generator().manual_seed(6)
    value = logits.new_zeros(())
    for part in (logits[..., special.FIRST_TEXT - 1 :], weights):
        value = value + (part * torch.randn(part.shape, generator=generator).to(part)).sum()
    return value


def _gradients(decoder: Decoder, logits: Tensor, weights: Tensor) -> list[Tensor]:
    named = [p for p in decoder.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(_objective(logits, weights), named, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(named, gradients, strict=True)]


def unrolls(trial: Trial) -> Measured:
    """Logits, weights and gradients of the training loop against those of single steps."""
    decoder, tokens = trial.decoder(), trial.tokens(hypotheses=1)
    steps = run(decoder, *trial.encoded(), tokens)
    logits = torch.stack([step.logits[:, 0] for step in steps], 1)
    weights = torch.stack([step.weights[:, 0] for step in steps], 1)
    loop = unroll(decoder, *trial.encoded(), tokens[..., 0].t())
    gaps = [logits - loop.logits, weights - loop.weights]
    of_steps, of_loop = _gradients(decoder, logits, weights), _gradients(decoder, *loop)
    gaps += [(a - b) / a.abs().max().clamp(min=1.0) for a, b in zip(of_steps, of_loop, strict=True)]
    return within(largest(gaps), TOLERANCE)


@torch.no_grad()
def later_tokens(trial: Trial) -> Measured:
    """Other tokens, and padding, from the third on."""
    decoder, tokens = trial.decoder(), trial.tokens(hypotheses=1)[..., 0].t()
    expected, gaps = unroll(decoder, *trial.encoded(), tokens), []
    for token in (special.PAD, V - 1):
        changed = tokens.clone()
        changed[:, 2:] = token
        unrolled = unroll(decoder, *trial.encoded(), changed)
        gaps += [(a - b)[:, :2] for a, b in zip(expected, unrolled, strict=True)]
    return within(largest(gaps), TOLERANCE)


@torch.no_grad()
def samples(trial: Trial) -> Measured:
    """Two references from one state of the generator; the draws are the model's own, so that both end alike."""
    decoder, passes = trial.decoder(), []
    for seed in (3, 4):
        tokens = trial.tokens(hypotheses=1, seed=seed)[..., 0].t()
        torch.manual_seed(9)
        passes.append(unroll(decoder, *trial.encoded(), tokens, sampling=1.0))
    return within(largest(a - b for a, b in zip(*passes, strict=True)), TOLERANCE)


@torch.no_grad()
def draws_is_true(trial: Trial) -> Measured:
    """Two passes in training from two states of the generator: where they differ, `draws` must say so.

    Threads share a batch out where nothing is drawn.
    """
    decoder, passes = trial.decoder(training=True), []
    for seed in (1, 2):
        torch.manual_seed(seed)
        passes.append(unroll(decoder, *trial.encoded(), trial.tokens(hypotheses=1)[..., 0].t()))
    gap = largest(a - b for a, b in zip(*passes, strict=True))
    return Measured(decoder.draws or gap == 0.0, f"draws is {bool(decoder.draws)}, passes differ by {gap:.1e}")


def gradients(trial: Trial) -> Measured:
    """After a pass every parameter that is trained has a finite gradient that is not 0."""
    decoder, loop = _trained(trial)
    named = [name for name, p in decoder.named_parameters() if p.requires_grad]
    values = zip(named, _gradients(decoder, *loop), strict=True)
    bad = [name for name, value in values if not value.isfinite().all() or not value.any()]
    return Measured(not bad, f"missing, 0 or not finite: {', '.join(bad)}" if bad else f"{len(named)} parameters")


def _trained(trial: Trial) -> tuple[Decoder, Unrolled]:
    decoder = trial.decoder(training=True)
    torch.manual_seed(1)
    return decoder, unroll(decoder, *trial.encoded(), trial.tokens(hypotheses=1)[..., 0].t())


def padding_learns_nothing(trial: Trial) -> Measured:
    """The largest gradient on padding; those on frames are finite and not 0."""
    decoder, (encoded, mask) = trial.decoder(), trial.encoded()
    encoded.requires_grad_()
    loop = unroll(decoder, encoded, mask, trial.tokens(hypotheses=1)[..., 0].t())
    (gradient,) = torch.autograd.grad(_objective(*loop), encoded)
    if not bool(gradient.isfinite().all()) or not bool(gradient[mask].any()):
        return Measured(False, "no finite gradient reaches the frames")
    return within(largest([gradient[~mask]]), 0.0)


@torch.no_grad()
def half_precision(trial: Trial) -> Measured:
    """bfloat16 by autocast against float32, relative to the largest logit that can be emitted."""
    decoder, tokens = trial.decoder(), trial.tokens(hypotheses=1)[..., 0].t()
    assert tokens.shape == (B, STEPS)
    exact = unroll(decoder, *trial.encoded(), tokens).logits[..., special.FIRST_TEXT - 1 :]
    with torch.autocast(trial.device.partition(":")[0], torch.bfloat16):
        rounded = unroll(decoder, *trial.encoded(), tokens).logits[..., special.FIRST_TEXT - 1 :].float()
    return within(largest([rounded - exact]) / max(largest([exact]), 1e-12), 0.1)
