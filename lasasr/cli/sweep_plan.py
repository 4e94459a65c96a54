"""What the jobs of a sweep train and where: composed when it is begun, read back when it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig

from lasasr.artifacts import run_choice, run_paths, sweeps
from lasasr.artifacts.runs import Run
from lasasr.artifacts.sweeps import PlannedRun, Sweep
from lasasr.cli import recipes, session
from lasasr.cli.announce import announce
from lasasr.cli.compose import Config, compose_job, expand, expand_over
from lasasr.cli.errors import explained
from lasasr.cli.session import Session
from lasasr.errors import UsageError


def plan(
    opened: Session, overrides: Sequence[str], fixed: DictConfig, fresh: bool, check: Callable[[Config], object]
) -> Sweep:
    """Compose every job, so that a mistake in the last one shows now.

    Args:
        opened: on the recipe.
        fixed: composed of those overrides that are no sweep.
        fresh: all are trained anew, beside the runs that are there.
        check: called with the configuration of each.

    Raises:
        UsageError: a job's configuration is wrong.
    """
    jobs_overrides = expand_over(opened, overrides, fixed)

    def before_loading(config: Config) -> None:
        announce(f"{config['recipe']}, {len(jobs_overrides)} jobs", "looking at their configurations")

    of_hydra = hydra_overrides(overrides)
    composed = [compose_job(opened, [*of_hydra, *own], before_loading) for own in jobs_overrides]
    for config in composed:
        check(config)
    name = composed[0].get("name")
    if any(config.get("name") != name for config in composed):
        raise UsageError("name calls the sweep and takes one value with -m; its runs are called by their overrides")
    jobs: list[PlannedRun] = []
    remarks: list[str] = []
    common = set(jobs_overrides[0]).intersection(*jobs_overrides)
    for config, own in zip(composed, jobs_overrides, strict=True):
        plain = unnamed(config)
        run, remarks_of_job = run_choice.choose_run(plain, own, fresh, swept=set(own) - common)
        jobs.append(PlannedRun(own, plain, run))
        remarks += remarks_of_job
    parent = run_choice.recipe_folder(composed[0])
    folder = sweeps.choose_sweep_folder(parent, overrides, [job.run.folder for job in jobs], name)
    print("".join(f"note: {remark}\n" for remark in dict.fromkeys(remarks)), end="", flush=True)
    launcher = str(fixed.hydra.runtime.choices["hydra/launcher"])
    return Sweep(folder, lasting_name(opened.name), list(overrides), jobs, [], launcher)


def unnamed(config: Config) -> Config:
    """A job's configuration: `name` calls the sweep, not its jobs."""
    return {**config, "name": None} if "name" in config else config


def hydra_overrides(overrides: Sequence[str]) -> list[str]:
    """Those that tell Hydra how to run."""
    return [override for override in overrides if override.startswith("hydra")]


def lasting_name(recipe: str) -> str:
    """How a command line in any folder names the recipe."""
    return recipe if recipes.find(recipe).name == recipe else str(Path(recipe).resolve())


def adopt(sweep: Sweep) -> tuple[Sweep, str]:
    """A sweep of version 0.1.0 with the jobs that it did not note, and why some cannot be composed any more.

    Runs that have begun have a configuration of their own; the others are composed from the recipe as it is now.
    """
    begun = {run: _job_of(run) for run in sweep.planned if run.status != "absent"}
    waiting = len(sweep.planned) - len(begun)
    if not waiting:
        return replace(sweep, jobs=[begun[run] for run in sweep.planned]), ""
    try:
        jobs = _composed_anew(sweep, begun)
    except UsageError as error:
        return replace(sweep, jobs=list(begun.values())), str(error)
    print(
        f"note: {sweep.folder} is of version 0.1.0: {len(begun)} runs have begun and keep their own configuration, "
        f"{waiting} have not and are composed from {sweep.recipe} as it is now"
    )
    return replace(sweep, jobs=jobs), ""


def _job_of(run: Run) -> PlannedRun:
    config = {key: value for key, value in run.config().items() if key != "schema"}
    return PlannedRun(run.overrides(), config, run)


def _composed_anew(sweep: Sweep, begun: Mapping[Run, PlannedRun]) -> list[PlannedRun]:
    jobs_overrides = expand(sweep.recipe, sweep.overrides)
    if len(jobs_overrides) != len(sweep.planned):
        raise UsageError(f"{sweep.recipe} makes {len(jobs_overrides)} jobs of it now, not {len(sweep.planned)}")
    jobs = []
    with session.on_recipe(sweep.recipe) as opened:
        for run, own in zip(sweep.planned, jobs_overrides, strict=True):
            if run in begun:
                jobs.append(replace(begun[run], overrides=own))
                continue
            config = unnamed(compose_job(opened, [*hydra_overrides(sweep.overrides), *own]))
            refuse_elsewhere(config, sweep.folder)
            jobs.append(PlannedRun(own, config, run_choice.run_for(config, own)))
    return jobs


def refuse_elsewhere(config: Config, folder: Path) -> None:
    """Refuse a sweep whose relative places mean others here than where it was begun.

    Raises:
        UsageError: they do.
    """
    recipe, parent = str(config["recipe"]), folder.resolve().parent
    here = run_choice.recipe_folder(config)
    if not here.is_absolute() and parent not in (here.resolve(), (run_paths.root() / recipe).resolve()):
        raise UsageError(elsewhere(folder, here))


def elsewhere(folder: Path, here: Path) -> str:
    """The line that says so.

    Args:
        folder: of the sweep.
        here: where its runs would lie.
    """
    return (
        f"the sweep's runs lie in {folder.resolve().parent}, but {here} is another place here, and so are its other "
        f"folders: go on from the folder where it was begun, or set LASASR_RUNS"
    )


def placed_again(job: PlannedRun) -> PlannedRun:
    """With the run that trains the same under another name, where its own has not begun."""
    return job if job.run.status != "absent" else replace(job, run=run_choice.newest_like(job.run, job.config))


def changed(sweep: Sweep) -> str:
    """Why Hydra cannot be given the jobs of a sweep any more; nothing: it can.

    Hydra composes each before its launcher is called; what comes of that is not used, but it must not fail.
    """
    own = hydra_overrides(sweep.overrides)
    try:
        if expand(sweep.recipe, sweep.overrides) != [job.overrides for job in sweep.jobs]:
            return f"{sweep.recipe} sweeps over other values now"
        with session.on_recipe(sweep.recipe) as opened:
            for job in sweep.jobs:
                with explained(opened, [*own, *job.overrides]):
                    opened.compose([*own, *job.overrides])
    except UsageError as error:
        return str(error)
    return ""
