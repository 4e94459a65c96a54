"""`lasasr train`: a recipe becomes a run folder."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lasasr.cli.announce import announce
from lasasr.cli.arguments import Parser, add_recipe
from lasasr.configuration.loading import loading
from lasasr.distributed import launch
from lasasr.errors import DivergenceError, Interrupted, LasasrError, UsageError

if TYPE_CHECKING:
    from lasasr.artifacts.runs import Run

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
    parser.add_argument("--fresh", action="store_true", help="train again beside the run that is there, which stays")
    options = parser.read(arguments)
    if (options.recipe is None) == (options.resume is None):
        raise UsageError("train takes a RECIPE, or --resume RUN (lasasr train --help)")

    from lasasr.cli import show

    if show.asked(options):
        return show.show(options)
    return _train(options)


def _train(options: Any) -> int:
    from lasasr.artifacts import runs, sweeps
    from lasasr.cli.compose import compose
    from lasasr.cli.sweep import resume, sweep

    if options.resume is not None:
        if (options.resume / sweeps.FILE).exists():
            resume(options.resume, functools.partial(run_in, resume=True))
        else:
            found = runs.find_run(options.resume)
            run_in(found, found.config(), found.overrides(), resume=True)
    elif options.multirun:
        sweep(options.recipe, options.overrides, functools.partial(run_in, fresh=options.fresh), fresh=options.fresh)
    else:
        config = compose(options.recipe, options.overrides, before_loading=_announce)
        execute(config, options.overrides, fresh=options.fresh)
    return 0


def execute(config: dict[str, Any], overrides: list[str], fresh: bool = False) -> None:
    """Train one configuration in the folder that is its own."""
    from lasasr.artifacts import runs

    helps = launch.helper() is not None  # the first process has chosen the folder, and speaks
    place, remarks = runs.placed(config, overrides, fresh and not helps)
    for remark in () if helps else remarks:
        print(f"note: {remark}", flush=True)
    run_in(place, config, overrides, fresh=fresh)


def run_in(place: Run, config: dict[str, Any], overrides: list[str], resume: bool = False, fresh: bool = False) -> None:
    """Train in a run folder, unless that is finished, and say what came of it.

    Args:
        resume: go on with what has begun, by its own configuration.
        fresh: the folder is a new one, or will be when the first process has made it.

    Raises:
        LasasrError: another process writes into the folder, or the run was begun before, and `resume` is not asked
            for.
    """
    from lasasr.artifacts.run_lock import writing

    if resume and place.begun:
        config, overrides = place.config(), place.overrides()
    if launch.helper():
        if fresh or place.status != "finished":
            _help(place, config, resume)
    elif place.status == "finished":  # nothing is written, whoever else may write
        _write_in(place, config, overrides, resume)
    else:
        with writing(place.folder, "trained"):
            _write_in(place, config, overrides, resume)


def _write_in(place: Run, config: dict[str, Any], overrides: list[str], resume: bool) -> None:
    """Train in a run folder that no other process writes into."""
    from lasasr.artifacts.provenance import provenance
    from lasasr.cli.tell import tell_run

    if place.status == "finished":
        from lasasr.cli.finished_run import check_finished

        _announce(config)
        check_finished(place, config)
        print(f"{place.folder} is finished (--fresh trains it again)")
    else:
        if place.begun and not resume:
            raise LasasrError(
                f"{place.folder} is unfinished: go on with lasasr train --resume {place.folder}, or add --fresh"
            )
        _announce(config)
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


def _announce(config: Mapping[str, Any]) -> None:
    announce(f"{config['recipe']}, seed {config['seed']}", "reading the corpus")


def _check(config: dict[str, Any]) -> None:
    """What can be seen to be wrong is said before there is a folder for it."""
    if "lm" in config:
        with loading():
            from lasasr.training import lm_run

        lm_run.check(config)
    else:
        with loading():
            from lasasr.training.run import check

        check(config)


def _help(place: Run, config: dict[str, Any], resume: bool) -> None:
    """Train beside the first process, which says and writes what there is; one of all prepares, and says so."""
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
    from lasasr.artifacts.runs import refuse_partial

    refuse_partial(folder / "config.yaml", config)
    if "lm" in config:
        from lasasr.training import lm_run

        return lm_run.train(config, folder, resume, report)
    from lasasr.cli.doctor import glance
    from lasasr.training.run import train

    return train(config, folder, resume, report, functools.partial(glance, config))
