"""The configuration of a run that is only written and read."""

from typing import Any

CONFIG: dict[str, Any] = {
    "recipe": "synthetic/las_char",
    "choices": {"attend": "dot"},
    "seed": 3,
    "data_dir": "data",
    "prepared_dir": "data/prepared",
    "runs_dir": "runs",
    "attend": {"_target_": "lasasr.attend.Dot", "dim": 8, "scale": 1.0},
    "corpus": {"root": "data/LibriSpeech", "splits": ["test", "dev"]},
    "early_stopping": None,
}
