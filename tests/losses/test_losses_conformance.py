"""`lasasr check loss=NAME`: promises kept by every shipped loss, each broken by the loss that breaks it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from shipped_parts import names, part
from torch import Tensor, nn

from lasasr.losses.base import Heads, Loss, StepView, Terms
from lasasr.losses.conformance import PROMISES, check
from lasasr.losses.ctc import infeasible
from lasasr.losses.target_tokens import targets
from lasasr.models import factory
from lasasr.nn import lengths
from lasasr.text import special


def broken(make: Any) -> dict[str, str]:
    return {finding.promise: finding.number for finding in check(make) if not finding.kept}


@pytest.mark.parametrize("name", names("loss"))
@pytest.mark.parametrize(
    "options", [{}, {"prior": "unigram"}, {"quantity_weight": 0.1}, {"intermediate_ctc_weight": 0.3}], ids=str
)
def test_every_shipped_loss_keeps_every_promise(name: str, options: dict[str, Any]) -> None:
    if name == "ctc" and "quantity_weight" in options:
        pytest.skip("a quantity loss needs a decoder")
    if name == "attention" and "intermediate_ctc_weight" in options:
        pytest.skip("intermediate CTC needs CTC")
    assert broken(lambda: factory.loss({**part("loss", name), **options}, 1)) == {}


class Whole(Loss):
    """Cross-entropy and CTC, each with a learned share: as small as a loss of both heads can be, and unbroken."""

    def __init__(self) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.tensor(0.5))

    @property
    def heads(self) -> Heads:
        return Heads(decoder=True, ctc=True)

    def of_tokens(self, logits: Tensor, reference: Tensor) -> Tensor:
        return -logits.float().log_softmax(-1).gather(-1, reference[..., None])[..., 0]

    def counted(self, step: StepView, nats: Tensor) -> Tensor:
        return torch.where(lengths.mask(step.batch.token_lengths + 1, nats.shape[1]), nats, 0.0)

    def unfit(self, step: StepView) -> Tensor:
        return infeasible(step.batch.tokens, step.batch.token_lengths, step.encoded_lengths)

    def of_frames(self, step: StepView) -> Tensor:
        assert step.ctc_log_probs is not None
        sizes = step.batch.token_lengths.masked_fill(self.unfit(step), 0)
        log_probs = step.ctc_log_probs.transpose(0, 1)
        nats = nn.functional.ctc_loss(
            log_probs, step.batch.tokens, step.encoded_lengths, sizes, special.BLANK, reduction="none"
        )
        return torch.where(self.unfit(step), 0.0, nats)

    def of_utterance(self, step: StepView) -> tuple[Tensor, Tensor]:
        assert step.logits is not None
        reference = targets(step.batch.tokens, step.batch.token_lengths)
        return self.counted(step, self.of_tokens(step.logits, reference)).sum(1), self.of_frames(step)

    def divisor(self, step: StepView) -> Tensor:
        count: Tensor = (step.batch.token_lengths + 1).sum()
        return count

    def terms(self, step: StepView) -> Terms:
        attention, ctc = self.of_utterance(step)
        total = (self.share * attention + self.share.square() * ctc).sum()
        sums = {"attention": attention.sum().detach(), "ctc": ctc.sum().detach()}
        return Terms(total, self.divisor(step), sums, (attention + ctc).detach(), self.unfit(step))


class DeclaresTooMuch(Whole):
    def of_frames(self, step: StepView) -> Tensor:
        return step.encoded.sum((1, 2))


class DeclaresTooLittle(Whole):
    @property
    def heads(self) -> Heads:
        return Heads(decoder=True, ctc=False)


class Mean(Whole):
    """Divides by itself, as losses elsewhere do."""

    def terms(self, step: StepView) -> Terms:
        terms = super().terms(step)
        return terms._replace(total=terms.total / terms.divisor)


class Attached(Whole):
    """Its sums keep the graph of every step that is logged."""

    def terms(self, step: StepView) -> Terms:
        terms = super().terms(step)
        return terms._replace(sums={"loss": terms.total})


class NamesByChance(Whole):
    def terms(self, step: StepView) -> Terms:
        terms = super().terms(step)
        return terms if len(step.batch.ids) > 1 else terms._replace(sums={"alone": terms.total.detach()})


class CountsPadding(Whole):
    def counted(self, step: StepView, nats: Tensor) -> Tensor:
        return nats


class Placed(Whole):
    """The first utterance of a batch counts twice."""

    def terms(self, step: StepView) -> Terms:
        terms = super().terms(step)
        return terms._replace(total=terms.total + terms.of_utterance[0])


class Noisy(Whole):
    def of_tokens(self, logits: Tensor, reference: Tensor) -> Tensor:
        return super().of_tokens(logits + torch.rand_like(logits), reference)


class Hides(Whole):
    """What is not finite is made 0 where the utterance could be named."""

    def terms(self, step: StepView) -> Terms:
        terms = super().terms(step)
        return terms._replace(of_utterance=terms.of_utterance.nan_to_num())


class SpreadsNan(Whole):
    def terms(self, step: StepView) -> Terms:
        terms = super().terms(step)
        return terms._replace(of_utterance=terms.of_utterance / terms.of_utterance.mean())


class Infinite(Whole):
    def unfit(self, step: StepView) -> Tensor:
        return torch.zeros(len(step.batch.ids), dtype=torch.bool)


class NamesAll(Whole):
    def terms(self, step: StepView) -> Terms:
        return super().terms(step)._replace(infeasible=step.encoded_lengths > 0)


class CutsCtc(Whole):
    def of_frames(self, step: StepView) -> Tensor:
        return super().of_frames(step).detach()


class LeaksIntoPadding(Whole):
    """Only gradients see padding: what is added is less its own value."""

    def terms(self, step: StepView) -> Terms:
        terms, logits = super().terms(step), step.logits
        assert logits is not None
        return terms._replace(total=terms.total + (logits - logits.detach()).sum())


class Idle(Whole):
    def __init__(self) -> None:
        super().__init__()
        self.idle = nn.Parameter(torch.ones(2))


class Forgets(Whole):
    """A running mean that scales the loss, and is no buffer."""

    running = 1.0

    def terms(self, step: StepView) -> Terms:
        terms = super().terms(step)
        if self.training:
            self.running = 0.9 * self.running + 0.1 * float(terms.total.detach())
        return terms._replace(total=terms.total * self.running)


class Rounds(Whole):
    """The distance to a large number, which half precision does not hold."""

    def of_tokens(self, logits: Tensor, reference: Tensor) -> Tensor:
        large = (logits + 1000.0).float() - 1000.0
        return super().of_tokens(large, reference)


class Overweight(Whole):
    def ctc_share(self, update: int) -> float:
        return 1.5


BROKEN = [
    (DeclaresTooMuch, "the heads that are declared are those that are read"),
    (DeclaresTooLittle, "the heads that are declared are those that are read"),
    (Attached, "terms are finite and of the contract's shapes"),
    (NamesByChance, "every batch has the same named sums"),
    (Mean, "two halves of a batch add up to the whole"),
    (CountsPadding, "more padding changes nothing"),
    (Placed, "the order of the utterances changes nothing"),
    (Noisy, "deterministic in evaluation"),
    (Hides, "an utterance that is NaN is named by of_utterance, and no other"),
    (SpreadsNan, "an utterance that is NaN is named by of_utterance, and no other"),
    (Infinite, "too few frames for the tokens: finite, and named by infeasible"),
    (NamesAll, "too few frames for the tokens: finite, and named by infeasible"),
    (CutsCtc, "gradients are finite, reach every head, and none reaches padding"),
    (LeaksIntoPadding, "gradients are finite, reach every head, and none reaches padding"),
    (Idle, "parameters of its own get gradients"),
    (Forgets, "the state dict holds what was learnt"),
    (Rounds, "bfloat16 is nearly the same"),
    (Overweight, "ctc_share lies in [0, 1], plateau is None or at least 0"),
]


def test_the_unbroken_one_keeps_every_promise() -> None:
    assert broken(Whole) == {}


@pytest.mark.parametrize(("make", "promise"), BROKEN, ids=[make.__name__ for make, _ in BROKEN])
def test_each_defect_is_caught_by_the_promise_meant_for_it(make: Any, promise: str) -> None:
    assert promise in broken(make)


def test_every_promise_has_a_loss_that_breaks_it() -> None:
    assert {promise for _, promise in BROKEN} == set(PROMISES)


class Risk(Loss):
    """The expected number of wrong tokens among the four best hypotheses: a loss that searches, and forces others."""

    @property
    def heads(self) -> Heads:
        return Heads(decoder=True, ctc=False)

    def terms(self, step: StepView) -> Terms:
        nbest = step.hypotheses(4)
        B, N, U = nbest.tokens.shape
        rows = torch.arange(B).repeat_interleave(N)
        tokens, sizes = nbest.tokens.flatten(0, 1), nbest.token_lengths.flatten()
        log_probs = step.forced(tokens, sizes, rows).float().log_softmax(-1)
        nats = log_probs.gather(-1, targets(tokens, sizes)[..., None])[..., 0]
        scores = torch.where(lengths.mask(sizes + 1, U + 1), nats, 0.0).sum(1).view(B, N)
        texts = step.texts(tokens, sizes)
        said = [step.texts(step.batch.tokens, step.batch.token_lengths)[row] for row in rows.tolist()]
        wrong = [
            abs(len(one) - len(other)) + len(set(one) ^ set(other)) for one, other in zip(texts, said, strict=True)
        ]
        risk = (scores.softmax(-1) * torch.tensor(wrong).view(B, N)).sum(-1)
        total = risk.sum()
        return Terms(total, (step.batch.token_lengths + 1).sum(), {"risk": total.detach()}, risk.detach())


def test_a_loss_that_searches_can_be_tried() -> None:
    assert broken(Risk) == {}


def test_what_raises_breaks_the_promise_that_was_tried() -> None:
    class Raises(Whole):
        def terms(self, step: StepView) -> Terms:
            raise KeyError("nothing\nmore")

    numbers = broken(Raises)
    assert next(iter(numbers.values())) == "KeyError: 'nothing\\nmore'"
    assert numbers["two halves of a batch add up to the whole"] == "KeyError, as above"
