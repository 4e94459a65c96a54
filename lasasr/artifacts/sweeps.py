"""The folder of a sweep: `sweep.json` says what it was asked for, what each of its jobs trains, and where.

    sweep-<overrides, shortened, or its name>-<hash>/sweep.json
      recipe  overrides  launcher      of the command that began it
      runs                             the run folders of the jobs, relative to the sweep's
      jobs                             of each: its overrides and its whole resolved configuration

Sweeps of version 0.1.0 have no jobs, those of a searching sweeper neither jobs nor runs.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lasasr.artifacts import files
from lasasr.artifacts.run_names import folder_words
from lasasr.artifacts.runs import Run
from lasasr.artifacts.sweep_file import FILE, SCHEMA
from lasasr.artifacts.sweep_file import read as read_sweep_json
from lasasr.errors import LasasrError


@dataclass(frozen=True)
class PlannedRun:
    """One combination of the swept values.

    Args:
        overrides: what a command line would say to train it alone.
        config: all of its configuration, as `compose` gave it when the sweep was begun.
        run: where it is trained.
    """

    overrides: list[str]
    config: dict[str, Any]
    run: Run


@dataclass(frozen=True)
class Sweep:
    """What sweep.json says.

    Args:
        folder: of the sweep.
        recipe: as a command line names it: shipped name, or path.
        overrides: of the whole sweep.
        jobs: none where a searching sweeper chooses them as it goes, or where version 0.1.0 noted only `planned`.
        planned: the run folders.
        launcher: the choice of `hydra/launcher`; "basic" runs the jobs one after the other in one process.
    """

    folder: Path
    recipe: str
    overrides: list[str]
    jobs: list[PlannedRun]
    planned: list[Run]
    launcher: str = "basic"

    @property
    def begun(self) -> list[Run]:
        """The planned runs that have begun."""
        return [run for run in self.planned if run.status != "absent"]

    def job(self, overrides: Sequence[str]) -> PlannedRun:
        """The job of these overrides.

        Raises:
            LasasrError: there is none.
        """
        for job in self.jobs:
            if job.overrides == list(overrides):
                return job
        raise LasasrError(f"{self.folder / FILE} has no job {' '.join(overrides)}: was it written anew meanwhile?")


def sweep_folder(parent: Path, overrides: Sequence[str], name: Any = None) -> Path:
    """Where a sweep lies among the runs of its recipe; what it is called does not make another sweep.

    Raises:
        UsageError: `name` is no name.
    """
    return parent / f"sweep-{folder_words(name, overrides)}{_ending(overrides)}"


def _ending(overrides: Sequence[str]) -> str:
    counting = sorted(override for override in overrides if not override.startswith("name="))
    return f"-{hashlib.sha256(chr(10).join(counting).encode()).hexdigest()[:8]}"


def choose_sweep_folder(parent: Path, overrides: Sequence[str], planned: Iterable[Path], name: Any = None) -> Path:
    """The folder of a sweep: one that was begun by the same words and has no run that is none of this one, else a new.

    Args:
        planned: the run folders of its jobs.

    Raises:
        UsageError: `name` is no name.
    """
    planned_folders = {folder.resolve() for folder in planned}
    for number in itertools.count(1):
        ending = _ending(overrides) + (f"-{number}" if number > 1 else "")
        folders = sorted(path for path in parent.glob(f"sweep-*{ending}") if (path / FILE).exists())
        if not folders:
            folder = sweep_folder(parent, overrides, name)
            return folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        if {run.folder.resolve() for run in read(folders[0]).begun} <= planned_folders:
            return folders[0]
    raise AssertionError("unreachable")


def _is_job(stored: Any) -> bool:
    if not isinstance(stored, dict) or not isinstance(stored.get("config"), dict):
        return False
    kinds = {"recipe": str, "runs_dir": str, "seed": int}
    overrides, config = stored.get("overrides"), stored["config"]
    has_folder = all(isinstance(config.get(name), kind) for name, kind in kinds.items())
    return has_folder and isinstance(overrides, list) and all(isinstance(override, str) for override in overrides)


def write(sweep: Sweep) -> None:
    """Write sweep.json."""
    runs = [job.run for job in sweep.jobs] or sweep.planned
    content = {
        "schema": SCHEMA,
        "recipe": sweep.recipe,
        "overrides": sweep.overrides,
        "launcher": sweep.launcher,
        "runs": [os.path.relpath(run.folder, sweep.folder) for run in runs],
        "jobs": [{"overrides": job.overrides, "config": job.config} for job in sweep.jobs],
    }
    # an override may be .inf or .nan, which Python's JSON has words for
    files.write_text(sweep.folder / FILE, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read(folder: Path) -> Sweep:
    """What sweep.json says.

    Raises:
        LasasrError: it is missing, damaged, or of another schema.
    """
    path = folder / FILE
    content = read_sweep_json(path)
    planned = [Run(Path(os.path.normpath(folder / run))) for run in content["runs"]]
    stored = content.get("jobs", [])
    if stored and (len(stored) != len(planned) or not all(map(_is_job, stored))):
        raise LasasrError(f"{path} is damaged: its jobs are not those of its {len(planned)} runs")
    jobs = [PlannedRun(job["overrides"], job["config"], run) for job, run in zip(stored, planned, strict=False)]
    return Sweep(folder, content["recipe"], content["overrides"], jobs, planned, str(content.get("launcher", "basic")))
