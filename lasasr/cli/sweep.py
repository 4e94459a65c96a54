"""`-m`: every combination of the swept values, run by Hydra's sweeper and launcher (basic, submitit, optuna, ...)."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from lasasr import runs
from lasasr.cli import recipes, session
from lasasr.cli.compose import Config, compose, expand, plain_config, spelled_out
from lasasr.cli.errors import explained
from lasasr.cli.hydra_section import LAUNCHING, POWERFUL, check_settings
from lasasr.errors import Interrupted, LasasrError, UsageError

Work = Callable[[Config, list[str]], Any]


@dataclass(frozen=True)
class Failed:
    """What a job returns that has failed.

    Were it to raise, Hydra would print a line of its own, and hold the memory of the job's frames until the last one.
    """

    told: str  # the traceback


@dataclass(frozen=True)
class Job:
    """What Hydra calls for each combination; a launcher may pickle it and call it on another machine.

    Args:
        work: called with the plain configuration and the overrides; a function of a module, so that it can be pickled.
        name: of the recipe.
        raises: whether to raise what goes wrong after it was said; a sweeper that searches asks for it.
    """

    work: Work
    name: str
    raises: bool = False

    def __call__(self, config: DictConfig) -> Any:
        """Run one job; what goes wrong is said at once, for the other jobs go on."""
        about = HydraConfig.get()
        overrides = [str(one) for one in about.overrides.task]
        label = " ".join(overrides)
        print(f"job {about.job.num}: {label}", flush=True)
        try:
            choices: Any = OmegaConf.to_container(about.runtime.choices)
            return self.work(plain_config(config, choices, self.name), overrides)
        except Exception as error:
            message = str(error) if isinstance(error, LasasrError) else f"{type(error).__name__}: {error}"
            print(f"lasasr: job {about.job.num} ({label}) failed: {' '.join(message.split())}", file=sys.stderr)
            if self.raises:
                raise
            return Failed(traceback.format_exc())


def sweep(recipe: str, overrides: Sequence[str], work: Work, beside: Path | None = None) -> Any:
    """Check the configuration of every job, then run them all.

    Args:
        beside: the folder where its runs lie, if it is one that goes on.

    Returns:
        What the sweeper returns.

    Raises:
        UsageError: a job's configuration is wrong, or its runs would go elsewhere; nothing has run then.
        LasasrError: at least one job failed; the others have run.
    """
    name = recipes.find(recipe).name
    overrides = spelled_out(recipe, overrides)
    _check_hydra_section(recipe, overrides)
    searches = any(one.startswith("hydra/sweeper=") for one in overrides)
    folder = _announce(recipe, name, overrides, beside, searches)
    job = Job(work, name, raises=searches)
    with session.on_recipe(recipe) as opened, explained(opened, overrides):
        opened.compose([str(one.input_line) for one in opened.parse(overrides) if not one.is_sweep_override()])
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        try:
            returned = hydra.multirun(opened.config, job, [*_quiet(folder), *overrides])
        except (KeyboardInterrupt, Interrupted):
            print(f"the sweep goes on with: lasasr train --resume {folder}", file=sys.stderr)
            raise
        except Exception as error:
            _blame_launcher(error, overrides, folder)
            raise
    results = [] if searches else [one.return_value for batch in returned for one in batch]
    if failed := [one for one in results if isinstance(one, Failed)]:
        raise LasasrError(
            f"{len(failed)} job(s) failed, see above; lasasr train --resume {folder} takes up what is not finished"
        ) from RuntimeError(failed[0].told)
    print(f"sweep folder: {folder}\ncompare:      lasasr compare {folder}")
    return returned


def _check_hydra_section(recipe: str, overrides: Sequence[str]) -> None:
    """See that files leave it to Hydra and the command line how jobs are run, and neither has Hydra run anything else.

    Raises:
        UsageError: one does not.
    """
    quiet = _quiet(Path())
    with session.on_stored({}, {}, recipe) as opened:
        default = opened.compose(quiet)
    with session.on_recipe(recipe) as opened, explained(opened, overrides):
        fixed = [one for one in opened.parse(overrides) if not one.is_sweep_override()]
        of_files = [one for one in fixed if not one.is_hydra_override() or one.key_or_group == "hydra.searchpath"]
        for allowed, keys in ((of_files, LAUNCHING + POWERFUL), (fixed, POWERFUL)):
            composed = opened.compose([*quiet, *(str(one.input_line) for one in allowed)])
            check_settings(composed, default, keys, f"recipe {recipe}" if allowed is of_files else "an override")


def _blame_launcher(error: Exception, overrides: Sequence[str], folder: Path) -> None:
    """A job says by itself what went wrong; what comes through beyond it is of the launcher, where one was chosen.

    Raises:
        LasasrError: as long as the message of a launcher may be, in one line of ours.
    """
    chosen = [one.partition("=")[2] for one in overrides if one.startswith("hydra/launcher=")]
    if not chosen or isinstance(error, LasasrError | HydraException):
        return
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    raise LasasrError(
        f"the launcher {chosen[-1]} could not begin a job or has lost one; when the others have ended, "
        f"lasasr train --resume {folder} takes up what is not finished ({reason[:300]})"
    ) from error


def _announce(recipe: str, name: str, overrides: Sequence[str], beside: Path | None, searches: bool) -> Path:
    """Compose every job, so that a mistake in the last one shows now, and note the runs the sweep consists of."""
    hydras = [one for one in overrides if one.startswith("hydra")]
    jobs = [] if searches else expand(recipe, overrides)
    configs = [compose(recipe, [*hydras, *job]) for job in jobs]
    root = Path(configs[0]["runs_dir"]) if configs else runs.root()
    if beside is not None and (root / name).resolve() != beside:
        raise UsageError(
            f"the sweep's runs lie in {beside}, but runs_dir={root} would begin them anew in {root / name}: "
            f"go on from the folder where it was begun, or set LASASR_RUNS"
        )
    planned = [runs.place(config, job).folder for config, job in zip(configs, jobs, strict=True)]
    again = recipe if name == recipe else str(Path(recipe).resolve())
    return runs.start_sweep(root / name, again, overrides, planned)


def _quiet(folder: Path) -> list[str]:
    """Hydra's own files go into the sweep's folder, and its log nowhere: runs keep their own."""
    place = str(folder.resolve()).replace("'", "\\'").replace("${", "\\${")
    return [
        f"hydra.sweep.dir='{place}'",
        "hydra.sweep.subdir=.",
        "hydra.output_subdir=null",
        "hydra/hydra_logging=none",
        "hydra/job_logging=none",
    ]
