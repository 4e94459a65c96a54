"""`lasasr train`: a recipe becomes a run folder."""

from __future__ import annotations

import functools
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lasasr import launch
from lasasr.cli.arguments import Parser, add_recipe
from lasasr.errors import DivergenceError, Interrupted, LasasrError, UsageError

if TYPE_CHECKING:
    from lasasr.runs import Run

EPILOG = """\
examples:
  lasasr train synthetic/las_char attend=dot listen.layers=2 seed=3
  lasasr train synthetic/las_char -m attend=dot,additive,location seed=1,2,3
  lasasr train my/recipe.yaml trainer.max_epochs=5
  lasasr train --resume runs/synthetic/las_char/default-s1-1234abcd"""


def run(arguments: list[str]) -> int:
    """Train, or go on."""
    parser = Parser("train", "Train a recognizer into a run folder and decode the evaluation splits.", EPILOG)
    add_recipe(parser, optional=True)
    parser.add_argument("-m", "--multirun", action="store_true", help="every combination of the swept values")
    parser.add_argument("--resume", metavar="RUN|SWEEP", type=Path, help="go on where it stopped")
    parser.add_argument("--fresh", action="store_true", help="throw an unfinished or finished run away and start again")
    options = parser.read(arguments)
    if (options.recipe is None) == (options.resume is None):
        raise UsageError("train takes a RECIPE, or --resume RUN (lasasr train --help)")

    from lasasr.cli import show

    if show.asked(options):
        return show.show(options)
    return _train(options)


def _train(options: Any) -> int:
    from lasasr import runs
    from lasasr.cli.compose import compose
    from lasasr.cli.sweep import sweep

    if options.resume is not None:
        if (note := options.resume / "sweep.json").exists():
            about = runs.read_sweep(note)
            again = functools.partial(execute, resume=True)
            sweep(about["recipe"], about["overrides"], again, beside=options.resume.resolve().parent)
        else:
            found = runs.find_run(options.resume)
            run_in(found, found.config(), found.overrides(), resume=True)
    elif options.multirun:
        sweep(options.recipe, options.overrides, functools.partial(execute, fresh=options.fresh))
    else:
        execute(compose(options.recipe, options.overrides), options.overrides, fresh=options.fresh)
    return 0


def execute(config: dict[str, Any], overrides: list[str], resume: bool = False, fresh: bool = False) -> None:
    """Train one configuration in the folder that is its own."""
    from lasasr import runs

    run_in(runs.place(config, overrides), config, overrides, resume, fresh)


def run_in(place: Run, config: dict[str, Any], overrides: list[str], resume: bool, fresh: bool = False) -> None:
    """Train in a run folder, unless that is finished, and say what came of it.

    Raises:
        LasasrError: the run was begun before, and neither `resume` nor `fresh` is asked for.
    """
    from lasasr.cli.tell import tell_run
    from lasasr.provenance import provenance

    if launch.helper():
        _help(place, config, resume)
        return
    if fresh and place.folder.exists():
        shutil.rmtree(place.folder)
    if place.status == "finished":
        print(f"{place.folder} is finished (--fresh trains it again)")
    else:
        if place.begun and not resume:
            raise LasasrError(
                f"{place.folder} is unfinished: go on with lasasr train --resume {place.folder}, or add --fresh"
            )
        if not place.begun:
            _check(config)
            place.start(config, overrides, **provenance())

        from lasasr.cli.progress import progress

        print(f"run folder: {place.folder}", flush=True)
        try:
            with progress() as report:
                facts = _work(config, place.folder, resume, report)
        except Interrupted:
            print(f"saved; go on with: lasasr train --resume {place.folder}", file=sys.stderr)
            raise
        except DivergenceError as error:
            place.note(diverged=str(error))
            raise
        place.finish(**facts, diverged=None)
    tell_run(place)


def _check(config: dict[str, Any]) -> None:
    """What can be seen to be wrong is said before there is a folder for it."""
    if "lm" in config:
        from lasasr.training.fit import check_config

        check_config(config)
    else:
        from lasasr.training.run import check

        check(config)


def _help(place: Run, config: dict[str, Any], resume: bool) -> None:
    """Train beside the first process, which says and writes what there is; one of all prepares, and says so."""
    if place.status == "finished":
        return

    from lasasr.cli.progress import progress

    try:
        with progress(plain=True) as report:
            _work(config, place.folder, resume, report)
    except Interrupted as error:
        if launch.launched():
            raise SystemExit(128 + error.signum) from None
        # else Lightning started this process, and would kill the first one for another status than 0


def _work(config: dict[str, Any], folder: Path, resume: bool, report: Any) -> dict[str, Any]:
    """Train a recognizer, after a glance at its data, or a language model; what the card says of it."""
    if "lm" in config:
        from lasasr.training import lm_run

        return lm_run.train(config, folder, resume, report)
    from lasasr.cli.doctor import glance
    from lasasr.training.run import train

    return train(config, folder, resume, report, functools.partial(glance, config))
