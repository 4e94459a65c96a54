"""`-m`: every combination of the swept values, run by Hydra's sweeper and launcher (basic, submitit, optuna, ...).

What each job trains is composed once, when the sweep is begun, and kept in sweep.json: that is what its jobs run, then
and whenever it is resumed, whatever has become of the recipe. Only a sweeper that searches composes as it goes.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from lasasr.artifacts import run_choice, run_paths, sweeps
from lasasr.artifacts.runs import Run
from lasasr.artifacts.sweeps import PlannedRun, Sweep
from lasasr.cli import optuna_sweeps, recipes, session, sweep_plan
from lasasr.cli.compose import Config, fixed_overrides, plain_config, spelled_out
from lasasr.cli.errors import explained
from lasasr.cli.hydra_keys import refuse_idle
from lasasr.cli.hydra_section import LAUNCHING, UNCHANGED, check_settings
from lasasr.cli.session import Session
from lasasr.configuration import gate, users_parts
from lasasr.errors import Interrupted, LasasrError, UsageError
from lasasr.escaping import one_line

Work = Callable[[Run, Config, list[str]], Any]


@dataclass(frozen=True)
class Failed:
    """What a job returns that has failed.

    Were it to raise, Hydra would print a line of its own, and hold the memory of the job's frames until the last one.
    """

    traceback_text: str


@dataclass(frozen=True)
class Job:
    """What Hydra calls for each combination; a launcher may pickle it and call it on another machine.

    Args:
        work: called with the run folder, the plain configuration and the overrides; a function of a module, so that it
            can be pickled.
        name: of the recipe.
        folder: of the sweep, whose sweep.json has the configurations; None: the one that Hydra has composed is run.
        fresh: a composed one is trained anew beside an earlier run.
        raises: whether to raise what goes wrong after it was said; a sweeper that searches asks for it.
    """

    work: Work
    name: str
    folder: Path | None = None
    fresh: bool = False
    raises: bool = False

    def __call__(self, config: DictConfig) -> Any:
        """Run one job."""
        about = HydraConfig.get()
        overrides = [str(override) for override in about.overrides.task]

        def planned() -> PlannedRun:
            if self.folder is not None:
                return sweeps.read(self.folder).job(overrides)
            choices: Any = OmegaConf.to_container(about.runtime.choices)
            plain = sweep_plan.unnamed(plain_config(config, choices, self.name))
            return PlannedRun(overrides, plain, run_choice.run_for(plain, overrides, self.fresh))

        return self.attempt(about.job.num, overrides, planned)

    def attempt(self, number: int, overrides: Sequence[str], planned: Callable[[], PlannedRun]) -> Any:
        """Do the work; what goes wrong is said at once, for the other jobs go on."""
        label = " ".join(overrides)
        print(f"job {number}: {label}", flush=True)
        try:
            job = planned()
            return self.work(job.run, job.config, job.overrides)
        except Exception as error:
            message = str(error) if isinstance(error, LasasrError) else users_parts.fault(error)
            message = message or f"{type(error).__name__}: {error}"
            print(f"lasasr: job {number} ({label}) failed: {one_line(message)}", file=sys.stderr)
            if self.raises:
                raise
            return Failed(traceback.format_exc())


def sweep(
    recipe: str, overrides: Sequence[str], work: Work, fresh: bool = False, check: Callable[[Config], object] = bool
) -> Any:
    """Compose the configuration of every job, then run them all.

    Args:
        fresh: train anew, beside the runs that are there.
        check: called with each configuration before any is run; raises what is wrong with it.

    Returns:
        What the jobs return, one after the other; where Hydra runs them, what its sweeper returns.

    Raises:
        UsageError: a job's configuration is wrong; nothing has run then.
        LasasrError: at least one job failed; the others have run.
    """
    refuse_idle(overrides, multirun=True)
    if _searches(overrides):
        with session.on_recipe(recipe) as opened:
            overrides = spelled_out(opened, overrides)
            _checked_hydra_section(opened, overrides)
        return _search(recipe, overrides, work, fresh)
    begun = planned_sweep(recipe, overrides, fresh, check)
    sweeps.write(begun)
    job = Job(work, recipe, folder=begun.folder)
    return _by_hydra(begun, job) if _needs_hydra(begun) else _in_turn(begun, job)


def planned_sweep(recipe: str, overrides: Sequence[str], fresh: bool, check: Callable[[Config], object]) -> Sweep:
    """Compose every job of a sweep; nothing is written.

    Raises:
        UsageError: a job's configuration is wrong.
    """
    with session.on_recipe(recipe) as opened:
        overrides = spelled_out(opened, overrides)
        return sweep_plan.plan(opened, overrides, _checked_hydra_section(opened, overrides), fresh, check)


def resume(folder: Path, work: Work) -> Any:
    """Go on with a sweep: its jobs have the configurations that it was begun with.

    Returns:
        What the jobs return, one after the other; where Hydra runs them, what its sweeper returns.

    Raises:
        UsageError: it was begun in another folder, which its paths are relative to.
        LasasrError: at least one job failed, or cannot be composed any more; the others have run.
    """
    begun = sweeps.read(folder)
    if _searches(begun.overrides) or not begun.planned:
        _check_hydra_section(begun.recipe, begun.overrides)
        return _search(begun.recipe, begun.overrides, work, fresh=False, folder=folder)
    lost = ""
    if not begun.jobs:
        begun, lost = sweep_plan.adopt(begun)
    for planned in begun.jobs:
        sweep_plan.refuse_elsewhere(planned.config, folder)
    begun = replace(begun, jobs=[sweep_plan.placed_again(planned) for planned in begun.jobs])
    job = Job(work, begun.recipe, folder=folder)
    if lost:
        _in_turn(begun, job, lost)
        raise LasasrError(f"the jobs of {folder} that have not begun cannot be composed any more: {lost}")
    sweeps.write(begun)
    if not _needs_hydra(begun):
        return _in_turn(begun, job)
    changed = sweep_plan.changed(begun)
    if changed:
        return _in_turn(begun, job, changed)
    _check_hydra_section(begun.recipe, begun.overrides)
    return _by_hydra(begun, job)


def _needs_hydra(begun: Sweep) -> bool:
    """Whether another launcher than the plain one runs the jobs, or the user has had Hydra do more (docs/trust.md).

    Hydra composes every job twice more before it runs it.
    """
    return (
        begun.launcher != "basic"
        or any(override.lstrip("+~").startswith("hydra") for override in begun.overrides)
        or gate.below("hydra", gate.users_prefixes())
    )


def _searches(overrides: Sequence[str]) -> bool:
    return any(override.startswith("hydra/sweeper=") for override in overrides)


def _search(recipe: str, overrides: Sequence[str], work: Work, fresh: bool, folder: Path | None = None) -> Any:
    """A sweeper that searches chooses the jobs as it goes.

    Args:
        folder: of the sweep, if it is one that goes on.
    """
    parent = run_paths.root() / recipes.find(recipe).name
    if folder is None:
        name = next((override.partition("=")[2] for override in overrides if override.startswith("name=")), None)
        folder = sweeps.choose_sweep_folder(parent, overrides, [], name)
    elif parent.resolve() != folder.resolve().parent:
        raise UsageError(sweep_plan.elsewhere(folder, parent))
    overrides = optuna_sweeps.repeatable(overrides)
    searching = Sweep(folder, sweep_plan.lasting_name(recipe), list(overrides), [], [])
    sweeps.write(searching)
    optuna_sweeps.quiet()
    returned = _by_hydra(searching, Job(work, recipes.find(recipe).name, fresh=fresh, raises=True))
    optuna_sweeps.print_best(folder)
    return returned


def _in_turn(begun: Sweep, job: Job, why: str = "") -> Any:
    """Run the jobs in this process, one after the other.

    Args:
        why: not by the launcher that they were begun with.
    """
    if begun.launcher != "basic":
        print(f"the jobs run here, one after the other, and not by the launcher {begun.launcher}: {why}", flush=True)
    try:
        results = [
            job.attempt(number, planned.overrides, lambda planned=planned: planned)  # type: ignore[misc]
            for number, planned in enumerate(begun.jobs)
        ]
    except (KeyboardInterrupt, Interrupted):
        _say_how_it_goes_on(begun.folder)
        raise
    _finish(begun.folder, results)
    return results


def _by_hydra(begun: Sweep, job: Job) -> Any:
    """Run the jobs by Hydra's sweeper and launcher."""
    folder, overrides = begun.folder, begun.overrides
    with session.on_recipe(begun.recipe) as opened, explained(opened, overrides):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        try:
            returned = hydra.multirun(opened.config, job, [*_quiet(folder), *overrides])
        except (KeyboardInterrupt, Interrupted):
            _say_how_it_goes_on(folder)
            raise
        except Exception as error:
            _blame_launcher(error, overrides, folder)
            raise
    _finish(folder, [] if job.raises else [job_return.return_value for batch in returned for job_return in batch])
    return returned


