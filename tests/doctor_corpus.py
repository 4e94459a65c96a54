"""A small corpus of tones as table files, faultless until a test spoils it."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from loaded import recognition

from lasasr.cli.compose import compose
from lasasr.configuration.settings import Recognition
from lasasr.doctor.examination import full_check
from lasasr.doctor.finding import Finding
from lasasr.doctor.report import Report

RATE_HZ = 16_000
WORDS = ("go", "stay", "left", "right", "up", "down", "open", "shut")
SMALL = ("listen.hidden_dim=8", "spell.hidden_dim=8", "trainer.accelerator=cpu", "batching.max_utterances=4")
Row = dict[str, Any]


def tone(seed: int, seconds: float = 1.5) -> np.ndarray[Any, Any]:
    """A voice-like sum of partials with a little noise, below full scale."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    partials = sum(np.sin(2 * np.pi * random.uniform(150, 3000) * time + random.uniform(0, 6)) for _ in range(5))
    return 0.1 * partials + 0.001 * random.standard_normal(len(time))


@cache
def composed(overrides: tuple[str, ...]) -> dict[str, Any]:
    """The configuration without its places; Hydra takes its time."""
    return compose("synthetic/las_char", ["corpus=table", *SMALL, *overrides])


class Corpus:
    """Tables and WAV files in a folder; `rows` may be spoiled before `write`, files before or after `examine`."""

    def __init__(self, folder: Path, sizes: tuple[int, int, int] = (8, 3, 3), seconds: float | None = None) -> None:
        self.folder, self.seconds = folder, seconds  # None: each longer than the one before
        self.rows: dict[str, list[Row]] = {}
        number = 0
        for split, size in zip(("train", "dev", "test"), sizes, strict=True):
            self.rows[split] = [self._row(split, number + index) for index in range(size)]
            number += size

    def _row(self, split: str, number: int) -> Row:
        name = f"{split}-{number:02d}"
        text = " ".join(WORDS[(number >> (3 * place)) % 8 if place else number % 8] for place in range(3))
        soundfile.write(self.audio(name), tone(number, self.seconds or 1.5 + 0.03 * number), RATE_HZ, subtype="PCM_16")
        return {"id": name, "audio": f"{name}.wav", "text": text, "speaker": f"{split}-speaker-{number % 2}"}

    def audio(self, name: str) -> Path:
        return self.folder / f"{name}.wav"

    def plain(self, *overrides: str) -> dict[str, Any]:
        for split, rows in self.rows.items():
            (self.folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        plain = copy.deepcopy(composed(overrides))
        plain["corpus"] |= {split: f"{self.folder}/{split}.jsonl" for split in self.rows}
        return plain | {"prepared_dir": f"{self.folder}/prepared"}

    def settings(self, *overrides: str) -> Recognition:
        return recognition(**self.plain(*overrides))

    def examine(self, *overrides: str, **options: Any) -> Report:
        return full_check(self.settings(*overrides), lambda task, done, total: None, **options)


def faults(report: Report) -> list[Finding]:
    """Errors and warnings, but that the corpus is small: it is so on purpose."""
    return [one for one in (*report.of("error"), *report.of("warning")) if one.kind != "too little speech"]
