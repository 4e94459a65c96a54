"""What the probe says of the worst batch against what a training of it then takes, as the system counts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from doctor_corpus import RATE_HZ, Corpus, tone

SIZE, SECONDS = 12, 10.0
# without speed perturbation, so that every batch is the worst one
WORK = (
    "corpus=table",
    "augment=none",
    "batching=utterances",
    f"batching.max_utterances={SIZE}",
    "trainer.accelerator=cpu",
    "trainer.max_steps=3",
    "search=greedy",
    "evaluate.splits=[]",
)


def run(folder: Path, environment: dict[str, str], *arguments: str) -> float:
    """MiB of the largest process of a command of lasasr."""
    places = {"LASASR_PREPARED": str(folder / "prepared"), "LASASR_RUNS": str(folder / "runs")}
    command = [sys.executable, "-m", "lasasr", *arguments]
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(command, env=environment | places, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, (folder / "output").read_text()
    return usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the system does not count a process's memory")
def test_the_estimate_is_within_15_percent_of_what_training_takes(tmp_path: Path, environment: dict[str, str]) -> None:
    corpus = Corpus(tmp_path, (SIZE, 2, 2))
    for number, row in enumerate(corpus.rows["train"]):
        soundfile.write(corpus.audio(str(row["id"])), tone(number, SECONDS), RATE_HZ, subtype="PCM_16")
    corpus.plain()  # writes the tables
    tables = [f"corpus.{split}={tmp_path}/{split}.jsonl" for split in corpus.rows]
    recipe = ("synthetic/las_char", *WORK, *tables)
    run(tmp_path, environment, "doctor", *recipe, "--json", str(tmp_path / "report.json"))
    facts = json.loads((tmp_path / "report.json").read_text())["facts"]
    assert facts["batches"]["worst"] == [
        {"utterances": SIZE, "audio_s": SECONDS, "tokens": facts["batches"]["worst"][0]["tokens"]}
    ]
    taken = run(tmp_path, environment, "train", *recipe)
    assert facts["memory"]["peak_mib"] == pytest.approx(taken, rel=0.15)