def _say_how_it_goes_on(folder: Path) -> None:
    print(f"the sweep goes on with: lasasr train --resume {folder}", file=sys.stderr)


def _finish(folder: Path, results: Sequence[Any]) -> None:
    """Say what came of it.

    Raises:
        LasasrError: a job has failed.
    """
    if failed := [result for result in results if isinstance(result, Failed)]:
        raise LasasrError(
            f"{len(failed)} job(s) failed, see above; lasasr train --resume {folder} takes up what is not finished"
        ) from RuntimeError(failed[0].traceback_text)
    print(f"sweep folder: {folder}")
    if sweeps.read(folder).planned:  # a searching sweeper's runs differ in more than is compared
        print(f"compare:      lasasr compare {folder}")


def _check_hydra_section(recipe: str, overrides: Sequence[str]) -> None:
    with session.on_recipe(recipe) as opened:
        _checked_hydra_section(opened, overrides)


def _checked_hydra_section(opened: Session, overrides: Sequence[str]) -> DictConfig:
    """See that files leave it to Hydra and the command line how jobs are run, and neither has Hydra run anything else.

    Returns:
        What is composed of the overrides that are no sweep.

    Raises:
        UsageError: one does not.
    """
    quiet = _quiet(Path())
    with session.on_stored({}, {}, opened.name) as empty:
        default = empty.compose(quiet)
    fixed = fixed_overrides(opened, overrides)
    with explained(opened, [str(override.input_line) for override in fixed]):  # what is swept is no mistake here
        of_files = [
            override
            for override in fixed
            if not override.is_hydra_override() or override.key_or_group == "hydra.searchpath"
        ]
        for allowed, keys in ((of_files, LAUNCHING + UNCHANGED), (fixed, UNCHANGED)):
            composed = opened.shared([*quiet, *(str(override.input_line) for override in allowed)])
            check_settings(composed, default, keys, f"recipe {opened.name}" if allowed is of_files else "an override")
    return composed


def _blame_launcher(error: Exception, overrides: Sequence[str], folder: Path) -> None:
    """A job says by itself what went wrong; what comes through beyond it is of the launcher, where one was chosen.

    Raises:
        LasasrError: as long as the message of a launcher may be, in one line of ours.
    """
    chosen = [override.partition("=")[2] for override in overrides if override.startswith("hydra/launcher=")]
    if not chosen or isinstance(error, LasasrError | HydraException):
        return
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    raise LasasrError(
        f"the launcher {chosen[-1]} could not begin a job or has lost one; when the others have ended, "
        f"lasasr train --resume {folder} takes up what is not finished ({reason[:300]})"
    ) from error


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
