"""A signal to any one of two ranks: all save once and stop; continued, they end as if nothing had happened."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from ranks import TORCHRUN, TRAIN, alive, process_of_rank, run_folder, started

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")]


def last(folder: Path) -> dict[str, Any]:
    saved: dict[str, Any] = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return saved


@pytest.fixture(scope="module")
def whole(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an uninterrupted run on two ranks."""
    runs = tmp_path_factory.mktemp("whole")
    process = started(TRAIN, environment, LASASR_RUNS=str(runs))
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err
    return run_folder(runs)


@pytest.mark.parametrize(
    ("number", "rank"), [(signal.SIGTERM, 1), (signal.SIGUSR1, 0), (signal.SIGINT, None), (signal.SIGTERM, None)]
)
def test_all_ranks_save_and_stop_and_go_on(
    environment: dict[str, str], whole: Path, tmp_path: Path, number: signal.Signals, rank: int | None
) -> None:
    process = started(TRAIN, environment, LASASR_RUNS=str(tmp_path))
    assert process.stderr is not None
    for line in process.stderr:
        if re.search(r"epoch +1 ", line):
            break
    ranks = [process_of_rank(process.pid, one) for one in (0, 1)]
    if rank is None:
        os.killpg(process.pid, number)  # as a terminal does, or a scheduler
    else:
        os.kill(ranks[rank], number)
    _, err = process.communicate(timeout=120)
    assert process.returncode != 0
    assert not any(map(alive, ranks))
    assert err.count("saved; go on with: lasasr train --resume") == 1, err
    if rank is not None:  # torchrun tells each rank's status; a signal that it gets itself it does not outlive
        assert re.search(rf"exitcode *: {128 + number} ", err), err
    folder = run_folder(tmp_path)
    stopped_at = last(folder)["global_step"]
    resumed = started((*TORCHRUN, "train", "--resume", str(folder)), environment)
    out, err = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, out + err
    expected, found = last(whole), last(folder)
    assert 0 < stopped_at < found["global_step"] == expected["global_step"]
    assert all(torch.equal(value, found["state_dict"][name]) for name, value in expected["state_dict"].items())
    cards = [json.loads((one / "card.json").read_text()) for one in (whole, folder)]
    assert cards[0]["validations"] == cards[1]["validations"]
    bundles = [(one / "bundle" / "model.safetensors").read_bytes() for one in (whole, folder)]
    assert bundles[0] == bundles[1]
