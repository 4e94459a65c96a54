"""The dev loss is the training loss of the whole split at once, however it is cut into batches and ranks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from fit_tiny import fit_tiny
from loaded import language
from training_tiny import batch, training

from lasasr.cli.compose import compose
from lasasr.errors import UsageError
from lasasr.evaluation.outcome import outcomes
from lasasr.losses.base import Terms
from lasasr.training import lm_run
from lasasr.training.dev_loss import DevLoss
from lasasr.training.module import Training

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's advice
NUMBERS = range(8)  # the utterances of fit_tiny's dev


def by_hand(module: Training, step: int) -> dict[str, float]:
    """All utterances in one batch, through the model and the loss without a step's view."""
    whole = batch(NUMBERS)
    with torch.no_grad():
        features, frames = module.recognizer.frontend(whole.waveforms, whole.waveform_lengths)
        output = module.recognizer.model(features, frames, whole.tokens, whole.token_lengths)
        scores = output.logits, output.ctc_log_probs, output.encoded_lengths
        losses: Any = module.loss(*scores, whole.tokens, whole.token_lengths, step)
    return {"loss": float(losses.total), "loss_attention": float(losses.attention), "loss_ctc": float(losses.ctc)}


def test_the_card_has_the_loss_of_the_whole_split_per_token(tmp_path: Path) -> None:
    fitted = fit_tiny(tmp_path, "logger=none", "trainer.max_epochs=1", "checkpoint.final=last")
    module = fitted.trainer.lightning_module
    assert isinstance(module, Training)
    expected = by_hand(module.cpu().eval(), fitted.trainer.global_step)
    last = fitted.validations[-1]
    assert {name: last[name] for name in expected} == pytest.approx(expected, rel=1e-5)


def test_decoding_what_was_encoded_for_the_loss_is_decoding() -> None:
    module = training().eval()
    data = batch(NUMBERS)
    module.validation_step(data, 0)
    again = outcomes(module.recognizer, data)
    assert [one.best.tokens for one in module.outcomes] == [one.best.tokens for one in again]
    assert [one.best.score for one in module.outcomes] == pytest.approx([one.best.score for one in again], rel=1e-6)


def terms(total: float, divisor: int) -> Terms:
    one = torch.tensor(total)
    return Terms(one, torch.tensor(divisor), {"part": 2 * one}, one[None])


def test_ranks_add_up_also_one_without_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    alone, here, other = DevLoss(), DevLoss(), DevLoss()
    for total, divisor in ((3.0, 2), (5.0, 7), (1.0, 4)):
        alone.add(terms(total, divisor))
    here.add(terms(3.0, 2))
    here.add(terms(5.0, 7))
    other.add(terms(1.0, 4))
    assert alone.means() == {"loss": 9 / 13, "loss_part": 18 / 13}
    for shares in ((here, other), (alone, DevLoss())):
        gathering(monkeypatch, shares)
        assert [share.means() for share in shares] == [alone.means()] * 2


def gathering(monkeypatch: pytest.MonkeyPatch, shares: tuple[DevLoss, ...]) -> None:
    """torch.distributed with a rank for each share."""
    everybody = [share.share() for share in shares]
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: len(shares))
    monkeypatch.setattr(
        torch.distributed, "all_gather_object", lambda into, own: into.__setitem__(slice(None), everybody)
    )


def test_a_loss_that_is_not_finite_is_said_and_the_card_stays_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(DevLoss, "means", lambda _: {"loss": math.nan, "loss_ctc": 1.5})
    fitted = fit_tiny(tmp_path, "logger=none", "trainer.max_epochs=1")
    assert "loss" not in fitted.validations[-1]
    assert fitted.validations[-1]["loss_ctc"] == 1.5
    assert "warning: not finite at step 4, left out: dev/loss\n" in capsys.readouterr().err


@pytest.mark.parametrize("share", ["1", "0.5", "10"])
def test_perplexities_are_of_whole_splits(share: str) -> None:
    with pytest.raises(UsageError, match=f"trainer.limit_val_batches={share}: perplexities are of whole splits"):
        lm_run.check(language(**compose("lm/synthetic_char", [f"+trainer.limit_val_batches={share}"])))
    lm_run.check(language(**compose("lm/synthetic_char", ["+trainer.limit_val_batches=1.0"])))
