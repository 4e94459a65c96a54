"""Minimum word error rate: training for what is scored, from a model that recognizes already."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from lasasr.losses.base import StepView
from lasasr.losses.beside_joint import BesideJoint, DecoderTerm, sequence_log_probs
from lasasr.losses.joint import Annealed, JointLoss

LEAST_LONGEST, LONGEST_PER_TOKEN = 10, 2  # tokens that a hypothesis may have: 10 + 2 · those of the reference


class MWERLoss(BesideJoint):
    """Σ_n P̂(y_n | x) · (W(y_n) − W̄) + 0.01 · cross-entropy (Prabhavalkar et al. 2018, eqs. 4 to 6), beside CTC.

    y_1 … y_N are the N best of a beam search of the decoder as it stands; P̂ is the decoder's probability of each,
    teacher-forced and divided by the sum over the list; W counts errors as evaluation does, and W̄ is their mean over
    the list. Its gradient in log P(y_n) is P̂_n · (W(y_n) − Σ_m P̂_m · W(y_m)): hypotheses with fewer errors than are
    expected become more probable. `train/expected_errors` is Σ_n P̂_n · W(y_n) per target token.

    Args:
        nbest: N, at least 2; the beam of the search.
        cross_entropy_weight: above 0; without it the probability of what stands in no list is free to move.
        metric: what W counts: "cer", or None for what the model is scored by (words; phones).
        ctc_weight, label_smoothing, prior, quantity_weight, intermediate_ctc_weight: of the joint loss.

    Raises:
        ValueError: a number outside its range.
    """

    begins_converged: ClassVar[bool] = True

    def __init__(
        self,
        *,
        nbest: int = 4,
        cross_entropy_weight: float = 0.01,
        metric: Literal["cer"] | None = None,
        ctc_weight: float | Annealed = 0.3,
        label_smoothing: float = 0.0,
        prior: Literal["uniform", "unigram"] = "uniform",
        quantity_weight: float = 0.0,
        intermediate_ctc_weight: float = 0.0,
    ) -> None:
        joint = JointLoss(
            ctc_weight=ctc_weight,
            label_smoothing=label_smoothing,
            prior=prior,
            quantity_weight=quantity_weight,
            intermediate_ctc_weight=intermediate_ctc_weight,
        )
        super().__init__(joint, cross_entropy_weight)
        if nbest < 2:
            raise ValueError(f"nbest must be at least 2, for one hypothesis has nothing to be better than, got {nbest}")
        if not cross_entropy_weight:
            raise ValueError("cross_entropy_weight must be above 0: without it nothing keeps what stands in no list")
        self.nbest, self.metric = nbest, metric

    def decoder_term(self, step: StepView) -> DecoderTerm:
        """The risk of each utterance, see above."""
        longest = LEAST_LONGEST + LONGEST_PER_TOKEN * step.batch.token_lengths
        nbest = step.hypotheses(self.nbest, longest)
        B, N, _ = nbest.tokens.shape
        rows = torch.arange(B, device=nbest.tokens.device).repeat_interleave(N)
        tokens, sizes = nbest.tokens.flatten(0, 1), nbest.token_lengths.flatten()
        errors = step.errors(tokens, sizes, rows, self.metric).view(B, N)
        scores = sequence_log_probs(step.forced(tokens, sizes, rows), tokens, sizes).view(B, N)
        risks, expected = risk(scores, errors, nbest.distinct)
        return DecoderTerm(risks, {"expected_errors": expected.sum()})


def risk(log_probs: Tensor, errors: Tensor, distinct: Tensor) -> tuple[Tensor, Tensor]:
    """Σ_n P̂_n · (W_n − W̄) and, detached, Σ_n P̂_n · W_n; both (B,).

    Args:
        log_probs: (B, N) of the hypotheses.
        errors: (B, N) W of each.
        distinct: (B, N) bool, False where a list repeats a hypothesis, which then is not part of it.
    """
    shares = log_probs.masked_fill(~distinct, -torch.inf).softmax(1)
    wrong = torch.where(distinct, errors, 0).to(shares.dtype)
    mean = wrong.sum(1, keepdim=True) / distinct.sum(1, keepdim=True)
    return (shares * (wrong - mean)).sum(1), (shares.detach() * wrong).sum(1)
