"""MWER of a real model: each attention, the errors that evaluation counts, and the warning of a poor model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest
import torch
from shipped_parts import names, part
from tiny_recognizer import parts
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from training_tiny import batch, training

from lasasr.losses.base import Loss, Nbest
from lasasr.losses.joint import JointLoss
from lasasr.losses.mwer import LEAST_LONGEST, LONGEST_PER_TOKEN, MWERLoss
from lasasr.metrics.error_rates import compare
from lasasr.models import factory
from lasasr.models.recognizer import Recognizer
from lasasr.text import special
from lasasr.text.character import CharacterTokenizer
from lasasr.training import converged
from lasasr.training.module import Training
from lasasr.training.step import RecognizerStep

LOSS = MWERLoss(nbest=3, cross_entropy_weight=0.01, ctc_weight=0.3, label_smoothing=0.1, prior="even")
OF_DECODER = MWERLoss(nbest=3, cross_entropy_weight=0.01, ctc_weight=0.0)  # CTC is computed in float32


class OfList(RecognizerStep):
    """A step with the n best of an earlier one, for the list itself has no derivative."""

    nbest: Nbest

    def hypotheses(self, beam: int, longest: Tensor | None = None) -> Nbest:
        return self.nbest


def double_step(module: Training, nbest: Nbest | None = None) -> RecognizerStep:
    data = batch([1, 2, 3])
    features, frames = module.recognizer.frontend(data.waveforms, data.waveform_lengths)
    if nbest is None:
        return RecognizerStep(module.recognizer, data, features.double(), frames, update=0)
    step = OfList(module.recognizer, data, features.double(), frames, update=0)
    step.nbest = nbest
    return step


@pytest.mark.parametrize("attend", names("attend"))
def test_gradients_through_each_attention_are_those_of_finite_differences(attend: str) -> None:
    # a hard decision passes the gradient of the expected one on, which is not its own
    options = {"hard": 0.0} if attend in ("mocha", "monotonic") else {}
    module = training(0.0, attend={**part("attend", attend), **options})
    module.recognizer.model.double().train()
    nbest = double_step(module).hypotheses(3)
    parameters = [p for p in module.recognizer.model.parameters() if p.requires_grad]
    direction = [torch.randn(p.shape, generator=torch.Generator().manual_seed(4)).double() for p in parameters]

    def value() -> Tensor:
        torch.manual_seed(5)  # some attentions draw
        return OF_DECODER.terms(double_step(module, nbest)).total

    gradients = torch.autograd.grad(value(), parameters, allow_unused=True)
    slope = sum(float((g * d).sum()) for g, d in zip(gradients, direction, strict=True) if g is not None)

    def moved(by: float) -> float:
        with torch.no_grad():
            torch._foreach_add_(parameters, direction, alpha=by)
            result = float(value())
            torch._foreach_sub_(parameters, direction, alpha=by)
        return result

    step = 1e-6
    assert slope == pytest.approx((moved(step) - moved(-step)) / (2 * step), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("metric", [None, "cer"])
def test_errors_are_those_of_the_evaluation(metric: Literal["cer"] | None) -> None:
    tokenizer = CharacterTokenizer.train(["ab cd"])
    recognizer = Recognizer.build(parts(0.3), tokenizer, "none/1")
    references, texts = ["ab cd", "a", "dd c ab"], ["a b c", "dd", "", "abcd ab"]
    data = replace(batch([1, 2, 3]), texts=tuple(references))
    encoded = [torch.tensor(tokenizer.encode(text), dtype=torch.int64) for text in texts]
    rows, sizes = [0, 2, 1, 2], torch.tensor(list(map(len, encoded)))
    step = RecognizerStep(recognizer, data, data.waveforms, data.waveform_lengths, update=0)
    counted = step.errors(pad_sequence(encoded, batch_first=True), sizes, torch.tensor(rows), metric)
    expected = [compare(references[row], text, metric or "wer").errors for row, text in zip(rows, texts, strict=True)]
    assert counted.tolist() == expected


@pytest.mark.parametrize("name", ["mwer", "distillation", "distillation_texts"])
def test_scheduled_sampling_is_about_what_reads_the_reference(name: str) -> None:
    module, data = training(0.3).train(), batch([1, 2, 3])
    loss = factory.loss({**part("loss", name), "label_smoothing": 0.1, "prior": "even"}, 1).train()
    vocabulary_size = module.recognizer.tokenizer.vocabulary_size
    data = replace(data, taught=loss.pretend_taught(data.tokens, data.token_lengths, vocabulary_size))
    features, frames = module.recognizer.frontend(data.waveforms, data.waveform_lengths)
    sums = []
    for sampling in (0.0, 1.0):
        torch.manual_seed(3)
        terms = loss.terms(RecognizerStep(module.recognizer, data, features, frames, 0, sampling))
        assert bool(terms.total.isfinite())
        sums.append({key: float(value) for key, value in terms.sums.items()})
    plain, sampled = sums
    assert plain["attention"] != sampled["attention"]
    own = {"mwer": "expected_errors", "distillation": "distillation", "distillation_texts": "distillation"}[name]
    assert (plain[own] != sampled[own]) is (name == "distillation")  # which is of the same logits
    assert plain["ctc"] == sampled["ctc"]


def test_no_hypothesis_is_longer_than_its_own_utterance_allows() -> None:
    module, data = training(0.0), batch([1, 2, 3])
    with torch.no_grad():
        module.recognizer.model.decoder.output.bias[special.EOS] = -50.0  # it never ends by itself
    features, frames = module.recognizer.frontend(data.waveforms, data.waveform_lengths)
    step = RecognizerStep(module.recognizer, data, features, frames, update=0)
    longest = torch.tensor([1, 4, 2])
    assert step.hypotheses(3, longest).token_lengths.tolist() == [[size] * 3 for size in longest.tolist()]
    asked: list[list[int]] = []

    class Notes(RecognizerStep):
        def hypotheses(self, beam: int, longest: Tensor | None = None) -> Nbest:
            assert longest is not None
            asked.append(longest.tolist())
            return super().hypotheses(beam, longest)

    OF_DECODER.terms(Notes(module.recognizer, data, features, frames, update=0))
    assert asked == [[LEAST_LONGEST + LONGEST_PER_TOKEN * size for size in data.token_lengths.tolist()]]


def test_an_utterance_that_is_not_finite_is_named_by_its_own_loss() -> None:
    module, data = training(0.3).eval(), batch([1, 2])
    features, frames = module.recognizer.frontend(data.waveforms, data.waveform_lengths)
    broken = features.clone()
    broken[1, : frames[1]] = float("nan")
    terms = LOSS.terms(RecognizerStep(module.recognizer, data, broken, frames, update=0))
    assert terms.of_utterance.isfinite().tolist() == [True, False]


class Dev:
    """The three utterances of `batch` as a dev set."""

    def dataset(self, split: str, sample_rate_hz: int) -> Any:
        assert split == "dev"
        return self

    durations_s = torch.ones(3).numpy()

    def __getitem__(self, request: Any) -> Any:
        return batch([number + 1 for number in request.indices])


@pytest.mark.parametrize(("loss", "warned"), [(LOSS, True), (JointLoss(ctc_weight=0.3), False)])
def test_a_model_that_recognizes_nothing_is_warned_of(loss: Loss, warned: bool) -> None:
    recognizer = training(0.3).recognizer.train()
    (line, *_) = [*converged.warnings(loss, recognizer, Dev()), ""]  # type: ignore[arg-type]
    assert recognizer.training
    assert ("MWERLoss is for a model that recognizes already, and this one has" in line) is warned
    assert ("warm_start.parts=[encoder,decoder,ctc]" in line) is warned


def test_a_model_that_recognizes_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    recognizer = training(0.3).recognizer
    texts = batch([1, 2, 3]).texts

    def perfect(recognizer: Any, data: Any) -> Any:
        from lasasr.evaluation.outcome import Outcome
        from lasasr.search.hypothesis import Hypothesis

        return [
            Outcome("", "", 1.0, text, [Hypothesis((), 0.0)], compare(text, text, "wer"), compare(text, text, "cer"))
            for text in texts
        ]

    monkeypatch.setattr(converged, "outcomes", perfect)
    assert [*converged.warnings(LOSS, recognizer, Dev())] == []  # type: ignore[arg-type]
