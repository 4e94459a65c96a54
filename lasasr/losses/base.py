"""The contract of a training loss: which heads it needs, and one batch's sums."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from lasasr.data.batch import Batch
from lasasr.metrics.error_rates import Metric


class Heads(NamedTuple):
    """Parts of the model beside the encoder."""

    decoder: bool
    ctc: bool
    intermediate_ctc: bool = False  # the CTC head reads layers below the encoder's last, too


class Nbest(NamedTuple):
    """Hypotheses of a batch, N to an utterance; an utterance with fewer repeats its last."""

    tokens: Tensor  # (B, N, U) int64, without sos and eos; padding is pad
    token_lengths: Tensor  # (B, N) int64
    distinct: Tensor  # (B, N) bool, False on repeats
    scores: Tensor  # (B, N) of the search, without gradient


class PiecewiseHeads(ABC):
    """Heads of a step whose outputs do not exist as a whole: a function of them is computed piece by piece.

    `function` takes an output (N, V) and rows (N, ...) and returns a tensor (N, ...), each row by itself. It is pure,
    draws nothing and is called once more in the backward pass; no gradient reaches what else it uses.
    """

    vocabulary_size: int  # V

    @abstractmethod
    def decoder(self, function: Callable[[Tensor, Tensor], Tensor], rows: Tensor) -> Tensor | None:
        """(B, U + 1, ...) of the logits that `StepView.logits` would be, and rows (B, U + 1, ...); None without."""

    @abstractmethod
    def ctc(self, function: Callable[[Tensor, Tensor], Tensor], of_utterance: Tensor) -> Tensor | None:
        """(B, T', ...) of what `StepView.ctc_log_probs` would be, and (B, ...), for all frames alike; None without."""

    @abstractmethod
    def intermediate_ctc(self, function: Callable[[Tensor, Tensor], Tensor], of_utterance: Tensor) -> Sequence[Tensor]:
        """The same of each that `StepView.intermediate_ctc_log_probs` would be."""


class StepView(ABC):
    """What a loss may read of one training step; each value is computed when it is first read, and kept.

    Shapes: B utterances, T' encoded frames, E encoder width, U tokens, V vocabulary, H heads.
    """

    batch: Batch
    update: int  # updates made so far
    features: Tensor  # (B, T, F) what the encoder reads, augmented; or what a frozen first stage of it gives
    frames: Tensor  # (B,) int64, of the features

    @property
    @abstractmethod
    def encoded(self) -> Tensor:
        """(B, T', E), 0 on padding."""

    @property
    @abstractmethod
    def encoded_lengths(self) -> Tensor:
        """(B,) int64."""

    @property
    @abstractmethod
    def logits(self) -> Tensor | None:
        """(B, U + 1, V) of the decoder, teacher-forced by the reference (or sampled: `sampling`); None without."""

    @property
    @abstractmethod
    def weights(self) -> Tensor | None:
        """(B, U + 1, H, T') of the attention; None without a decoder."""

    @property
    @abstractmethod
    def ctc_log_probs(self) -> Tensor | None:
        """(B, T', V) float32; None without a CTC head."""

    @property
    def intermediate_ctc_log_probs(self) -> Sequence[Tensor]:
        """(B, T', V) float32 of the same CTC head on the outputs of each layer in `Encoder.intermediate`."""
        return ()

    @property
    def pieces(self) -> PiecewiseHeads | None:
        """Where the vocabulary is so large that a loss had better not read logits and log-probabilities as a whole.

        None: it is small. A loss that reads them all the same gets them.
        """
        return None

    @abstractmethod
    def forced(self, tokens: Tensor, token_lengths: Tensor, rows: Tensor | None = None) -> Tensor:
        """Logits (R, U + 1, V) of the decoder, teacher-forced by other tokens than the reference, with gradient.

        Args:
            tokens: (R, U) int64, without sos and eos.
            token_lengths: (R,) int64.
            rows: (R,) int64, the utterance of each; None: R = B, in order.

        Raises:
            ValueError: the model has no decoder.
        """

    @abstractmethod
    def hypotheses(self, beam: int, longest: Tensor | None = None) -> Nbest:
        """What a beam search of the model as it stands, in evaluation mode and without gradient, finds best.

        Args:
            beam: N.
            longest: (B,) int64, the most tokens of each utterance's hypotheses; None: as many as a search allows.

        Raises:
            ValueError: the model has no decoder.
        """

    @abstractmethod
    def texts(self, tokens: Tensor, token_lengths: Tensor) -> Sequence[str]:
        """R texts of tokens (R, U), as the tokenizer writes them: for losses that count words."""

    @abstractmethod
    def errors(self, tokens: Tensor, token_lengths: Tensor, rows: Tensor, metric: Metric | None = None) -> Tensor:
        """(R,) int64, substitutions, deletions and insertions of texts against the references, as evaluation counts.

        Args:
            tokens: (R, U) int64, without sos and eos.
            token_lengths: (R,) int64.
            rows: (R,) int64, the utterance of each.
            metric: what is counted; None: what the model is scored by, words or phones.
        """


@dataclass(frozen=True)
class Teaching:
    """What a loss needs of a teacher before training; `preparation.teaching` makes it, `Batch.taught` carries it.

    Attributes:
        teachers: run folders or bundles.
    """

    teachers: tuple[str, ...]


@dataclass(frozen=True)
class TokenTeaching(Teaching):
    """The distribution of each token of the reference, the mean of all teachers: see `losses.distillation.packed`.

    Attributes:
        temperature: divides the teachers' logits.
        most: tokens that are kept of each, the most probable ones.
    """

    temperature: float
    most: int


@dataclass(frozen=True)
class TextTeaching(Teaching):
    """The n best texts of each utterance with their weights, which sum to 1.

    Attributes:
        table: a file of texts, in place of teachers; None: the teachers are asked.
        nbest: texts of each teacher.
    """

    table: str | None
    nbest: int


class Terms(NamedTuple):
    """One batch's loss, of this rank.

    * total: () summed over the utterances, to be differentiated; the update divides it by the sum of `divisor`.
    * divisor: () int64, what the sums are per (target tokens, as a rule); added up over all batches and ranks of
      an update.
    * sums: named parts of `total`, each () and detached; logged as `train/<name>`, the sum over `divisor`.
    * of_utterance: (B,) detached; an utterance whose value is not finite is named, and its update is left out.
    * infeasible: (B,) bool, utterances that CTC has no path for; None where that has no meaning.
    """

    total: Tensor
    divisor: Tensor
    sums: Mapping[str, Tensor]
    of_utterance: Tensor
    infeasible: Tensor | None = None


class Loss(nn.Module, ABC):
    """What training minimises.

    A loss is one file and one yaml; `loss=NAME` chooses it. It may have parameters: they are trained with the model's,
    and its state dict, which travels in checkpoints, holds all that it has learnt.

    Promises, each tried by `lasasr check loss=NAME`:
    * `heads` names the heads that `terms` reads, and gradients reach each of them;
    * what stands in padding, and in which order the utterances are, changes nothing;
    * sums, not means: `terms` adds up over utterances, and the update divides once by the counts of all batches and
      all ranks, so that one rank with two accumulated batches makes the update of two ranks;
    * `terms` reads of the step what it needs; what it does not read is not computed. All batches have the same sums;
    * in evaluation mode (`dev/loss`) it is deterministic.
    """

    begins_converged: ClassVar[bool] = False
    """Whether it has a meaning only for a model that already recognizes: training warns of one that does not."""

    @property
    @abstractmethod
    def heads(self) -> Heads:
        """The heads that the model must have; the bundle keeps them."""

    @property
    def teaching(self) -> Teaching | None:
        """What `terms` reads of a teacher in `step.batch.taught`; None: nothing."""
        return None

    def pretend_taught(self, tokens: Tensor, token_lengths: Tensor, vocabulary_size: int) -> Mapping[str, Tensor]:
        """What a teacher might say of tokens (B, U), always the same: where there is none, as in `lasasr check`."""
        return {}

    @abstractmethod
    def terms(self, step: StepView) -> Terms:
        """The loss of one batch.

        Raises:
            LasasrError: the batch cannot be scored; the message names what is wrong.
        """

    def prepare(self, token_counts: Tensor) -> None:
        """Take what the loss needs before training; called once.

        Args:
            token_counts: (V,) how often each token is a target in training, eos once per utterance.
        """

    def ctc_share(self, update: int) -> float:
        """The share of CTC in the loss after so many updates, in [0, 1], for messages about alignment."""
        return 0.0

    def plateau(self) -> float | None:
        """Nats per target token of the best decoder that ignores audio and text; None where it is unknown."""
        return None
