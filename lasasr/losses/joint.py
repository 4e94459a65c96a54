"""The loss of LAS recipes: (1 − w) · attention cross-entropy + w · CTC, both in nats per target token.

*Target tokens.* An utterance of U tokens has U + 1 target tokens in both losses, its tokens and eos: the decoder
predicts eos, and a CTC path too says that nothing follows. So w weighs nats per token against nats per token, whatever
the batch and its padding.

*Quantity loss* (an option for monotonic attention, whose weights may sum to less than 1): |U + 1 − Σ_u Σ_t α_u(t)|, how
many frames an utterance's steps select more or fewer than it has target tokens. The name is from CIF (Dong & Xu 2020);
for MoChA: StableEmit (Inaguma & Kawahara 2021). Weights that sum to 1 have none.

*Over all ranks.* The sums over this rank's utterances are divided by the target tokens of *all* ranks, once, when the
update is made. An utterance without a CTC path adds nothing to CTC's sum but counts all the same: with one count for
both losses, batches that are accumulated into one update add up to the loss of their union, however such utterances are
spread over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from lasasr.losses.base import Heads, Loss, PiecewiseHeads, StepView, Terms
from lasasr.losses.ctc import ctc as ctc_nats
from lasasr.losses.ctc import ctc_of_labels, infeasible, own_labels
from lasasr.losses.target_tokens import check_tokens, target_tokens, targets
from lasasr.nn import lengths
from lasasr.text import special


@dataclass(frozen=True)
class Annealed:
    """A ctc_weight that moves linearly from `start` to `end` over `steps` updates and stays there.

    Raises:
        ValueError: a weight lies outside [0, 1] or `steps` is negative.
    """

    start: float
    end: float
    steps: int

    def __post_init__(self) -> None:
        for weight in (self.start, self.end):
            if not 0.0 <= weight <= 1.0:
                raise ValueError(f"ctc_weight must lie in [0, 1], got {weight}")
        if self.steps < 0:
            raise ValueError(f"steps must be ≥ 0, got {self.steps}")

    def __call__(self, step: int) -> float:
        """The weight after `step` updates."""
        share = min(1.0, step / self.steps) if self.steps else 1.0
        return self.start + share * (self.end - self.start)


def schedule(ctc_weight: float | Annealed) -> Annealed:
    """A number as a schedule that stays."""
    return ctc_weight if isinstance(ctc_weight, Annealed) else Annealed(ctc_weight, ctc_weight, 0)


def parts_needed(ctc_weight: float | Annealed) -> Heads:
    """A decoder unless the weight is always 1, a CTC head unless it is always 0."""
    weights = schedule(ctc_weight)
    ends = (weights.start, weights.end) if weights.steps else (weights.end,)
    return Heads(decoder=min(ends) < 1.0, ctc=max(ends) > 0.0)


class _Nats(NamedTuple):
    """Of each utterance, (B,), to be differentiated; None of a part that the model does not have."""

    attention: Tensor | None
    ctc: Tensor | None
    intermediate_ctc: Sequence[Tensor]  # of each layer


class Losses(NamedTuple):
    """One batch's losses; what belongs to a part that the model does not have is None."""

    total: Tensor  # (), to be differentiated; the totals of the ranks add up to the loss
    attention: Tensor | None  # (), nats per target token
    ctc: Tensor | None  # (), nats per target token
    intermediate_ctc: Tensor | None  # (), nats per target token, the mean of the layers; None where its weight is 0
    quantity: Tensor | None  # (), steps without a frame per target token; None where its weight is 0
    attention_of: Tensor | None  # (B,) nats summed over the utterance, detached
    ctc_of: Tensor | None  # (B,) nats of the utterance, intermediate CTC in it, 0 where infeasible, detached
    infeasible: Tensor  # (B,) bool: no CTC path, T' < U + repeats
    ctc_weight: float


