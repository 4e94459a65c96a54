"""Two ranks and one that accumulates two batches: the same loss of every update, the same weights, the same card."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import updates_of_ranks
from training_tiny import training
from updates_of_ranks import FOUND, UNFIT, batches, updates

from lasasr.training.checkpoints import LAST

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
LOSSES = ("train/loss", "train/attention", "train/ctc")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two ranks have trained by torchrun and gloo."""
    made = tmp_path_factory.mktemp("ranks")
    launcher = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    paths = os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    variables = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    command = [*launcher, updates_of_ranks.__file__, str(made)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return made


def means_of_batches() -> list[float]:
    """The loss of each batch of the first update by itself, per target token of that batch."""
    module, found = training(), []
    for one in batches()[:2]:
        features, frames = module.recognizer.frontend(one.waveforms, one.waveform_lengths)
        output = module.recognizer.model(features, frames, one.tokens, one.token_lengths)
        scores = output.logits, output.ctc_log_probs, output.encoded_lengths
        found.append(float(module.loss(*scores, one.tokens, one.token_lengths).total.detach()))
    return found


def test_every_update_has_the_loss_and_makes_the_weights_that_one_rank_has(folder: Path, tmp_path: Path) -> None:
    two: dict[str, Any] = torch.load(folder / FOUND, weights_only=True)
    one = updates(tmp_path)
    assert len(one["metrics"]) == len(two["metrics"]) == len(batches()) / 2
    for alone, together in zip(one["metrics"], two["metrics"], strict=True):
        for name in (*LOSSES, "train/gradient_norm"):
            assert together[name] == pytest.approx(alone[name], rel=0, abs=1e-6)
    naive = sum(means_of_batches()) / 2  # the mistake that this would find: a mean of the ranks' means
    assert abs(naive - two["metrics"][0]["train/loss"]) > 1e-2
    for name, weights in one["weights"].items():
        torch.testing.assert_close(two["weights"][name], weights, rtol=0, atol=1e-6)


def test_the_first_rank_names_what_had_no_ctc_path_on_the_second(folder: Path) -> None:
    """At the end, while it is logged, and in a checkpoint from between."""
    found: dict[str, Any] = torch.load(folder / FOUND, weights_only=True)
    assert found["infeasible"] == [UNFIT]
    assert [one.get("train/infeasible_utterances") for one in found["metrics"]] == [None, 1.0, 1.0]
    saved = torch.load(folder / LAST, weights_only=True)
    assert 0 < saved["global_step"] < len(found["metrics"])
    assert saved["callbacks"]["Meter"]["infeasible"] == [UNFIT]
