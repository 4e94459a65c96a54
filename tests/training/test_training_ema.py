"""The moving average of the weights."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from quiet import QUIET
from torch import Tensor
from torch.utils.data import DataLoader
from training_tiny import batch, training

from lasasr.errors import UsageError
from lasasr.training.ema import MovingAverage
from lasasr.training.module import Training

DECAY = 0.6


class Watch(pl.Callback):
    """Notes the weights after every update, and those that validation decodes with."""

    def __init__(self) -> None:
        self.trained: list[dict[str, Tensor]] = []
        self.validated: dict[str, Tensor] = {}

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: Any) -> None:
        if trainer.global_step > len(self.trained):
            self.trained.append(weights(pl_module))

    def on_validation_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *rest: Any) -> None:
        self.validated = weights(pl_module)


def weights(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.named_parameters()}


def fit(epochs: int, callbacks: list[Any], resume: Path | None = None) -> Training:
    module = training()
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        accumulate_grad_batches=2,
        callbacks=callbacks,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        **QUIET,
    )
    batches: Any = DataLoader([batch([0, 1]), batch([2, 3]), batch([4]), batch([5, 6])], batch_size=None)  # type: ignore[arg-type]
    trainer.fit(module, batches, batches, ckpt_path=resume, weights_only=True)
    return module


class Save(pl.Callback):
    """Saves after the second of the epochs."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == 1:
            trainer.save_checkpoint(self.path)


def test_it_is_the_recursion_and_validation_and_the_end_see_it() -> None:
    watch = Watch()
    module = fit(3, [MovingAverage(DECAY), watch])
    assert len(watch.trained) == 6
    for name, found in weights(module).items():
        average = watch.trained[0][name].double()
        for count, after in enumerate(watch.trained[1:], start=1):
            decay = min(DECAY, (1 + count) / (10 + count))
            average = decay * average + (1 - decay) * after[name].double()
        torch.testing.assert_close(found, average.float(), atol=1e-6, rtol=1e-5)
        assert torch.equal(found, watch.validated[name])
    assert any(not torch.equal(found, watch.trained[-1][name]) for name, found in weights(module).items())


def test_after_every_update_it_is_the_sum_that_its_definition_gives() -> None:
    """average_n = Σ_m (1 − d_m)·Π_{l > m} d_l · weights_m with d_1 = 0 and d_n = min(decay, n / (9 + n)), by hand."""
    model, callback = torch.nn.Linear(1, 1, bias=False), MovingAverage(DECAY)
    average = torch.optim.swa_utils.AveragedModel(model, use_buffers=False, **callback._kwargs)
    trained, decays = [], []
    for n in range(1, 31):
        trained.append(torch.nn.init.normal_(model.weight).item())
        average.update_parameters(model)
        decays.append(0.0 if n == 1 else min(DECAY, n / (9 + n)))
        shares = [(1 - decays[m]) * math.prod(decays[m + 1 :]) for m in range(n)]
        assert sum(shares) == pytest.approx(1.0)
        expected = sum(share * weight for share, weight in zip(shares, trained, strict=True))
        assert average.module.weight.item() == pytest.approx(expected, abs=1e-6)
    assert decays[1:3] == [2 / 11, 3 / 12]
    assert decays[12] < decays[13] == decays[-1] == DECAY


def test_training_itself_does_not_notice() -> None:
    plain, averaged = Watch(), Watch()
    fit(2, [plain])
    fit(2, [MovingAverage(DECAY), averaged])
    for one, other in zip(plain.trained, averaged.trained, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_checkpoint_holds_the_average_as_its_weights_and_resumes_exactly(tmp_path: Path) -> None:
    whole, rest = Watch(), Watch()
    end = fit(3, [MovingAverage(DECAY), whole, Save(tmp_path / "last.ckpt")])
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)
    after_four = whole.trained[3]
    assert all(torch.equal(saved["current_model_state"][name], value) for name, value in after_four.items())
    assert any(not torch.equal(saved["state_dict"][name], value) for name, value in after_four.items())
    again = fit(3, [MovingAverage(DECAY), rest], resume=tmp_path / "last.ckpt")
    assert all(torch.equal(value, weights(again)[name]) for name, value in weights(end).items())
    assert all(torch.equal(value, whole.trained[-1][name]) for name, value in rest.trained[-1].items())


@pytest.mark.parametrize("decay", [0.0, 1.0, -0.5, 999.0])
def test_a_decay_outside_its_range_is_refused(decay: float) -> None:
    with pytest.raises(UsageError, match="ema must be null or a decay between 0 and 1"):
        MovingAverage(decay)
