"""Distillation against its formulas: divergences summed out, and what is rounded by keeping it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from lasasr.errors import LasasrError, UsageError
from lasasr.losses.distillation import (
    LEAST,
    TEXT_LENGTHS,
    TEXTS,
    TOKENS,
    WEIGHTS,
    DistillationLoss,
    TextDistillationLoss,
    kl,
    packed,
    unpacked,
)
from lasasr.losses.joint import JointLoss
from lasasr.losses.trial import Trial
from lasasr.models import factory
from lasasr.nn import lengths
from lasasr.text import special


def drawn(*shape: int, seed: int = 1) -> Tensor:
    logits = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (3.0 * logits).log_softmax(-1)


@pytest.mark.parametrize("most", [1, 3, 9, 50])
def test_the_divergence_is_that_of_the_events_that_are_kept(most: int) -> None:
    teacher, student = drawn(2, 4, 9), drawn(2, 4, 9, seed=2)
    divergence = kl(packed(teacher, most), student)
    for place in torch.cartesian_prod(torch.arange(2), torch.arange(4)).tolist():
        q, s = teacher[tuple(place)].exp(), student[tuple(place)].exp()
        best = q.argsort(descending=True)[:most].tolist()
        events = [[token] for token in best] + ([[t for t in range(9) if t not in best]] if most < 9 else [])
        expected = sum(float(q[event].sum() * (q[event].sum() / s[event].sum()).log()) for event in events)
        assert float(divergence[tuple(place)]) == pytest.approx(expected, rel=5e-3, abs=2e-3)


@pytest.mark.parametrize("most", [3, 9])
def test_a_student_that_is_the_teacher_has_none_and_gradients_are_those_of_finite_differences(most: int) -> None:
    teacher = drawn(2, 3, 9)
    assert kl(packed(teacher, most), teacher).abs().max() < 2e-3
    logits = drawn(2, 3, 9, seed=3).requires_grad_()
    stored = packed(teacher, most)
    assert torch.autograd.gradcheck(lambda logits: kl(stored, logits), logits)


def test_what_is_kept_comes_back() -> None:
    log_probs = drawn(5, 40).float()
    log_probs[0, 3] = -torch.inf
    values, ids = unpacked(packed(log_probs, 40))
    restored = torch.empty_like(log_probs).scatter(-1, ids, values)
    torch.testing.assert_close(restored, log_probs.clamp(min=LEAST), rtol=1e-3, atol=1e-3)
    assert packed(log_probs, 40).dtype == torch.int16
    with pytest.raises(ValueError, match="vocabulary of 40000 tokens is more than 32768"):
        packed(torch.zeros(1, 40_000), 3)


@pytest.mark.parametrize(("share", "temperature", "ctc_weight"), [(0.3, 1.0, 0.4), (1.0, 2.0, 0.0)])
def test_the_loss_mixes_teacher_cross_entropy_and_ctc(share: float, temperature: float, ctc_weight: float) -> None:
    options: dict[str, Any] = {"ctc_weight": ctc_weight, "label_smoothing": 0.2}
    trial = Trial(lambda: DistillationLoss(share=share, temperature=temperature, **options))
    loss, joint = trial.loss(), Trial(lambda: JointLoss(**options)).loss()
    step, plain = trial.step(loss), joint.terms(trial.step(joint))
    assert step.logits is not None
    values, ids = unpacked(step.batch.taught[TOKENS])
    teacher = torch.zeros_like(step.logits).scatter(-1, ids, values.exp())
    student = (step.logits / temperature).softmax(-1)
    steps = torch.xlogy(teacher, teacher).sum(-1) - (teacher * student.clamp(min=1e-45).log()).sum(-1)
    inside = lengths.mask(step.batch.token_lengths + 1, steps.shape[1])
    divergence = float((temperature**2 * torch.where(inside, steps, 0.0)).sum().detach())
    attention, ctc = float(plain.sums["attention"]), float(plain.sums.get("ctc", torch.zeros(())))
    terms = loss.terms(trial.step(loss))
    expected = (1 - ctc_weight) * (share * divergence + (1 - share) * attention) + ctc_weight * ctc
    assert float(terms.total.detach()) == pytest.approx(expected, rel=1e-3)
    assert float(terms.sums["distillation"]) == pytest.approx(divergence, rel=1e-3)


def test_texts_are_cross_entropy_weighed_by_the_teacher() -> None:
    options: dict[str, Any] = {"ctc_weight": 0.0}
    trial = Trial(lambda: TextDistillationLoss(share=0.25, nbest=3, **options))
    loss, joint = trial.loss(), Trial(lambda: JointLoss(**options)).loss()
    step, plain = trial.step(loss), joint.terms(trial.step(joint))
    expected = 0.75 * float(plain.total.detach())
    for row, (texts, sizes, weights) in enumerate(
        zip(*(step.batch.taught[name] for name in (TEXTS, TEXT_LENGTHS, WEIGHTS)), strict=True)
    ):
        for text, size, weight in zip(texts, sizes.tolist(), weights.tolist(), strict=True):
            log_probs = step.forced(text[None, :size], torch.tensor([size]), torch.tensor([row]))[0].log_softmax(-1)
            ids = [*text[:size].tolist(), special.EOS]
            expected -= 0.25 * weight * float(sum(log_probs[u, token].detach() for u, token in enumerate(ids)))
    assert float(loss.terms(trial.step(loss)).total.detach()) == pytest.approx(expected, rel=1e-5)


def test_the_reference_as_the_only_text_is_cross_entropy() -> None:
    trial = Trial(lambda: TextDistillationLoss(share=1.0, nbest=1, ctc_weight=0.3))
    loss, joint = trial.loss(), Trial(lambda: JointLoss(ctc_weight=0.3)).loss()
    torch.testing.assert_close(loss.terms(trial.step(loss)).total, joint.terms(trial.step(joint)).total)


def test_a_batch_without_a_teacher_is_said() -> None:
    trial = Trial(DistillationLoss)
    loss = trial.loss()
    step = trial.step(loss)
    step.batch.taught.clear()  # type: ignore[attr-defined]
    with pytest.raises(LasasrError, match="utterance-0 holds nothing of a teacher"):
        loss.terms(step)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"share": 0.0}, r"share must lie in \(0, 1\], got 0.0"),
        ({"temperature": 0.0}, "temperature must be above 0, got 0.0"),
        ({"most": 0}, "most must be at least 1, got 0"),
        ({"ctc_weight": 1.0}, "ctc_weight 1 leaves no decoder"),
        ({"texts": "t.tsv"}, "texts"),
    ],
)
def test_options_without_meaning_are_refused_by_name(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        factory.loss({"_target_": "lasasr.losses.distillation.DistillationLoss", **options}, 1)
