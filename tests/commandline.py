"""A command line that trains a tiny recognizer in seconds."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

TINY = (
    "corpus.hours=0.02",
    "corpus.dev_utterances=6",
    "corpus.test_utterances=6",
    "corpus.workers=1",
    "listen.hidden_dim=16",
    "spell.hidden_dim=24",
    "batching.max_utterances=8",
    "trainer.max_epochs=2",
    "trainer.val_check_interval=1.0",
    "trainer.check_val_every_n_epoch=1",
    "trainer.accelerator=cpu",
    "evaluate.maps=1",
    "validation.maps=1",
)

Command = Callable[..., subprocess.CompletedProcess[str]]
