"""The update that is made: what normalises it, and what refuses it."""

from __future__ import annotations

from collections.abc import Iterable

import lightning.pytorch as pl
import pytest
import torch
from torch.utils.data import DataLoader
from training_tiny import batch, training

from lasasr.audio.frontend import Frontend
from lasasr.data.batch import Batch
from lasasr.errors import LasasrError
from lasasr.training.module import Training


def fit(module: Training, batches: Iterable[Batch], accumulated: int = 1, clip: float | None = None) -> Training:
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=1,
        accumulate_grad_batches=accumulated,
        gradient_clip_val=clip,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(list(batches), batch_size=None))  # type: ignore[arg-type]
    return module


def difference(one: Training, other: Training) -> float:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return max(float((a - b).abs().max()) for a, b in pairs)


def test_accumulated_batches_make_the_update_of_their_union() -> None:
    start, whole, parts = training(), fit(training(), [batch(range(7))]), training()
    fit(parts, [batch([0, 1]), batch([2, 3, 4, 5, 6])], accumulated=2)
    assert difference(start, whole) > 1e-3
    assert difference(whole, parts) < 2e-6


def test_the_gradient_is_that_of_the_mean_over_target_tokens() -> None:
    module, reference, data = training(), training(), batch(range(5))
    features, frames = reference.recognizer.frontend(data.waveforms, data.waveform_lengths)
    output = reference.recognizer.model(features, frames, data.tokens, data.token_lengths)
    loss = reference.loss(
        output.logits, output.ctc_log_probs, output.encoded_lengths, data.tokens, data.token_lengths
    ).total
    loss.backward()
    expected = [p - 0.5 * p.grad for p in reference.parameters() if p.grad is not None]
    fit(module, [data])
    for found, wanted in zip(module.parameters(), expected, strict=True):
        torch.testing.assert_close(found, wanted, atol=2e-6, rtol=1e-4)


def test_clipping_bounds_the_update_by_norm() -> None:
    start, clipped = training(), fit(training(), [batch(range(5))], clip=0.01)
    moved = torch.cat([(a - b).flatten() for a, b in zip(start.parameters(), clipped.parameters(), strict=True)])
    assert float(moved.norm()) == pytest.approx(0.5 * 0.01, rel=1e-3)


def test_a_loss_that_is_not_finite_stops_training_and_names_the_utterance(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Frontend.forward

    def broken(self: Frontend, waveforms: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features, frames = plain(self, waveforms, lengths)
        features[1, 0] = torch.nan
        return features, frames

    monkeypatch.setattr(Frontend, "forward", broken)
    module = training()
    before = [p.detach().clone() for p in module.parameters()]
    with pytest.raises(LasasrError, match="utterance-3") as caught:
        fit(module, [batch([2, 3, 4])])
    assert "utterance-2" not in str(caught.value)
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))


@pytest.mark.parametrize("noise", [0.0, 1.0])  # without noise the two halves of a batch are spelled in two threads
def test_the_quantity_loss_teaches_monotonic_attention_to_select(noise: float) -> None:
    attend = {"_target_": "lasasr.attend.monotonic.MonotonicAttention", "_partial_": True, "dim": 4, "noise": noise}
    plain, taught = training(attend=attend), training(attend=attend)
    taught.loss.quantity_weight = 1e3

    def selected(module: Training) -> float:
        data = batch(range(4))
        features, frames = module.recognizer.frontend(data.waveforms, data.waveform_lengths)
        torch.manual_seed(0)
        weights = module.recognizer.model.train()(features, frames, data.tokens, data.token_lengths).weights
        return float(weights.sum())

    start = selected(plain)
    fit(plain, [batch(range(4))] * 2, clip=1.0)
    fit(taught, [batch(range(4))] * 2, clip=1.0)
    assert selected(taught) > max(start, selected(plain))
