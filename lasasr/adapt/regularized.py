"""A loss with the penalties of an adaptation beside it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from lasasr.adapt.base import Penalty
from lasasr.losses.base import Heads, Loss, StepView, Teaching, Terms


class RegularizedLoss(Loss):
    """The loss, and in training each penalty per target token; a validation sees the loss alone.

    Args:
        loss: what training minimises.
        penalties: by name; `train/<name>` logs each, with its weight.
    """

    def __init__(self, loss: Loss, penalties: Mapping[str, Penalty]) -> None:
        super().__init__()
        self.loss, self.penalties = loss, dict(penalties)

    @property
    def heads(self) -> Heads:
        """Of the loss."""
        return self.loss.heads

    @property
    def teaching(self) -> Teaching | None:
        """Of the loss."""
        return self.loss.teaching

    def pretend_taught(self, tokens: Tensor, token_lengths: Tensor, vocabulary_size: int) -> Mapping[str, Tensor]:
        """Of the loss."""
        return self.loss.pretend_taught(tokens, token_lengths, vocabulary_size)

    def terms(self, step: StepView) -> Terms:
        """See the contract: a penalty of p nats per target token adds p times the batch's target tokens to the sum."""
        terms = self.loss.terms(step)
        if not self.training:
            return terms
        total, sums = terms.total, dict(terms.sums)
        for name, penalty in self.penalties.items():
            added = terms.divisor * penalty.weight * penalty.per_token(step, self.ctc_share(step.update))
            total, sums[name] = total + added, added.detach()
        return terms._replace(total=total, sums=sums)

    def prepare(self, token_counts: Tensor) -> None:
        """Of the loss."""
        self.loss.prepare(token_counts)

    def ctc_share(self, update: int) -> float:
        """Of the loss."""
        return self.loss.ctc_share(update)

    def plateau(self) -> float | None:
        """Of the loss."""
        return self.loss.plateau()
