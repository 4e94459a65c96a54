"""A step whose heads are computed in pieces against the same step with whole outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils import parametrize
from training_tiny import batch, training

from lasasr.adapt.lora import LowRank
from lasasr.data.batch import Batch
from lasasr.losses.base import Loss
from lasasr.losses.distillation import DistillationLoss
from lasasr.losses.joint import JointLoss
from lasasr.losses.mwer import MWERLoss
from lasasr.models.recognizer import Recognizer
from lasasr.nn import concurrent, pieces
from lasasr.training.step import RecognizerStep

SPELL: dict[str, Any] = {
    "_target_": "lasasr.spell.recurrent.RecurrentDecoder",
    "_partial_": True,
    "hidden_dim": 7,
    "embedding_dim": 6,
}
CHANGES: Mapping[str, dict[str, Any]] = {
    "plain": {},
    "no decoder": {"ctc_weight": 1.0},
    "no CTC": {"ctc_weight": 0.0},
    "tied": {"spell": SPELL | {"readout_dim": 6, "tied_embeddings": True}},
    "input feeding": {"spell": SPELL | {"readout_dim": 6, "input_feeding": True}},
    "intermediate": {
        "loss": {
            "_target_": "lasasr.losses.joint.JointLoss",
            "ctc_weight": 0.4,
            "intermediate_ctc_weight": 0.3,
        },
        "listen": {
            "_target_": "lasasr.listen.transformer.TransformerEncoder",
            "_partial_": True,
            "hidden_dim": 8,
            "layers": 2,
            "heads": 2,
            "feedforward_dim": 8,
            "intermediate_layers": [1],
            "dropout": 0.0,
        },
    },
}


@pytest.fixture(params=[1, 2])
def cores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(concurrent, "cores_per_process", lambda: request.param)
    return int(request.param)


def differentiated(
    recognizer: Recognizer, loss: Loss, large: bool, monkeypatch: pytest.MonkeyPatch
) -> tuple[RecognizerStep, dict[str, Tensor]]:
    """The step, its sums, losses of utterances, and the gradients of all weights."""
    monkeypatch.setattr(pieces, "LARGE", 2 if large else 1000)
    monkeypatch.setattr(pieces, "ELEMENTS", 30)
    recognizer.zero_grad()
    tiny = batch([0, 1, 4])
    taught = loss.pretend_taught(tiny.tokens, tiny.token_lengths, recognizer.tokenizer.vocabulary_size)
    whole = Batch(**(vars(tiny) | {"taught": taught}))
    features, frames = recognizer.encoder_input(whole.waveforms, whole.waveform_lengths)
    step = RecognizerStep(recognizer, whole, features, frames, 0)
    assert (step.pieces is not None) == large
    terms = loss.terms(step)
    terms.total.backward()  # type: ignore[no-untyped-call]
    gradients = {name: weight.grad for name, weight in recognizer.named_parameters() if weight.grad is not None}
    return step, {"total": terms.total, "utterances": terms.of_utterance, **terms.sums, **gradients}


def same(recognizer: Recognizer, loss: Loss, monkeypatch: pytest.MonkeyPatch) -> RecognizerStep:
    step, in_pieces = differentiated(recognizer, loss, True, monkeypatch)
    other, whole = differentiated(recognizer, loss, False, monkeypatch)
    assert in_pieces.keys() == whole.keys()
    for name, value in whole.items():
        torch.testing.assert_close(
            in_pieces[name], value, rtol=1e-5, atol=1e-6, msg=lambda text, n=name: f"{n}: {text}"
        )
    for ours, theirs in ((step.weights, other.weights), (step.logits, other.logits)):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            torch.testing.assert_close(ours, theirs)
    return step


def prepared(loss: Loss, recognizer: Recognizer) -> Loss:
    loss.prepare(torch.arange(1, recognizer.tokenizer.vocabulary_size + 1))
    return loss


def recognizer_of(**changes: Any) -> Recognizer:
    return training(**changes).recognizer


@pytest.mark.parametrize("change", CHANGES)
def test_the_joint_loss_and_all_gradients_are_those_of_whole_outputs(
    cores: int, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = dict(CHANGES[change])
    recognizer = recognizer_of(**changes)
    options: dict[str, Any] = {"ctc_weight": changes.get("ctc_weight", 0.4), "label_smoothing": 0.1}
    if change == "intermediate":
        options["intermediate_ctc_weight"] = 0.3
    if change == "plain":
        options["quantity_weight"] = 0.2
    same(recognizer, prepared(JointLoss(**options), recognizer), monkeypatch)


@pytest.mark.parametrize(
    "make",
    [lambda: MWERLoss(nbest=2), lambda: DistillationLoss(teachers=["none"], most=3)],
    ids=["mwer", "taught"],
)
def test_losses_beside_it_read_whole_outputs_as_before(
    make: Callable[[], Loss], monkeypatch: pytest.MonkeyPatch
) -> None:
    recognizer = recognizer_of()
    same(recognizer, prepared(make(), recognizer), monkeypatch)


def test_an_adapted_readout_is_differentiated_in_its_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    recognizer = recognizer_of()
    assert recognizer.model.decoder is not None
    output: Any = recognizer.model.decoder.output
    parametrize.register_parametrization(output, "weight", LowRank(output.weight.detach(), 2, 2.0, 0.0))
    torch.nn.init.ones_(output.parametrizations.weight[0].b)
    loss = prepared(JointLoss(ctc_weight=0.4), recognizer)
    _, gradients = differentiated(recognizer, loss, True, monkeypatch)
    assert any(name.endswith("weight.0.a") for name in gradients)
    same(recognizer, loss, monkeypatch)

    output.parametrizations.weight[0].dropout.p = 0.5  # drawn in each use: the backward pass would draw others
    assert not recognizer.model.large_outputs


def test_hooks_see_an_output_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "LARGE", 2)
    recognizer = recognizer_of()
    assert recognizer.model.large_outputs
    head: Any = recognizer.model.ctc
    with head.output.register_forward_hook(lambda *arguments: None):
        assert not recognizer.model.large_outputs
    assert recognizer.model.large_outputs


def test_small_vocabularies_are_computed_as_a_whole() -> None:
    assert not recognizer_of().model.large_outputs
    assert not pieces.worth(1000)
    assert pieces.worth(10_000)
