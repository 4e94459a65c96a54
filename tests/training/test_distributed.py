"""Two ranks are one run: the same updates, one card, every utterance counted once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from commandline import TINY, Command

SAME = (*TINY, "trainer.max_epochs=1", "listen.dropout=0.1")  # later overrides win


def folder(runs: Path) -> Path:
    (found,) = (runs / "synthetic" / "las_char").iterdir()
    return found


@pytest.mark.slow
def test_two_ranks_make_the_run_of_one_that_accumulates_two_batches(
    lasasr: Command, new_lasasr: Command, tmp_path: Path
) -> None:
    """The second rank is started as the first was, from the command line: a forked process has none."""
    ranks = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")
    one, two = tmp_path / "one", tmp_path / "two"
    done = lasasr("train", "synthetic/las_char", *SAME, "trainer.accumulate_grad_batches=2", LASASR_RUNS=str(one))
    assert done.returncode == 0, done.stderr
    done = new_lasasr("train", "synthetic/las_char", *SAME, *ranks, LASASR_RUNS=str(two))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("run folder: /") == 1
    assert done.stderr.count("dev WER") == len(json.loads((folder(two) / "card.json").read_text())["validations"])
    cards, summaries, weights = [], [], []
    for runs in (one, two):
        cards.append(json.loads((folder(runs) / "card.json").read_text()))
        summaries.append(json.loads((folder(runs) / "results" / "test.json").read_text()))
        weights.append(torch.load(folder(runs) / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"])
        lines = (folder(runs) / "results" / "test.jsonl").read_text().splitlines()
        assert len({json.loads(line)["id"] for line in lines}) == len(lines) == 6
    for name in ("status", "steps", "infeasible_utterances"):
        assert cards[0][name] == cards[1][name]
    for name in ("errors", "substitutions", "deletions", "insertions", "reference_length", "utterances"):
        assert summaries[0][name] == summaries[1][name]
    # Adam's first updates are steps of the learning rate whatever the gradient; where that is almost 0, rounding turns
    # a few round. Other data, another order or other draws would move most weights.
    moved = torch.cat([((weights[1][name] - value).abs() > 1e-5).flatten() for name, value in weights[0].items()])
    assert float(moved.double().mean()) < 1e-3
