"""All that the verbs import lazily, so that a forked process has it."""

from __future__ import annotations

import importlib
import json
import sys
from contextlib import suppress
from pathlib import Path

import torch

NOTED = "modules.json"  # in a folder of a reference

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


def note_imported(folder: Path) -> None:
    """Note the modules that this process has imported by now."""
    (folder / NOTED).write_text(json.dumps(sorted(sys.modules)))


def import_noted(folder: Path) -> None:
    """Import what a process of a reference has noted, where it has come so far: each case would do it again."""
    path = folder / NOTED
    for name in json.loads(path.read_text()) if path.exists() else ():
        with suppress(ImportError):  # of one that was made, not imported
            importlib.import_module(name)
    path.unlink(missing_ok=True)
