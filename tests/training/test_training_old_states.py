"""Callbacks go on counting from the states that checkpoints of 0.1.0 hold, under the names that they have there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from training_tiny import Data, trainer, training

from lasasr.training.checkpoints import LAST
from lasasr.training.lm_metric_logger import LMMetricLogger
from lasasr.training.metric_logger import MetricLogger

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's advice
RUNS = Path(__file__).parents[1] / "data" / "v0_1_0" / "work" / "runs"
LONG_S = 1e6  # longer than any session of a test


class SecondsOnly(LMMetricLogger):
    """What a language model logs is not there: the training below is a recognizer's."""

    def on_train_batch_end(self, *_: Any) -> None:
        pass


def old_states(task: str) -> dict[str, Any]:
    """The callbacks' states in a checkpoint of 0.1.0, with more seconds trained than a test takes."""
    path = sorted((RUNS / task).rglob(LAST))[0]
    states: dict[str, Any] = torch.load(path, weights_only=True)["callbacks"]
    return {name: {**state, "elapsed_s": LONG_S} if "elapsed_s" in state else state for name, state in states.items()}


def resume(folder: Path, callback: pl.Callback, states: dict[str, Any]) -> None:
    """Train for an epoch, give its checkpoint `states`, and go on from it for one more."""
    first, path = trainer(folder, [], max_epochs=1), folder / LAST
    first.fit(training(), Data())
    first.save_checkpoint(path)
    torch.save({**torch.load(path, weights_only=True), "callbacks": states}, path)
    trainer(folder, [callback], max_epochs=2).fit(training(), Data(), ckpt_path=path, weights_only=True)


def test_training_of_a_recognizer_goes_on_counting(tmp_path: Path) -> None:
    states, logger = old_states("synthetic"), MetricLogger(every_steps=1000)
    states["Meter"]["infeasible"] = ["too-short"]
    resume(tmp_path, logger, states)
    assert logger.elapsed_s > LONG_S
    assert "too-short" in logger.infeasible


def test_training_of_a_language_model_goes_on_counting(tmp_path: Path) -> None:
    logger = SecondsOnly(every_steps=1000)
    resume(tmp_path, logger, old_states("lm"))
    assert logger.elapsed_s > LONG_S