class JointLoss(Loss):
    """(1 − w) · label-smoothed cross-entropy + w · CTC (Watanabe et al. 2017, eq. 11), as defined above.

    With `quantity_weight` λ: + λ · quantity loss. With `intermediate_ctc_weight` v, CTC is (1 − v) · CTC of the last
    layer + v · the mean of CTC of those in `Encoder.intermediate` (Lee & Watanabe 2021), all by one head.

    Label smoothing ε (Szegedy et al. 2016, §7) makes the target distribution of a step (1 − ε) · reference + ε · prior;
    the prior is even over what the decoder can emit (text and eos), or the relative frequency of each token
    ("unigram"). Blank, pad and sos have none of it. The loss is the cross-entropy with that distribution.

    Args:
        ctc_weight: w in [0, 1], or a schedule.
        label_smoothing: ε in [0, 1).
        prior: "unigram" (`prepare` must then be called before training), or "even";
            "uniform" is what earlier versions called the first.
        quantity_weight: λ ≥ 0.
        intermediate_ctc_weight: v in [0, 1).

    Raises:
        ValueError: a number outside its range, an unknown prior, λ without a decoder, or v without CTC.
    """

    counts: Tensor | None

    def __init__(
        self,
        *,
        ctc_weight: float | Annealed = 0.3,
        label_smoothing: float = 0.0,
        prior: Literal["unigram", "even", "uniform"] = "unigram",
        quantity_weight: float = 0.0,
        intermediate_ctc_weight: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0.0 <= label_smoothing < 1.0:
            raise ValueError(f"label_smoothing must lie in [0, 1), got {label_smoothing}")
        if prior not in ("unigram", "even", "uniform"):
            raise ValueError(f"prior must be unigram or even, got {prior}")
        if not 0.0 <= quantity_weight < float("inf"):
            raise ValueError(f"quantity_weight must be ≥ 0, got {quantity_weight}")
        if quantity_weight and not parts_needed(ctc_weight).decoder:
            raise ValueError(f"quantity_weight is about attention, but ctc_weight 1 has none: got {quantity_weight}")
        if not 0.0 <= intermediate_ctc_weight < 1.0:
            raise ValueError(f"intermediate_ctc_weight must lie in [0, 1), got {intermediate_ctc_weight}")
        if intermediate_ctc_weight and not parts_needed(ctc_weight).ctc:
            raise ValueError(
                f"intermediate_ctc_weight is about CTC, but ctc_weight is 0: got {intermediate_ctc_weight}"
            )
        self.quantity_weight, self.intermediate_ctc_weight = quantity_weight, intermediate_ctc_weight
        self.ctc_weight = schedule(ctc_weight)
        self.label_smoothing, self.prior = label_smoothing, "unigram" if prior == "uniform" else prior
        self.register_buffer("counts", None, persistent=False)
        self._plateau: float | None = None

    @property
    def heads(self) -> Heads:
        """A decoder unless ctc_weight is always 1, a CTC head unless it is always 0."""
        return parts_needed(self.ctc_weight)._replace(intermediate_ctc=self.intermediate_ctc_weight > 0)

    def prepare(self, token_counts: Tensor) -> None:
        """Take the unigram prior, and the plateau on which a decoder begins, from counts (V,)."""
        self.counts = token_counts.to(torch.float32)
        shares = self.counts.double() / self.counts.sum()
        mixed = torch.lerp(shares, self._prior(shares), self.label_smoothing)
        self._plateau = float(-torch.special.xlogy(mixed, mixed).sum())

    def terms(self, step: StepView, attention_weight: float = 1.0) -> Terms:
        """The sums of one batch; see the module.

        Args:
            attention_weight: of the cross-entropy in `total`, where another loss of the decoder stands beside it.
        """
        batch = step.batch
        count = target_tokens(batch.token_lengths)
        one, weights = torch.ones_like(count), step.weights if self.quantity_weight else None
        labels = step.encoded_lengths, batch.tokens, batch.token_lengths
        if (pieces := step.pieces) is not None:
            check_tokens(*labels[1:], pieces.vocabulary_size)
            unfit = infeasible(*labels[1:], step.encoded_lengths)
            nats = self._nats_in_pieces(pieces, *labels, unfit)
            losses = self._losses(nats, batch.token_lengths, unfit, step.update, one, weights, attention_weight)
        else:
            intermediate = step.intermediate_ctc_log_probs if self.intermediate_ctc_weight else ()
            scores = step.logits, step.ctc_log_probs
            losses = self(*scores, *labels, step.update, one, weights, intermediate, attention_weight)
        sums = {"attention": losses.attention, "ctc": losses.ctc, "quantity": losses.quantity}
        sums["intermediate_ctc"] = losses.intermediate_ctc
        of_utterance = [part for part in (losses.attention_of, losses.ctc_of) if part is not None]
        return Terms(
            total=losses.total,
            divisor=count,
            sums={name: value.detach() for name, value in sums.items() if value is not None},
            of_utterance=torch.stack(of_utterance).sum(0),
            infeasible=None if losses.ctc is None else losses.infeasible,
        )

    def ctc_share(self, update: int) -> float:
        """w after so many updates, 0 without a CTC head."""
        return self.ctc_weight(update) if self.heads.ctc else 0.0

    def forward(
        self,
        logits: Tensor | None,
        ctc_log_probs: Tensor | None,
        encoded_lengths: Tensor,
        tokens: Tensor,
        token_lengths: Tensor,
        step: int = 0,
        total_tokens: Tensor | None = None,
        weights: Tensor | None = None,
        intermediate_ctc_log_probs: Sequence[Tensor] = (),
        attention_weight: float = 1.0,
    ) -> Losses:
        """The losses of one batch.

        DDP takes the mean of the ranks' gradients while the totals add up: multiply by the number of ranks.

        Args:
            logits: (B, U + 1, V) of the decoder, or None.
            ctc_log_probs: (B, T', V) float32, or None.
            encoded_lengths: (B,) int64.
            tokens: (B, U) int64, without sos and eos; padding may hold anything.
            token_lengths: (B,) int64.
            step: updates made so far, for the schedule of ctc_weight.
            total_tokens: () target tokens of all ranks; by default this batch's.
            weights: (B, U + 1, H, T') of the attention; only the quantity loss reads them.
            intermediate_ctc_log_probs: (B, T', V) float32 of each layer that intermediate CTC reads.
            attention_weight: of the cross-entropy in `total`.

        Raises:
            LasasrError: a token is outside the vocabulary.
            ValueError: neither logits nor ctc_log_probs are given, no weights for the quantity loss, or no layer for
                intermediate CTC.
        """
        scores = logits if logits is not None else ctc_log_probs
        if scores is None:
            raise ValueError("the loss needs logits, ctc_log_probs or both, got neither")
        check_tokens(tokens, token_lengths, scores.shape[-1])
        unfit = infeasible(tokens, token_lengths, encoded_lengths)
        labels = encoded_lengths, tokens, token_lengths, unfit
        nats = _Nats(
            None if logits is None else self._cross_entropy(logits, tokens, token_lengths),
            None if ctc_log_probs is None else ctc_nats(ctc_log_probs, *labels),
            [ctc_nats(layer, *labels) for layer in intermediate_ctc_log_probs],
        )
        return self._losses(nats, token_lengths, unfit, step, total_tokens, weights, attention_weight)

    def _nats_in_pieces(
        self, pieces: PiecewiseHeads, frames: Tensor, tokens: Tensor, token_lengths: Tensor, unfit: Tensor
    ) -> _Nats:
        """The same of heads whose outputs never exist as a whole."""
        of_tokens = pieces.decoder(self._token_nats, targets(tokens, token_lengths))
        own, labels = own_labels(tokens, token_lengths), (frames, tokens, token_lengths, unfit)
        picked = pieces.ctc(_picked, own)
        layers = pieces.intermediate_ctc(_picked, own) if self.intermediate_ctc_weight else ()
        return _Nats(
            None if of_tokens is None else _summed(of_tokens, token_lengths),
            None if picked is None else ctc_of_labels(picked, *labels),
            [ctc_of_labels(layer, *labels) for layer in layers],
        )

    def _losses(
        self,
        nats: _Nats,
        token_lengths: Tensor,
        unfit: Tensor,
        step: int,
        total_tokens: Tensor | None,
        weights: Tensor | None,
        attention_weight: float,
    ) -> Losses:
        """Their weighted sum per target token."""
        count = target_tokens(token_lengths) if total_tokens is None else total_tokens
        attention_of, ctc_of, intermediate_of = nats
        intermediate = quantity = None
        attention = None if attention_of is None else attention_of.sum() / count
        ctc = mixed = None if ctc_of is None else ctc_of.sum() / count
        if ctc_of is not None and self.intermediate_ctc_weight:
            if not intermediate_of:
                raise ValueError("intermediate CTC needs a layer to read, got none")
            mean_of_layers = torch.stack(list(intermediate_of)).mean(0)
            intermediate = mean_of_layers.sum() / count
            ctc_of = torch.lerp(ctc_of, mean_of_layers, self.intermediate_ctc_weight)
            mixed = ctc_of.sum() / count
        weight = self.ctc_weight(step)
        total = _weighted(None if attention is None else attention_weight * attention, mixed, weight)
        if self.quantity_weight:
            quantity = _quantity(weights, token_lengths).sum() / count
            total = total + self.quantity_weight * quantity
        details = _detached(attention_of), _detached(ctc_of), unfit, weight
        return Losses(total, attention, ctc, intermediate, quantity, *details)

    def _cross_entropy(self, logits: Tensor, tokens: Tensor, token_lengths: Tensor) -> Tensor:
        """Nats (B,) summed over each utterance's U + 1 steps."""
        return _summed(self._token_nats(logits, targets(tokens, token_lengths)), token_lengths)

    def _token_nats(self, logits: Tensor, reference: Tensor) -> Tensor:
        """Nats (...) of the reference tokens (...) under logits (..., V), smoothed."""
        log_probs = logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)
        nats = -log_probs.gather(-1, reference[..., None]).squeeze(-1)
        if not self.label_smoothing:
            return nats
        spread = -(log_probs * self._prior(log_probs)).sum(-1)  # autocast would round a matrix product
        return torch.lerp(nats, spread, self.label_smoothing)

    def _prior(self, like: Tensor) -> Tensor:
        """The distribution (V,) that smoothing mixes in."""
        if self.prior == "unigram" and self.counts is None:
            raise ValueError("the unigram prior is not known yet: call prepare() with the training set's token counts")
        size = like.shape[-1]
        shares = self.counts.to(like) if self.prior == "unigram" else like.new_ones(size)  # type: ignore[union-attr]
        emitted = torch.arange(size, device=like.device) > max(special.NEVER_EMITTED)
        shares = torch.where(emitted, shares, 0.0)
        return shares / shares.sum()

    def plateau(self) -> float | None:
        """The entropy of the smoothed token frequencies: what the best decoder that ignores audio and text reaches."""
        return self._plateau


