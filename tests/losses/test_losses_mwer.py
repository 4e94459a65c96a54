"""MWER against its closed form, finite differences, and a sum over the list written out."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from rapidfuzz.distance import Levenshtein
from torch import Tensor

from lasasr.errors import UsageError
from lasasr.losses.joint import JointLoss
from lasasr.losses.mwer import MWERLoss, risk
from lasasr.losses.trial import Trial
from lasasr.models import factory
from lasasr.text import special


@pytest.mark.parametrize(("first", "second"), [(-1.0, -3.0), (-2.5, -0.5), (-700.0, -702.0)])
def test_a_list_of_two_has_the_closed_form(first: float, second: float) -> None:
    scores = torch.tensor([[first, second]], dtype=torch.float64, requires_grad=True)
    errors, distinct = torch.tensor([[3, 1]]), torch.ones(1, 2, dtype=torch.bool)
    risks, expected = risk(scores, errors, distinct)
    share = 1.0 / (1.0 + math.exp(second - first))  # of the first: a logistic function of the difference
    assert risks.item() == pytest.approx(share * (3 - 2) + (1 - share) * (1 - 2))
    assert expected.item() == pytest.approx(3 * share + (1 - share))
    risks.sum().backward()  # type: ignore[no-untyped-call]
    slope = share * (1 - share) * (3 - 1)
    assert scores.grad is not None
    assert scores.grad.tolist() == [[pytest.approx(slope), pytest.approx(-slope)]]


def test_gradients_are_those_of_finite_differences_and_repeats_have_none() -> None:
    generator = torch.Generator().manual_seed(1)
    scores = torch.randn(5, 6, dtype=torch.float64, generator=generator).requires_grad_()
    errors = torch.randint(0, 7, (5, 6), generator=generator)
    distinct = torch.arange(6)[None] < torch.tensor([6, 5, 3, 2, 1])[:, None]
    assert torch.autograd.gradcheck(lambda scores: risk(scores, errors, distinct)[0], scores)
    risk(scores, errors, distinct)[0].sum().backward()  # type: ignore[no-untyped-call]
    assert scores.grad is not None
    assert not scores.grad[~distinct].any()
    assert not scores.grad[4].any()  # a list of one has nothing to choose


def test_the_mean_changes_no_gradient_and_makes_equal_errors_no_risk() -> None:
    scores = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    errors, distinct = torch.tensor([[2, 0, 1, 3]] * 3), torch.ones(3, 4, dtype=torch.bool)
    with_mean = torch.autograd.grad(risk(scores, errors, distinct)[0].sum(), scores)[0]
    plain = torch.autograd.grad((scores.softmax(1) * errors).sum(), scores)[0]
    torch.testing.assert_close(with_mean, plain)
    assert risk(scores, torch.full((3, 4), 5), distinct)[0].abs().max() < 1e-12


def written_out(step: Any, nbest: int) -> list[float]:
    """The risk of each utterance of a trial, hypothesis by hypothesis."""
    found = step.hypotheses(nbest)
    risks = []
    for row in range(len(step.batch.ids)):
        reference = step.batch.tokens[row, : step.batch.token_lengths[row]].tolist()
        chances, errors = [], []
        for place in range(nbest):
            text = found.tokens[row, place, : found.token_lengths[row, place]]
            log_probs = step.forced(text[None], torch.tensor([len(text)]), torch.tensor([row]))[0].log_softmax(-1)
            ids = [*text.tolist(), special.EOS]
            chances.append(math.exp(sum(float(log_probs[u, token].detach()) for u, token in enumerate(ids))))
            errors.append(Levenshtein.distance(text.tolist(), reference))
        mean = sum(errors) / nbest
        risks.append(sum(c / sum(chances) * (e - mean) for c, e in zip(chances, errors, strict=True)))
    return risks


@pytest.mark.parametrize("ctc_weight", [0.0, 0.4])
def test_the_loss_is_the_risk_and_a_little_cross_entropy_beside_ctc(ctc_weight: float) -> None:
    options: dict[str, Any] = {"ctc_weight": ctc_weight, "label_smoothing": 0.2}
    trial = Trial(lambda: MWERLoss(nbest=3, cross_entropy_weight=0.05, **options))
    loss, joint = trial.loss(), Trial(lambda: JointLoss(**options)).loss()
    terms = loss.terms(trial.step(loss))
    plain = joint.terms(trial.step(joint))
    risks = written_out(trial.step(loss), 3)
    assert len({round(value, 3) for value in risks}) > 1
    attention, ctc = float(plain.sums["attention"]), float(plain.sums.get("ctc", torch.zeros(())))
    expected = (1.0 - ctc_weight) * (sum(risks) + 0.05 * attention) + ctc_weight * ctc
    assert float(terms.total.detach()) == pytest.approx(expected, rel=1e-5)
    added: Tensor = terms.of_utterance - plain.of_utterance
    assert added.tolist() == pytest.approx(risks, abs=1e-5)
    assert terms.sums["attention"] == plain.sums["attention"]
    assert terms.divisor == plain.divisor


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"nbest": 1}, "nbest must be at least 2.*got 1"),
        ({"metric": "wer"}, "metric is 'wer', not cer or nothing"),
        ({"ctc_weight": 1.0}, "ctc_weight 1 leaves no decoder"),
        ({"cross_entropy_weight": 0.0}, "cross_entropy_weight must be above 0"),
        ({"label_smoothing": 1.0}, r"label_smoothing must lie in \[0, 1\), got 1.0"),
    ],
)
def test_options_without_meaning_are_refused_by_name(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        factory.loss({"_target_": "lasasr.losses.mwer.MWERLoss", **options}, 1)
