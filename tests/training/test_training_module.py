"""The update that is made: what normalises it, and what refuses it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from quiet import QUIET
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader
from training_tiny import batch, training

from lasasr.audio.fbank_frontend import FbankFrontend
from lasasr.data.batch import Batch
from lasasr.errors import DivergenceError
from lasasr.training.module import Training
from lasasr.training.non_finite_guard import MOST_IN_A_ROW


def fit(
    module: Training,
    batches: Iterable[Batch],
    accumulated: int = 1,
    clip: float | None = None,
    folder: Path | None = None,
) -> Training:
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=1,
        accumulate_grad_batches=accumulated,
        gradient_clip_val=clip,
        default_root_dir=folder,
        enable_checkpointing=False,
        **QUIET,
    )
    trainer.fit(module, DataLoader(list(batches), batch_size=None))  # type: ignore[arg-type]
    return module


def difference(one: Training, other: Training) -> float:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return max(float((a - b).abs().max()) for a, b in pairs)


def longer(one: Batch, row: int, repeats: int) -> Batch:
    """The batch with an utterance whose tokens stand there `repeats` times."""
    texts = [one.tokens[b, :length] for b, length in enumerate(one.token_lengths.tolist())]
    texts[row] = texts[row].repeat(repeats)
    tokens = pad_sequence(texts, batch_first=True)
    return replace(one, tokens=tokens, token_lengths=torch.tensor([len(text) for text in texts]))


@pytest.mark.parametrize("repeats", [1, 20])  # 20 times: more tokens than frames, so that CTC has no path
def test_accumulated_batches_make_the_update_of_their_union(repeats: int) -> None:
    start, whole, parts = training(), fit(training(), [longer(batch(range(7)), 1, repeats)]), training()
    fit(parts, [longer(batch([0, 1]), 1, repeats), batch([2, 3, 4, 5, 6])], accumulated=2)
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


def broken_features(monkeypatch: pytest.MonkeyPatch, longest: int) -> None:
    """NaN in the second utterance of every batch that is no longer than so many samples."""
    plain: Any = FbankFrontend.forward

    def forward(
        self: FbankFrontend, waveforms: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        features, frames = plain(self, waveforms, lengths)
        if waveforms.shape[1] <= longest:
            features[1, 0] = torch.nan
        return features, frames

    monkeypatch.setattr(FbankFrontend, "forward", forward)


def test_an_update_whose_loss_is_not_finite_is_left_out_and_its_batch_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good = batch([2, 3]), batch([4, 5, 6])
    expected = fit(training(), [good, good], folder=tmp_path)
    broken_features(monkeypatch, bad.waveforms.shape[1])
    found = fit(training(), [bad, good, bad, good], folder=tmp_path)
    assert difference(expected, found) == 0.0
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert all("utterance-3" in line and "utterance-2" not in line for line in said)
    (kept,) = torch.load(tmp_path / "refused" / "step-2-rank-0.pt", weights_only=True)
    assert kept["ids"] == bad.ids
    assert torch.equal(kept["waveforms"], bad.waveforms)


@pytest.mark.parametrize("accumulated", [1, 2])
def test_losses_that_stay_not_finite_end_training_and_name_the_utterance(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, accumulated: int
) -> None:
    bad = batch([2, 3])
    broken_features(monkeypatch, bad.waveforms.shape[1])
    module = training()
    before = [p.detach().clone() for p in module.parameters()]
    with pytest.raises(DivergenceError, match=f"utterance-3.*{MOST_IN_A_ROW} times in a row") as caught:
        fit(module, [batch([5, 6]), bad][-accumulated:] * 9, accumulated, folder=tmp_path)
    assert "utterance-2" not in str(caught.value)
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
    assert len(list((tmp_path / "refused").iterdir())) == MOST_IN_A_ROW


def test_a_gradient_that_is_not_finite_is_refused_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module, start = training(), training()
    next(module.parameters()).register_hook(lambda gradient: gradient * torch.inf)
    fit(module, [batch([2, 3])], folder=tmp_path)
    assert difference(module, start) == 0.0
    assert "the gradient is not" in capsys.readouterr().err
    (kept,) = torch.load(tmp_path / "refused" / "step-0-rank-0.pt", weights_only=True)
    assert kept["ids"] == ("utterance-2", "utterance-3")


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


def test_what_a_batch_draws_depends_on_seed_epoch_and_batch_alone() -> None:
    """So a resumed run draws what the uninterrupted one draws, whatever was drawn before."""
    module = training()

    def drawn(one: Batch, past: int) -> torch.Tensor:
        torch.manual_seed(past)
        module.on_train_batch_start(one, 0)
        return torch.rand(4)

    first, second = batch([0, 1]), batch([2, 3])
    assert torch.equal(drawn(first, past=1), drawn(first, past=2))
    assert not torch.equal(drawn(first, past=1), drawn(second, past=1))
    assert not torch.equal(drawn(first, past=1), drawn(replace(first, epoch=1), past=1))
    expected = drawn(first, past=1)
    module.seed += 1
    assert not torch.equal(drawn(first, past=1), expected)