def _summed(nats: Tensor, token_lengths: Tensor) -> Tensor:
    """(B,) from those (B, U + 1) of each step, without those of padding."""
    return torch.where(lengths.mask(token_lengths + 1, nats.shape[1]), nats, 0.0).sum(1)


def _picked(log_probs: Tensor, columns: Tensor) -> Tensor:
    """Those (..., L) of the columns (..., L)."""
    return log_probs.gather(-1, columns)


def _quantity(weights: Tensor | None, token_lengths: Tensor) -> Tensor:
    """|U + 1 − Σ_u Σ_t α_u(t)| (B,), the mean over heads, of weights (B, U + 1, H, T')."""
    if weights is None:
        raise ValueError("the quantity loss needs the attention weights, got None")
    steps = token_lengths + 1
    selected = torch.where(lengths.mask(steps, weights.shape[1])[:, :, None], weights.float().sum(-1), 0.0).sum(1)
    return (steps[:, None] - selected).abs().mean(1)


def _weighted(attention: Tensor | None, ctc: Tensor | None, weight: float) -> Tensor:
    """(1 − weight) · attention + weight · ctc; the loss of a model with one part is that part's."""
    if attention is None:
        assert ctc is not None
        return ctc
    return attention if ctc is None else (1.0 - weight) * attention + weight * ctc


def _detached(values: Tensor | None) -> Tensor | None:
    return None if values is None else values.detach()
