"""`lasasr train`: a recipe becomes a run folder."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lasasr.cli.announce import announce
from lasasr.cli.arguments import Parser, add_recipe
from lasasr.configuration.loading import loading
from lasasr.configuration.sections import Plain
from lasasr.configuration.settings import Settings
from lasasr.configuration.settings import load as load_settings
from lasasr.distributed import launch
from lasasr.errors import DivergenceError, Interrupted, LasasrError, UsageError

if TYPE_CHECKING:
    from lasasr.artifacts.runs import Run
    from lasasr.tasks.base import Task

EPILOG = """\
examples:
  lasasr train synthetic/las_char attend=dot listen.layers=2 seed=3
  lasasr train synthetic/las_char -m attend=dot,additive,location seed=1,2,3,4
  lasasr train my/recipe.yaml trainer.max_epochs=5
  lasasr train --resume runs/synthetic/las_char/default-s1-1234abcd"""


def run(arguments: list[str]) -> int:
    """Train, or go on."""
    parser = Parser("train", "Train a recognizer into a run folder and decode the evaluation splits.", EPILOG)
    add_recipe(parser, optional=True)
    parser.add_argument("-m", "--multirun", action="store_true", help="every combination of the swept values")
    parser.add_argument("--resume", metavar="RUN|SWEEP", type=Path, help="go on where it stopped")
    parser.add_argument("--fresh", action="store_true", help="train again beside the run that is there, which stays")
    options = parser.read(arguments)
    if options.recipe is None and options.resume is None:
        from lasasr.cli import list_recipes

        print("\n".join(list_recipes.lines()), flush=True)
    if (options.recipe is None) == (options.resume is None):
        raise UsageError("train takes a RECIPE, or --resume RUN (lasasr train --help)")

    from lasasr.cli import show

    if show.is_requested(options):
        return show.show(options)
    return _train(options)


def _train(options: Any) -> int:
    from lasasr.artifacts import run_paths, sweep_file
    from lasasr.cli.compose import load
    from lasasr.cli.sweep import resume, sweep

    if options.resume is not None:
        if (options.resume / sweep_file.FILE).exists():
            resume(options.resume, functools.partial(run_job, resume=True))
        else:
            run = run_paths.find_run(options.resume)
            run_in(run, run.settings(), run.overrides(), resume=True)
    elif options.multirun:
        work = functools.partial(run_job, fresh=options.fresh)
        sweep(options.recipe, options.overrides, work, fresh=options.fresh, check=loaded)
    else:
        settings = load(options.recipe, options.overrides, before_loading=_announce)
        execute(settings, options.overrides, fresh=options.fresh)
    return 0


def loaded(plain: Plain) -> Settings:
    """The configuration of a job of a sweep."""
    return load_settings(plain, f"recipe {plain['recipe']}")


def execute(settings: Settings, overrides: list[str], fresh: bool = False) -> None:
    """Train one configuration in the folder that is its own."""
    from lasasr.artifacts import run_choice

    helps = launch.helper() is not None  # the first process has chosen the folder, and speaks
    run, remarks = run_choice.choose_run(settings.plain, overrides, fresh and not helps)
    was_finished = run.status == "finished"  # then what is said comes after its results, where it is read
    for remark in () if helps or was_finished else remarks:
        print(f"note: {remark}", flush=True)
    run_in(run, settings, overrides, fresh=fresh)
    for remark in remarks if was_finished and not helps else ():
        print(f"note: {remark}", flush=True)


def run_job(run: Run, plain: Plain, overrides: list[str], resume: bool = False, fresh: bool = False) -> float | None:
    """Train one job of a sweep, whose configuration sweep.json holds; see `run_in`.

    Returns:
        The best value of what validations are judged by, which a sweeper that searches makes small; None: not known.
    """
    run_in(run, loaded(plain), overrides, resume, fresh)
    if launch.helper() is not None:
        return None
    best = run.card().best_dev(plain["checkpoint"]["monitor"])
    return best[1] if best else None


def run_in(run: Run, settings: Settings, overrides: list[str], resume: bool = False, fresh: bool = False) -> None:
    """Train in a run folder, unless that is finished, and say what came of it.

    Args:
        resume: go on with what has begun, by its own configuration.
        fresh: the folder is a new one, or will be when the first process has made it.

    Raises:
        LasasrError: another process writes into the folder, or the run was begun before, and `resume` is not asked
            for.
    """
    from lasasr.artifacts.run_lock import writing

    if resume and run.begun:
        settings, overrides = run.settings(), run.overrides()
    if launch.helper():
        if fresh or run.status != "finished":
            _help(run, settings, resume)
    elif run.status == "finished":  # nothing is written, whoever else may write
        _write_in(run, settings, overrides, resume)
    else:
        with writing(run.folder, "trained"):
            _write_in(run, settings, overrides, resume)


def _write_in(run: Run, settings: Settings, overrides: list[str], resume: bool) -> None:
    """Train in a run folder that no other process writes into."""
    from lasasr.artifacts.provenance import provenance
    from lasasr.cli.print_results import print_run

    if run.status == "finished":
        from lasasr.cli.finished_run import check_finished

        _announce(settings.plain)
        check_finished(run, settings)
        print(f"{run.folder} is finished (--fresh trains it again)")
    else:
        if run.begun and not resume:
            raise LasasrError(
                f"{run.folder} is unfinished: go on with lasasr train --resume {run.folder}, or add --fresh"
            )
        _announce(settings.plain)
        task = _task(settings)
        task.check(run.begun)  # what can be seen to be wrong is said before there is a folder for it
        if not run.begun:
            run.start(settings.plain, overrides, **provenance())

        from lasasr.cli.progress import progress

        print(f"run folder: {run.folder}", flush=True)
        try:
            with progress() as report:
                facts = task.train(run.folder, resume, report)
        except Interrupted:
            print(f"saved; go on with: lasasr train --resume {run.folder}", file=sys.stderr)
            raise
        except DivergenceError as error:
            run.note(diverged=str(error))
            raise
        except LasasrError:
            if not resume:
                run.withdraw()
            raise
        run.finish(**facts, diverged=None)
    print_run(run)


def _announce(plain: Plain) -> None:
    announce(f"{plain['recipe']}, seed {plain['seed']}", "reading the corpus")


def _task(settings: Settings) -> Task[Any, Any, Any]:
    with loading():
        from lasasr.tasks.lookup import task_of

        return task_of(settings)


def _help(run: Run, settings: Settings, resume: bool) -> None:
    """Train beside the first process, which says and writes what there is; one of all prepares, and says so."""
    from lasasr.cli.progress import progress

    try:
        with progress(plain=True) as report:
            task = _task(settings)
            task.check(resume and run.begun)
            task.train(run.folder, resume, report)
    except Interrupted as error:
        if launch.launched():
            raise SystemExit(128 + error.signum) from None
        # else Lightning started this process, and would kill the first one for another status than 0
