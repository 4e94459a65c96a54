"""The contract of a loss: what is not read is not computed; sums add up; one of one's own trains, decodes and ships."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tiny_recognizer import parts
from torch import Tensor, nn
from training_tiny import TOKENIZER, batch, training

from lasasr.data.batch import Batch
from lasasr.errors import LasasrError, UsageError
from lasasr.losses.base import Heads, Loss, StepView, Terms
from lasasr.losses.joint import JointLoss
from lasasr.losses.target_tokens import targets
from lasasr.metrics.error_rates import compare
from lasasr.models import factory
from lasasr.models.recognizer import Recognizer
from lasasr.nn import lengths
from lasasr.training.module import Training
from lasasr.training.step import RecognizerStep


def step_of(module: Training, data: Batch) -> RecognizerStep:
    features, frames = module.recognizer.frontend(data.waveforms, data.waveform_lengths)
    return RecognizerStep(module.recognizer, data, features, frames, update=0)


def calls(monkeypatch: pytest.MonkeyPatch, module: Training) -> list[str]:
    """Notes which parts of the model are computed."""
    seen: list[str] = []

    def noted(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            seen.append(name)
            return method(*arguments, **options)

        return call

    for name in ("encode", "forced", "ctc_log_probs"):
        monkeypatch.setattr(module.recognizer.model, name, noted(name, getattr(module.recognizer.model, name)))
    return seen


def test_what_a_loss_does_not_read_is_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    module = training()
    seen = calls(monkeypatch, module)
    step = step_of(module, batch([1, 2]))
    assert seen == []
    assert step.computed_weights is None
    assert step.ctc_log_probs is not None
    assert seen == ["encode", "ctc_log_probs"]
    assert step.logits is not None
    assert step.weights is step.computed_weights
    assert seen == ["encode", "ctc_log_probs", "forced"]  # each once


@pytest.mark.parametrize("ctc_weight", [0.0, 0.3, 1.0])
def test_sums_of_a_batch_are_those_of_its_utterances(ctc_weight: float) -> None:
    module = training(ctc_weight).eval()
    whole = module.loss.terms(step_of(module, batch([1, 2, 3])))
    single = [module.loss.terms(step_of(module, batch([number]))) for number in (1, 2, 3)]
    torch.testing.assert_close(whole.total, torch.stack([one.total for one in single]).sum())
    assert int(whole.divisor) == sum(int(one.divisor) for one in single)
    torch.testing.assert_close(whole.of_utterance, torch.cat([one.of_utterance for one in single]))
    assert set(whole.sums) == {name for name, there in module.loss.heads._asdict().items() if there} - {"decoder"} | (
        {"attention"} if module.loss.heads.decoder else set()
    )
    for name, value in whole.sums.items():
        torch.testing.assert_close(value, torch.stack([one.sums[name] for one in single]).sum())


def test_the_reference_forced_is_the_logits() -> None:
    module = training().eval()
    data = batch([1, 2, 3])
    step = step_of(module, data)
    assert step.logits is not None
    assert torch.equal(step.forced(data.tokens, data.token_lengths), step.logits)
    rows = torch.tensor([2, 0])
    inside = lengths.mask(data.token_lengths[rows] + 1, data.tokens.shape[1] + 1)
    chosen = step.forced(data.tokens[rows], data.token_lengths[rows], rows)
    torch.testing.assert_close(chosen[inside], step.logits[rows][inside])


def test_hypotheses_are_those_of_the_search_and_their_scores_the_models() -> None:
    module = training(0.0).train()
    step = step_of(module, batch([1, 2, 3]))
    nbest = step.hypotheses(beam=4)
    assert module.training
    assert nbest.tokens.shape[:2] == nbest.scores.shape == (3, 4)
    assert not nbest.scores.requires_grad
    module.eval()
    rows = torch.arange(3).repeat_interleave(4)
    tokens, sizes = nbest.tokens.flatten(0, 1), nbest.token_lengths.flatten()
    scores = log_prob(step.forced(tokens, sizes, rows), tokens, sizes).view(3, 4)
    torch.testing.assert_close(scores[nbest.distinct], nbest.scores[nbest.distinct], atol=1e-4, rtol=1e-4)
    assert step.texts(tokens[:1], sizes[:1]) == [TOKENIZER.decode(tokens[0, : sizes[0]].tolist())]


def log_prob(logits: Tensor, tokens: Tensor, sizes: Tensor) -> Tensor:
    """(R,) of tokens (R, U) and eos under logits (R, U + 1, V)."""
    per_token = logits.log_softmax(-1).gather(-1, targets(tokens, sizes)[..., None]).squeeze(-1)
    return torch.where(lengths.mask(sizes + 1, per_token.shape[1]), per_token, 0.0).sum(1)


class ExpectedErrors(Loss):
    """Minimum word error rate over an n-best list (Prabhavalkar et al. 2018, eq. 4), with cross-entropy beside it."""

    heads = Heads(decoder=True, ctc=False)

    def __init__(self, beam: int = 3, cross_entropy: float = 0.1) -> None:
        super().__init__()
        self.beam = beam
        self.share = cross_entropy
        self.reference = JointLoss(ctc_weight=0.0)
        self.scale = nn.Parameter(torch.ones(()))  # a loss may have parameters

    def terms(self, step: StepView) -> Terms:
        reference = self.reference.terms(step)
        nbest = step.hypotheses(self.beam)
        B, N = nbest.scores.shape
        tokens, sizes = nbest.tokens.flatten(0, 1), nbest.token_lengths.flatten()
        texts = step.texts(tokens, sizes)
        references = [text for text in step.batch.texts for _ in range(N)]
        counted = [compare(one, text, "cer").errors for one, text in zip(references, texts, strict=True)]
        errors = torch.tensor(counted, dtype=torch.float32).view(B, N)
        logits = step.forced(tokens, sizes, torch.arange(B).repeat_interleave(N))
        scores = log_prob(logits, tokens, sizes).view(B, N) * self.scale
        shares = scores.masked_fill(~nbest.distinct, -torch.inf).softmax(1)
        expected = (shares * (errors - errors.mean(1, keepdim=True))).sum(1)
        total = expected.sum() + self.share * reference.total
        sums = {"expected_errors": expected.sum().detach(), **reference.sums}
        return Terms(total, reference.divisor, sums, (expected + reference.of_utterance).detach())


def own(**changes: Any) -> Training:
    plain = training(0.0, **changes)
    return Training(
        plain.recognizer, ExpectedErrors(), None, plain.make_optimizer, plain.make_schedule, plain.sampling, seed=1
    )


def test_a_loss_of_ones_own_reaches_every_parameter() -> None:
    module = own()
    module.loss.terms(step_of(module, batch([1, 2, 3]))).total.backward()  # type: ignore[no-untyped-call]
    trained = dict(module.named_parameters())
    assert "loss.scale" in trained
    assert all(value.grad is not None and bool(value.grad.isfinite().all()) for value in trained.values())


@pytest.mark.parametrize("heads", [{"decoder": True, "ctc": False}, {"decoder": False, "ctc": True}])
def test_a_bundle_keeps_the_heads_and_needs_no_loss(heads: dict[str, bool], tmp_path: Path) -> None:
    recognizer = Recognizer.build(parts(0.0 if heads["decoder"] else 1.0), TOKENIZER, "none/1")
    assert recognizer.parts.heads == Heads(**heads)
    recognizer.save(tmp_path)
    stored = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert stored["heads"] == heads
    assert "loss" not in stored
    loaded = Recognizer.load(tmp_path)
    assert loaded.parts == recognizer.parts
    assert set(loaded.state_dict()) == set(recognizer.state_dict())


@pytest.mark.parametrize(
    "heads", ["{decoder: true}", "{decoder: 1, ctc: true}", "[1]", "{decoder: true, ctc: true, lm: true}"]
)
def test_heads_without_meaning_are_refused(heads: str, tmp_path: Path) -> None:
    Recognizer.build(parts(0.3), TOKENIZER, "none/1").save(tmp_path)
    path = tmp_path / "config.yaml"
    lines = path.read_text().split("heads:")
    path.write_text(f"{lines[0]}heads: {heads}\n")
    with pytest.raises(LasasrError, match="heads must hold decoder and ctc"):
        Recognizer.load(tmp_path)


def test_what_is_no_loss_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"FbankFrontend; loss takes a subclass of lasasr\.losses\.base\.Loss"):
        factory.loss({"_target_": "lasasr.audio.fbank_frontend.FbankFrontend"}, 1)


def test_utterances_that_are_not_finite_are_told_apart() -> None:
    module = training(0.3).eval()
    data = batch([1, 2])
    features, frames = module.recognizer.frontend(data.waveforms, data.waveform_lengths)
    broken = features.clone()
    broken[1, : frames[1]] = float("nan")
    terms = module.loss.terms(RecognizerStep(module.recognizer, data, broken, frames, update=0))
    assert terms.of_utterance.isfinite().tolist() == [True, False]
    assert replace(data).ids[1] == "utterance-2"


def test_a_head_that_is_asked_for_and_absent_is_said() -> None:
    module = training(1.0)
    step = step_of(module, batch([1]))
    assert step.logits is None
    assert step.weights is None
    with pytest.raises(ValueError, match="hypotheses need a decoder"):
        step.hypotheses(2)
    with pytest.raises(ValueError, match="without a decoder"):
        step.forced(torch.zeros(1, 1, dtype=torch.int64), torch.ones(1, dtype=torch.int64))
    tensor: Tensor | None = step.ctc_log_probs
    assert tensor is not None
