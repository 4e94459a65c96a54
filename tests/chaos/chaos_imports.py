"""All that the verbs import lazily, so that a forked process has it."""

from __future__ import annotations

import importlib

import torch

NEEDED = (
    *(f"lasasr.cli.{verb}" for verb in ("prepare", "train", "evaluate", "average", "compare", "export")),
    *(f"lasasr.cli.{part}" for part in ("compose", "doctor", "announce", "progress", "finished_run")),
    "lasasr.training.run",
    "lasasr.training.local_loggers",
    "lasasr.models.recognizer",
    "lasasr.models.language_model",
    "lasasr.evaluation.names",
    "lasasr.corpora.table",
    "torch.utils.tensorboard",
)


def import_all() -> None:
    """Import them; no thread may be started by that, for threads are not forked."""
    torch.set_num_threads(1)
    for name in NEEDED:
        importlib.import_module(name)
