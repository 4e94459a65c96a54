"""What losses of the decoder have in common that stand beside cross-entropy: where they stand in the joint loss."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from lasasr.losses.base import Heads, Loss, StepView, Terms
from lasasr.losses.joint import JointLoss, parts_needed
from lasasr.losses.target_tokens import targets
from lasasr.nn import lengths


class DecoderTerm(NamedTuple):
    """What such a loss adds to the decoder's."""

    of_utterance: Tensor  # (B,), to be differentiated
    sums: dict[str, Tensor]  # named sums over the batch, each () and detached


class BesideJoint(Loss):
    """(1 − w) · (a further loss of the decoder + v · cross-entropy) + w · CTC, w being `ctc_weight` of the joint loss.

    The joint loss (`losses/joint.py`) keeps all of its options: label smoothing and scheduled sampling are about its
    cross-entropy, intermediate CTC about its CTC.

    Args:
        joint: cross-entropy and CTC.
        cross_entropy_weight: v ≥ 0.

    Raises:
        ValueError: v is negative, or ctc_weight is always 1, so that there is no decoder.
    """

    def __init__(self, joint: JointLoss, cross_entropy_weight: float) -> None:
        super().__init__()
        if not parts_needed(joint.ctc_weight).decoder:
            raise ValueError("ctc_weight 1 leaves no decoder, and this loss is one of the decoder: take less than 1")
        if not 0.0 <= cross_entropy_weight < float("inf"):
            raise ValueError(f"the weight of cross-entropy must be at least 0, got {cross_entropy_weight}")
        self.joint, self.cross_entropy_weight = joint, cross_entropy_weight

    @property
    def heads(self) -> Heads:
        """Those of the joint loss."""
        return self.joint.heads

    @abstractmethod
    def decoder_term(self, step: StepView) -> DecoderTerm:
        """The further loss of one batch."""

    def prepare(self, token_counts: Tensor) -> None:
        """See `JointLoss.prepare`."""
        self.joint.prepare(token_counts)

    def terms(self, step: StepView) -> Terms:
        """The sums of one batch, per target token as those of the joint loss."""
        joint = self.joint.terms(step, self.cross_entropy_weight)
        term = self.decoder_term(step)
        total = joint.total + (1.0 - self.ctc_share(step.update)) * term.of_utterance.sum()
        return joint._replace(
            total=total,
            sums={**term.sums, **joint.sums},
            of_utterance=joint.of_utterance + term.of_utterance.detach(),
        )

    def ctc_share(self, update: int) -> float:
        """w after so many updates, 0 without a CTC head."""
        return self.joint.ctc_share(update)

    def plateau(self) -> float | None:
        """See `JointLoss.plateau`; of the cross-entropy."""
        return self.joint.plateau()


def sequence_log_probs(logits: Tensor, tokens: Tensor, token_lengths: Tensor) -> Tensor:
    """(R,), float32 at least, Σ_u log P(token u) of tokens (R, U) and their eos under logits (R, U + 1, V)."""
    reference = targets(tokens, token_lengths)
    precise = logits.to(torch.promote_types(logits.dtype, torch.float32))
    nats = functional.cross_entropy(precise.transpose(1, 2), reference, reduction="none")
    return -torch.where(lengths.mask(token_lengths + 1, reference.shape[1]), nats, 0.0).sum(1)
