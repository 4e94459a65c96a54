"""Learning from a teacher: its distribution of each token, or its texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from lasasr.errors import LasasrError
from lasasr.losses.base import StepView, Teaching, TextTeaching, TokenTeaching
from lasasr.losses.beside_joint import BesideJoint, DecoderTerm, sequence_log_probs
from lasasr.losses.joint import Annealed, JointLoss
from lasasr.nn import lengths
from lasasr.text import special

TOKENS = "teacher"  # in `Batch.taught`: (B, U + 1, 2k) int16 of `packed`
TEXTS, TEXT_LENGTHS, WEIGHTS = "teacher_tokens", "teacher_token_lengths", "teacher_weights"  # (B, N, U), (B, N), (B, N)
LEAST = -1e4  # log probability below which float16 keeps nothing
LARGEST_VOCABULARY = 1 << 15  # tokens that int16 holds


class DistillationLoss(BesideJoint):
    """(1 − share) · cross-entropy + share · τ² · KL(teacher ‖ student) of each token, beside CTC.

    Hinton et al. 2015 ("Distilling the knowledge in a neural network", § 2; τ² keeps gradients as large as at τ = 1);
    word-level distillation of Kim & Rush 2016. The teacher reads the reference and the audio as it was recorded,
    whatever the student hears of it: SpecAugment and perturbations are the student's alone, scheduled sampling too.

    Args:
        teachers: run folders or bundles with the same tokens; of several the mean of their distributions.
        share: in (0, 1].
        temperature: τ > 0, divides the logits of both.
        most: tokens of each distribution that are kept, the most probable; what others have counts as one.
        ctc_weight, label_smoothing, prior, quantity_weight, intermediate_ctc_weight: of the joint loss.

    Raises:
        ValueError: a number outside its range.
    """

    def __init__(
        self,
        *,
        teachers: Sequence[str] = (),
        share: float = 0.5,
        temperature: float = 1.0,
        most: int = 64,
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
        super().__init__(joint, 1.0 - _checked_share(share))
        if not 0.0 < temperature < float("inf"):
            raise ValueError(f"temperature must be above 0, got {temperature}")
        if most < 1:
            raise ValueError(f"most must be at least 1, got {most}")
        self.share, self.temperature = share, temperature
        self._teaching = TokenTeaching(tuple(teachers), temperature, most)

    @property
    def teaching(self) -> Teaching:
        """See the contract."""
        return self._teaching

    def pretend_taught(self, tokens: Tensor, token_lengths: Tensor, vocabulary_size: int) -> Mapping[str, Tensor]:
        """See the contract."""
        generator = torch.Generator().manual_seed(6)
        logits = torch.randn(tokens.shape[1] + 1, len(tokens), vocabulary_size, generator=generator).transpose(0, 1)
        never = torch.arange(vocabulary_size) <= max(special.NEVER_EMITTED)
        log_probs = logits.masked_fill(never, LEAST).log_softmax(-1)
        return {TOKENS: packed(log_probs, self._teaching.most).to(tokens.device)}

    def decoder_term(self, step: StepView) -> DecoderTerm:
        """share · τ² · KL of each utterance."""
        logits = step.logits
        assert logits is not None
        divergence = kl(_taught(step, TOKENS), logits / self.temperature)
        inside = lengths.mask(step.batch.token_lengths + 1, divergence.shape[1])
        of_utterance = self.temperature**2 * torch.where(inside, divergence, 0.0).sum(1)
        return DecoderTerm(self.share * of_utterance, {"distillation": of_utterance.sum().detach()})


class TextDistillationLoss(BesideJoint):
    """(1 − share) · cross-entropy − share · Σ_n q_n · log P(y_n | x) of the teacher's n best texts, beside CTC.

    Sequence-level distillation (Kim & Rush 2016, § 3.2, with more than its one best), of any teacher, whatever its
    tokens. q_n are its scores as probabilities of the list, or equal where it gives none; several teachers count alike.

    Args:
        teachers: run folders or bundles, decoded by their own search.
        texts: in their place a table of texts made by any tool: `id`, `text` and perhaps `score` (log), several rows an
            id (.tsv), or JSON lines with `nbest` as `lasasr transcribe --json --nbest N` writes them.
        nbest: texts of each teacher.
        share: in (0, 1].
        ctc_weight, label_smoothing, prior, quantity_weight, intermediate_ctc_weight: of the joint loss.

    Raises:
        ValueError: a number outside its range.
    """

    def __init__(
        self,
        *,
        teachers: Sequence[str] = (),
        texts: str | None = None,
        nbest: int = 4,
        share: float = 0.5,
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
        super().__init__(joint, 1.0 - _checked_share(share))
        if nbest < 1:
            raise ValueError(f"nbest must be at least 1, got {nbest}")
        self.share = share
        self._teaching = TextTeaching(tuple(teachers), texts, nbest)

    @property
    def teaching(self) -> Teaching:
        """See the contract."""
        return self._teaching

    def pretend_taught(self, tokens: Tensor, token_lengths: Tensor, vocabulary_size: int) -> Mapping[str, Tensor]:
        """See the contract: the reference, and the reference without its last token, ..."""
        fewer = torch.arange(self._teaching.nbest, device=tokens.device)
        texts = tokens[:, None].expand(-1, len(fewer), -1)
        weights = torch.full((len(tokens), len(fewer)), 1.0 / len(fewer), device=tokens.device)
        return {TEXTS: texts, TEXT_LENGTHS: (token_lengths[:, None] - fewer).clamp(min=0), WEIGHTS: weights}

    def decoder_term(self, step: StepView) -> DecoderTerm:
        """− share · Σ_n q_n · log P(y_n | x) of each utterance."""
        tokens, sizes, weights = (_taught(step, name) for name in (TEXTS, TEXT_LENGTHS, WEIGHTS))
        B, N, _ = tokens.shape
        rows = torch.arange(B, device=tokens.device).repeat_interleave(N)
        flat, flat_sizes = tokens.flatten(0, 1), sizes.flatten()
        log_probs = sequence_log_probs(step.forced(flat, flat_sizes, rows), flat, flat_sizes).view(B, N)
        of_utterance = -(weights * log_probs).sum(1)
        return DecoderTerm(self.share * of_utterance, {"distillation": of_utterance.sum().detach()})


def packed(log_probs: Tensor, most: int) -> Tensor:
    """The `most` largest of log probabilities (..., V) with their tokens, (..., 2 · min(most, V)) int16.

    The first half are the bits of float16 logs, the second half the tokens.

    Raises:
        ValueError: V is more than int16 holds.
    """
    if log_probs.shape[-1] > LARGEST_VOCABULARY:
        raise ValueError(f"a vocabulary of {log_probs.shape[-1]} tokens is more than {LARGEST_VOCABULARY}")
    values, ids = log_probs.topk(min(most, log_probs.shape[-1]), dim=-1)
    return torch.cat((values.clamp(min=LEAST).to(torch.float16).view(torch.int16), ids.to(torch.int16)), -1)


def unpacked(stored: Tensor) -> tuple[Tensor, Tensor]:
    """Log probabilities float32 and tokens int64, both (..., k), of `packed`."""
    values, ids = stored.chunk(2, dim=-1)
    return values.contiguous().view(torch.float16).float(), ids.long()


def kl(teacher: Tensor, logits: Tensor) -> Tensor:
    """KL(teacher ‖ student) in nats of each step, (B, U), of a packed teacher (B, ≤ U, 2k) and logits (B, U, V).

    Tokens that the teacher does not hold are one event for both.
    """
    student = logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)
    logs, ids = unpacked(functional.pad(teacher, (0, 0, 0, logits.shape[1] - teacher.shape[1])))
    shares = logs.exp()
    divergence: Tensor = (shares * (logs - student.gather(-1, ids))).sum(-1)
    if ids.shape[-1] == logits.shape[-1]:
        return divergence
    rest = (1.0 - shares.sum(-1)).clamp(min=0.0)
    student_rest = student.scatter(-1, ids, -torch.inf).logsumexp(-1)
    of_rest: Tensor = torch.special.xlogy(rest, rest) - rest * student_rest
    return divergence + of_rest


def _checked_share(share: float) -> float:
    if not 0.0 < share <= 1.0:
        raise ValueError(f"share must lie in (0, 1], got {share}")
    return share


def _taught(step: StepView, name: str) -> Tensor:
    if name not in step.batch.taught:
        raise LasasrError(
            f"the batch of {step.batch.ids[0]} holds nothing of a teacher: a loss that learns from one is trained by "
            "lasasr train"
        )
    return step.batch.taught[name]
