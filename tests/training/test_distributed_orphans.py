"""What started two ranks is killed: they and their loaders' workers end within 10 s, and the run goes on from there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ranks import TORCHRUN, TRAIN, TWO, alive, run_folder, started

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")]
PATIENCE_S = 10.0
LASASR = (sys.executable, "-m", "lasasr")
LONG = ("trainer.max_epochs=200", "loading.num_workers=1")


def below(process: int) -> list[int]:
    """Children, and theirs."""
    children = list(map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()))
    return [each for child in children for each in (child, *below(child))]


def await_validation(process: subprocess.Popen[str], epoch: str) -> None:
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if re.search(rf"epoch +{epoch} .* dev WER", line):
            return
    raise AssertionError("".join(said))


@pytest.mark.parametrize("launcher", ["torchrun", "lightning"])
def test_ranks_end_with_what_started_them(environment: dict[str, str], tmp_path: Path, launcher: str) -> None:
    own = (*LASASR, "train", "synthetic/las_char", *TWO, "trainer.devices=2")
    process = started((*(TRAIN if launcher == "torchrun" else own), *LONG), environment, LASASR_RUNS=str(tmp_path))
    await_validation(process, epoch="1")
    ranks_and_workers = below(process.pid)
    assert len(ranks_and_workers) >= (4 if launcher == "torchrun" else 3)
    process.kill()
    killed = time.monotonic()
    while any(map(alive, ranks_and_workers)) and time.monotonic() - killed < PATIENCE_S:
        time.sleep(0.05)
    assert not list(filter(alive, ranks_and_workers))
    out, err = process.communicate(timeout=30)
    assert "lasasr:" not in out + err
    folder = run_folder(tmp_path)
    card = json.loads((folder / "card.json").read_text())
    assert card["status"] == "unfinished"
    resume = (*TORCHRUN, "train", "--resume") if launcher == "torchrun" else (*LASASR, "train", "--resume")
    resumed = started((*resume, str(folder)), environment)
    await_validation(resumed, epoch=r"\d+")
    resumed.kill()
    resumed.communicate(timeout=30)
