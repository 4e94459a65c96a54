"""`adapt=self_distillation`: what the recognizer said before is a teacher (Learning without Forgetting).

On the new speech the recognizer is held to the distributions that it gave of it before the first update (Li &
Hoiem 2018, §3, eq. 2 and 3, with the temperature of Hinton et al. 2015). It needs nothing of the source data.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lasasr.adapt.base import Penalty
from lasasr.losses.base import StepView
from lasasr.nn import lengths


class SelfDistillation(Penalty):
    """T² · KL(before ‖ now), (1 − w) of each target token's distribution and w of each encoded frame's by CTC.

    w is the share of CTC in the loss; a head that the loss does not read is not held.

    Args:
        weight: of the term.
        temperature: T, which divides the logits of both.

    Raises:
        ValueError: the temperature is not positive.
    """

    def __init__(self, *, weight: float = 1.0, temperature: float = 2.0) -> None:
        super().__init__(weight)
        if not 0.0 < temperature < float("inf"):
            raise ValueError(f"temperature must be above 0, got {temperature}")
        self.temperature = temperature
        self._before: list[Any] = []  # the model, no part of this, so that neither checkpoint nor optimizer holds it

    def begin(self, recognizer: nn.Module, base: Path) -> None:
        """See the contract."""
        model: Any = copy.deepcopy(recognizer.model)
        self._before = [model.eval().requires_grad_(False)]

    def per_token(self, step: StepView, ctc_share: float) -> Tensor:
        """See the contract."""
        logits, log_probs = self._of_before(step)
        total = step.encoded.new_zeros((), dtype=torch.float32)
        sizes = step.batch.token_lengths + 1
        if step.logits is not None and logits is not None and ctc_share < 1.0:
            real = lengths.mask(sizes, logits.shape[1])
            total = total + (1.0 - ctc_share) * self._divergence(step.logits, logits)[real].mean()
        if step.ctc_log_probs is not None and log_probs is not None and ctc_share > 0.0:
            real = lengths.mask(step.encoded_lengths, log_probs.shape[1])
            total = total + ctc_share * self._divergence(step.ctc_log_probs, log_probs)[real].mean()
        return total

    @torch.no_grad()
    def _of_before(self, step: StepView) -> tuple[Tensor | None, Tensor | None]:
        """Logits and CTC log-probabilities of the model as it was, of the same features."""
        (model,) = self._before
        model.to(step.features.device)
        encoded = model.encode(step.features, step.frames, bool(getattr(model.encoder, "keeps", False)))
        tokens = step.batch.tokens, step.batch.token_lengths
        logits = None if model.decoder is None else model.forced(*encoded, *tokens).logits
        return logits, None if model.ctc is None else model.ctc_log_probs(encoded.encoded)

    def _divergence(self, now: Tensor, before: Tensor) -> Tensor:
        """T² · KL of each row of (..., V)."""
        log_now, log_before = ((values.float() / self.temperature).log_softmax(-1) for values in (now, before))
        return self.temperature**2 * functional.kl_div(log_now, log_before, reduction="none", log_target=True).sum(-1)
