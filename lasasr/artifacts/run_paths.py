"""Runs and bundles by the paths that a user names, and all that lie below the runs root."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from lasasr.artifacts import run_card
from lasasr.artifacts.bundle_config import DELTA, WEIGHTS
from lasasr.artifacts.files import expanded
from lasasr.artifacts.runs import Run
from lasasr.errors import LasasrError, looked_up, nearest

PARTS: Final = ("bundle", "checkpoints", "results", "tensorboard")


def root() -> Path:
    """The default runs root: `LASASR_RUNS`, else `runs/`."""
    return Path(os.environ.get("LASASR_RUNS", "runs"))


def find_run(path: str | Path) -> Run:
    """The run at `path`: the folder itself, one inside it (bundle/, checkpoints/) or a file in those.

    Raises:
        LasasrError: there is no run; names the nearest.
    """
    path = expanded(path)
    for candidate in (path, root() / path):
        for folder in (candidate, *candidate.parents[:2]):
            below = candidate.relative_to(folder).parts
            if (not below or below[0] in PARTS) and is_run(folder):
                return Run(folder)
    problem, where = ("is no run folder", "") if path.exists() else ("does not exist", looked_up(path))
    if inside := sorted(card.parent for card in path.glob(f"*/{run_card.FILE}") if is_run(card.parent)):
        raise LasasrError(f"{path} {problem}, but holds {len(inside)}: name those, as {inside[0]}")
    raise LasasrError(f"{path} {problem}; {nearest(str(path), map(str, list_runs()))}{where}")


def bundle_folder(path: str | Path) -> Path:
    """The bundle at `path`: a bundle folder, exported anywhere, or the one of a run.

    Raises:
        LasasrError: there is none; says what is missing.
    """
    if _has_weights(expanded(path)):
        return expanded(path)
    run = find_run(path)
    if not _has_weights(run.bundle):
        raise LasasrError(f"{run.folder} has no bundle yet: its training has not finished")
    return run.bundle


def is_recognizer(folder: Path) -> bool:
    """Whether a folder is a run or a bundle."""
    return is_run(folder) or _has_weights(folder)


def _has_weights(folder: Path) -> bool:
    return any((folder / name).exists() for name in (WEIGHTS, DELTA))


def list_runs() -> list[Path]:
    """All run folders below the runs root."""
    return sorted(path.parent for path in root().rglob("config.yaml") if is_run(path.parent))


def is_run(folder: Path) -> bool:
    """Whether a folder has what every run folder has."""
    return (folder / run_card.FILE).exists() and (folder / "config.yaml").exists()
